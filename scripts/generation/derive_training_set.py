"""A training set made of filtered ones: a teacher's refusals with the student's own benign half, or refusals without
their reasoning (paper Sec. 5.4, Figures 4, 11)."""

from typing import Any

from thinksafe.files import read_rows, write_rows
from thinksafe.models.responses import CLOSE, OPEN, parts

COLUMNS: dict[str, type] = dict(id=str, role=str, prompt=str, response=str, draw=int, tokens=int)


def derive_training_set(harmful: str, benign: str, strip_reasoning: bool, dataset: str) -> None:
    """Write the harmful rows of one training set and the benign rows of another, in their order.

    Parameters
    ----------
    harmful, benign : paths
        Filtered training sets (`scripts.generation.filter_responses`), of which the rows of that role are taken.
    strip_reasoning : whether the harmful rows keep only their answers
    dataset : path of the new training set

    Raises
    ------
    ValueError
        If a refusal to be stripped has no answer.
    """
    rows = [row for row in read_rows(harmful) if row["role"] == "harmful"]
    if strip_reasoning:
        rows = [without_reasoning(row) for row in rows]
    rows += [row for row in read_rows(benign) if row["role"] == "benign"]
    write_rows(dataset, rows, COLUMNS)


def without_reasoning(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose response is an empty think block and its answer; nobody has sampled it, so it has no tokens.

    Paper: says that the reasoning is removed, not what stands in its place; Qwen3's own form of not thinking is this
    block, and R1-Distill's generation prompt opens one in any case.
    """
    _, answer = parts(row["response"])
    if not answer:
        raise ValueError(f"{row['id']}: a kept refusal has no answer after {CLOSE}; make the training set again")
    return row | {"response": f"{OPEN}\n\n{CLOSE}\n\n{answer}", "tokens": None}


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
