"""The numbers behind Figures 3, 4, 7, 11 and 13: averages by method (paper Sec. 5.3, 5.4)."""

from collections.abc import Sequence

from thinksafe.analysis.scores import AVERAGES, COLUMNS, tidy, with_rows
from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.reporting.tables import write_csv


def write_averages(scores: Sequence[str], rows: Sequence[str], spec: Row, csv: str) -> None:
    """Write every average of the methods in ``spec``, by guard and by audit guards.

    A run that does not have all benchmarks of any average gets the cells of its benchmarks instead.
    The parameters are those of `write_main_table`.
    """
    found = [row for row in tidy(with_rows(spec["cells"], scores, rows), spec) if row["value"] is not None]
    if any(row["metric"] in AVERAGES for row in found):
        kept = [row for row in found if row["metric"].partition(":")[0] in AVERAGES]
    else:
        kept = [row for row in found if not row["metric"].startswith("well_formed")]
    write_csv(csv, COLUMNS, kept)


if __name__ == "__main__":
    start(snakemake, __file__)
