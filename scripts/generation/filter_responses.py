"""Keep what the guard calls safe and merge both halves into one training set (paper Sec. 4 "Filtering", Eq. 2, 5.4)."""

from thinksafe.files import Row, read_rows, write_json, write_rows
from thinksafe.generation.filter import COLUMNS, keep_safe
from thinksafe.jobs.start import start


def filter_responses(
    harmful_responses: list[str],
    benign_responses: list[str],
    harmful_verdicts: list[str],
    benign_verdicts: list[str],
    seed: list[str | int],
    dataset: str,
    statistics: str,
) -> None:
    """Write the training set, harmful rows first, and how many prompts were kept and why others were not."""
    halves = {"harmful": (harmful_responses, harmful_verdicts), "benign": (benign_responses, benign_verdicts)}
    rows: list[Row] = []
    counts: dict[str, Row] = {}
    for role, (responses, verdicts) in halves.items():
        kept, counts[role] = keep_safe(read_rows(responses), read_rows(verdicts), [*seed, role])
        rows += [row | {"role": role} for row in kept]
    if not counts["harmful"]["kept"]:
        raise ValueError(
            f"no harmful row is left of {counts['harmful']['prompts']}: {counts['harmful']['dropped']}. The benign "
            "half alone teaches nothing about safety; look at the raw responses, the steering and the guard's verdicts"
        )
    write_rows(dataset, rows, COLUMNS)
    write_json(statistics, counts)


if __name__ == "__main__":
    start(snakemake, __file__)
