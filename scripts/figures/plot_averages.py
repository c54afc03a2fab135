"""Figures 4, 7, 11 and 13: averages by method (paper Sec. 5.4, 5.5)."""

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
    table : path of what `write_averages` wrote
    spec : ``students`` and ``methods`` as pairs of id and label
    """
    draw_panels(read_csv(table), PANELS, spec, "This run has not all benchmarks\nof any average.", png, pdf)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
