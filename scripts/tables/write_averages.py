"""The numbers behind Figure 7: rejection sampling against ThinkSafe (paper Sec. 5.4)."""

from collections.abc import Sequence

from thinksafe.analysis.scores import AVERAGES, COLUMNS, tidy, with_rows
from thinksafe.files import Row
from thinksafe.reporting.tables import write_csv


def write_averages(scores: Sequence[str], rows: Sequence[str], spec: Row, csv: str) -> None:
    """Write every average of the methods in ``spec`` (initial, rejection, thinksafe), by guard and by audit guards.

    Where a run has not all benchmarks of an average, the file has the cells of those that it has.

    Parameters
    ----------
    scores, rows, spec
        As for `scripts.tables.write_main_table.write_main_table`.
    """
    cells = tidy(with_rows(spec["cells"], scores, rows), spec)
    found = [row for row in cells if row["value"] is not None]
    averages = [row for row in found if row["metric"].partition(":")[0] in AVERAGES]
    complete = {row["metric"] for row in averages}
    # Paper: Fig. 7 shows averages only; a run without them still needs something to show.
    kept = (
        averages if complete & set(AVERAGES) else [row for row in found if not row["metric"].startswith("well_formed")]
    )
    write_csv(csv, COLUMNS, kept)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
