"""The numbers behind Figures 5, 6 and 12: what training on another model's responses gains (paper Sec. 5.4, D)."""

from collections.abc import Sequence

from thinksafe.analysis.effects import gains
from thinksafe.analysis.pairing import read_arms
from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.layout import SCORE, with_files
from thinksafe.reporting.tables import write_csv

COLUMNS = ["student", "method", "metric", "value", "low", "high", "n"]


def write_gains(rows: Sequence[str], spec: Row, csv: str) -> None:
    """Write each method's gains over the untrained student (`thinksafe.analysis.effects.gains`).

    Paper: defines neither "gain" nor "ratio" (Figs. 5, 6, 12); the table has gains in points and in per cent, and the
    figures show points.

    ``spec`` has ``cells`` (``student``, ``method``, ``replicate``, ``benchmark`` of each of the rows per item, those of
    the method ``initial`` included), ``students`` and ``methods`` as pairs of id and label, ``benchmarks`` and
    ``confidence``.
    """
    arms = read_arms(with_files(spec["cells"], rows, SCORE), spec)
    found = [
        {"student": student, "method": method, **row}
        for student, _ in spec["students"]
        for method, _ in spec["methods"]
        if method != "initial" and (student, method) in arms
        for row in gains(arms[student, "initial"], arms[student, method], spec["confidence"])
    ]
    write_csv(csv, COLUMNS, found)


if __name__ == "__main__":
    start(snakemake, __file__)
