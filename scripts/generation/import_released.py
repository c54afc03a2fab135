"""A training set that others have released, where a student's own would be sampled (docs/running-the-paper.md)."""

from thinksafe.data.published_sets import ROLES
from thinksafe.data.sources import source_rows
from thinksafe.files import Row, write_json, write_rows
from thinksafe.generation.filter import COLUMNS
from thinksafe.generation.released import released_rows
from thinksafe.jobs.start import start
from thinksafe.models.folder import load_tokenizer
from thinksafe.models.location import locate


def import_released(
    harmful: list[str], benign: list[str], model: list[str], spec: Row, dataset: str, statistics: str
) -> None:
    """Write the set in the form that `filter_responses` gives its own, harmful rows first, and what was dropped.

    ``harmful`` and ``benign`` are the local file behind each half's source, if it has one; ``model`` are the files that
    stand for the student, whose tokenizer counts the tokens.
    """
    tokenizer = load_tokenizer(locate(spec["model"], model), spec.get("chat"))
    rows: list[Row] = []
    counts: dict[str, Row] = {}
    for role, files in zip(ROLES, (harmful, benign), strict=True):
        kept, counts[role] = released_rows(source_rows(spec[role]["source"], files), spec, role, tokenizer)
        rows += kept
    write_rows(dataset, rows, COLUMNS)
    write_json(statistics, counts)
    print(counts)


if __name__ == "__main__":
    start(snakemake, __file__)
