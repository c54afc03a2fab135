"""A training set made of filtered ones: a teacher's refusals with the student's own benign half, or refusals without
their reasoning (paper Sec. 5.4, Figures 4, 11)."""

from thinksafe.files import Row, read_rows, write_rows
from thinksafe.generation.filter import COLUMNS
from thinksafe.jobs.start import start
from thinksafe.models.responses import CLOSE, OPEN, parts


def derive_training_set(harmful: str, benign: str, strip_reasoning: bool, dataset: str) -> None:
    """Write the harmful rows of one filtered training set and the benign rows of another, in their order."""
    refusals = [row for row in read_rows(harmful) if row["role"] == "harmful"]
    if strip_reasoning:
        refusals = [without_reasoning(row) for row in refusals]
    write_rows(dataset, refusals + [row for row in read_rows(benign) if row["role"] == "benign"], COLUMNS)


def without_reasoning(row: Row) -> Row:
    """Return a row whose response is an empty think block and its answer; nobody has sampled it, so it has no tokens.

    Paper: says that the reasoning is removed, not what replaces it. Qwen3 itself writes this block when it does not
    think, and R1-Distill's generation prompt opens one in any case.
    """
    _, answer = parts(row["response"])
    if not answer:
        raise ValueError(f"{row['id']}: a kept refusal has no answer after {CLOSE}; make the training set again")
    return row | {"response": f"{OPEN}\n\n{CLOSE}\n\n{answer}", "tokens": None}


if __name__ == "__main__":
    start(snakemake, __file__)
