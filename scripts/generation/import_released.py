"""A training set that others have released, where a student's own would be sampled (docs/running-the-paper.md)."""

from thinksafe.data.published_sets import ROLES, safechain, usable_rows
from thinksafe.data.sources import source_rows
from thinksafe.files import Row, write_json, write_rows
from thinksafe.generation.filter import COLUMNS
from thinksafe.models.chat import completion_tokens, opens_think
from thinksafe.models.folder import load_tokenizer
from thinksafe.models.location import locate


def import_released(
    harmful: list[str],
    benign: list[str],
    model: list[str],
    spec: Row,
    dataset: str,
    statistics: str,
) -> None:
    """Write the set in the form that `filter_responses` gives its own, harmful rows first, and what was not usable.

    A row that does not open, close and end its reasoning as a student would is dropped and counted by its reason; none
    is repaired into something that the student did not write.

    Parameters
    ----------
    harmful, benign : the local file behind each half's source, if it has one
    model : files that stand for the student among the job's inputs; its tokenizer counts the tokens
    spec : dict
        ``student``, ``method``, ``model``, ``chat``, ``seed`` and the parts ``harmful`` and ``benign``.

    Raises
    ------
    ValueError
        If a source has another form than its part says, or no row of a role, or fewer than ``take``, can be used.
    """
    # Paper: the authors' code keeps rows that never close their reasoning, which would teach not to answer.
    tokenizer = load_tokenizer(locate(spec["model"], model), spec.get("chat"))
    opened = opens_think(tokenizer)
    rows: list[Row] = []
    counts: Row = {}
    for role, files in zip(ROLES, (harmful, benign), strict=True):
        what = f"sources.{spec['student']}.{spec['method']}.{role}"
        found = source_rows(spec[role]["source"], files)
        kept, count = usable_rows(found, spec, role, safechain, what, f"released-{role}")
        for row in kept:
            tokens = len(completion_tokens(tokenizer, row["response"], opened))
            rows.append(row | {"draw": 0, "tokens": tokens})
        counts[role] = {"released": count.pop("source"), **count}
    write_rows(dataset, rows, COLUMNS)
    write_json(statistics, counts)
    print(counts)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
