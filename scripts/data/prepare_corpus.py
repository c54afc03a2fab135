"""Bring a baseline's published training data into the form of a training set (paper Sec. 5.1, Table 4)."""

from thinksafe.data.published_sets import COLUMNS, ROLES, convert
from thinksafe.data.sources import source_rows
from thinksafe.files import Row, write_json, write_rows
from thinksafe.jobs.start import start


def prepare_corpus(harmful: list[str], benign: list[str], spec: Row, corpus: str, statistics: str) -> None:
    """Write the training set, harmful rows first, and how many rows were used, and why others were not.

    ``harmful`` and ``benign`` are the local file behind each half's source, if it has one; ``spec`` has ``corpus``,
    ``format`` with its options, and the settings of at least one half.
    """
    rows: list[Row] = []
    counts: dict[str, Row] = {}
    for role, files in zip(ROLES, (harmful, benign), strict=True):
        if role in spec:
            made, counts[role] = convert(source_rows(spec[role]["source"], files), spec, role, spec["corpus"])
            rows += made
    write_rows(corpus, rows, COLUMNS)
    write_json(statistics, counts)
    print(counts)


if __name__ == "__main__":
    start(snakemake, __file__)
