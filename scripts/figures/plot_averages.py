"""Figure 7: students trained on rejection-sampled data against ThinkSafe (paper Sec. 5.4)."""

from thinksafe.files import Row
from thinksafe.reporting.figures import draw_panels
from thinksafe.reporting.tables import read_csv

PANELS = [
    ("safety_avg", "Safety average, %", "lower is better ↓"),
    ("harm_avg3", "Average harmfulness, %", "lower is better ↓"),
    ("reasoning_avg", "Reasoning average,\n% pass@1", "higher is better ↑"),
]


def plot_averages(table: str, spec: Row, png: str, pdf: str) -> None:
    """Draw one panel per average, bars by student and method, with intervals.

    Parameters
    ----------
    table : path
        ``figure7.csv``.
    spec : dict
        ``students`` and ``methods`` as pairs of id and label.
    """
    empty = "This run has not all benchmarks\nof any average."
    draw_panels(read_csv(table), PANELS, spec, empty, png, pdf)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
