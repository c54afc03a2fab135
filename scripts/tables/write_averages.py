"""The numbers behind Figure 7: rejection sampling against ThinkSafe (paper Sec. 5.4)."""

from collections.abc import Callable, Sequence
from typing import Any

from thinksafe.analysis.scores import AVERAGES, COLUMNS, tidy, with_rows
from thinksafe.reporting.tables import write_csv


def write_averages(
    scores: Sequence[dict[str, Any]],
    spec: dict[str, Any],
    output_csv: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write every average of the methods in ``spec`` (initial, rejection, thinksafe), by guard and by audit guards.

    Where a run has not all benchmarks of an average, the file has the cells of those that it has.

    Parameters
    ----------
    scores, spec
        As for `scripts.tables.write_main_table.write_main_table`.
    """
    rows = [row for row in tidy(scores, spec) if row["value"] is not None]
    averages = [row for row in rows if row["metric"].partition(":")[0] in AVERAGES]
    complete = {row["metric"] for row in averages}
    # Paper: Fig. 7 shows averages only; a run without them still needs something to show.
    kept = (
        averages if complete & set(AVERAGES) else [row for row in rows if not row["metric"].startswith("well_formed")]
    )
    write_csv(output_csv, COLUMNS, kept)
    progress(len(kept), len(kept))


if __name__ == "__main__":
    import json

    from thinksafe.jobs.start import start

    spec = json.loads(snakemake.params.spec)
    start(
        snakemake,
        "write_averages",
        scores=with_rows(spec["cells"], snakemake.input),
        spec=spec,
        output_csv=snakemake.output.csv,
    )
