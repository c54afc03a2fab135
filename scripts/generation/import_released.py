"""A training set that others have released, where a student's own would be sampled (docs/running-the-paper.md)."""

from thinksafe.data.published_sets import ROLES, safechain, usable_rows
from thinksafe.data.sources import source_rows
from thinksafe.files import Row, write_json, write_rows
from thinksafe.generation.filter import COLUMNS
from thinksafe.jobs.start import start
from thinksafe.models.chat import completion_tokens
from thinksafe.models.folder import student_tokenizer
from thinksafe.models.location import locate


def import_released(
    harmful: list[str], benign: list[str], model: list[str], spec: Row, dataset: str, statistics: str
) -> None:
    """Write the set in the form that `filter_responses` gives its own, harmful rows first, and what was dropped.

    A row that does not open, close and end its reasoning as a student would is dropped and counted by its reason.

    ``harmful`` and ``benign`` are the local file behind each half's source, if it has one; ``model`` are the files that
    stand for the student, whose tokenizer counts the tokens.
    """
    tokenizer = student_tokenizer(locate(spec["model"], model), spec.get("chat"))
    rows: list[Row] = []
    counts: dict[str, Row] = {}
    for role, files in zip(ROLES, (harmful, benign), strict=True):
        # Paper: the authors' code keeps rows that never close their reasoning, which would teach not to answer.
        where = f"sources.{spec['student']}.{spec['method']}.{role}"
        source = source_rows(spec[role]["source"], files)
        kept, found = usable_rows(source, spec, role, safechain, where, f"released-{role}")
        counts[role] = {"released": found.pop("source"), **found}
        for row in kept:
            rows.append(row | {"draw": 0, "tokens": len(completion_tokens(tokenizer, row["response"]))})
    write_rows(dataset, rows, COLUMNS)
    write_json(statistics, counts)
    print(counts)


if __name__ == "__main__":
    start(snakemake, __file__)
