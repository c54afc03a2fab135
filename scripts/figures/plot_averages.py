"""Figure 7: students trained on rejection-sampled data against ThinkSafe (paper Sec. 5.4)."""

from collections.abc import Callable

from thinksafe.files import Row
from thinksafe.reporting.figures import draw_panels
from thinksafe.reporting.tables import read_csv

PANELS = [
    ("safety_avg", "Safety average, %", "lower is better ↓"),
    ("harm_avg3", "Average harmfulness, %", "lower is better ↓"),
    ("reasoning_avg", "Reasoning average,\n% pass@1", "higher is better ↑"),
]


def plot_averages(
    table: str,
    spec: Row,
    output_png: str,
    output_pdf: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Draw one panel per average, bars by student and method, with intervals.

    Parameters
    ----------
    table : path
        ``figure7.csv``.
    spec : dict
        ``students`` and ``methods`` as pairs of id and label.
    """
    empty = "This run has not all benchmarks\nof any average."
    drawn = draw_panels(read_csv(table), PANELS, spec, empty, output_png, output_pdf)
    progress(drawn, drawn)


if __name__ == "__main__":
    import json

    from thinksafe.jobs.start import start

    start(
        snakemake,
        "plot_averages",
        table=snakemake.input.table,
        spec=json.loads(snakemake.params.spec),
        output_png=snakemake.output.png,
        output_pdf=snakemake.output.pdf,
    )
