"""A training set made of filtered ones: a teacher's refusals with the student's own benign half, or refusals without
their reasoning (paper Sec. 5.4, Figures 4, 11)."""

from thinksafe.files import read_rows, write_rows
from thinksafe.generation.derived import derived_rows
from thinksafe.generation.filter import COLUMNS
from thinksafe.jobs.start import start


def derive_training_set(harmful: str, benign: str, strip_reasoning: bool, dataset: str) -> None:
    """Write the harmful rows of one filtered training set and the benign rows of another, in their order."""
    write_rows(dataset, derived_rows(read_rows(harmful), read_rows(benign), strip_reasoning), COLUMNS)


if __name__ == "__main__":
    start(snakemake, __file__)
