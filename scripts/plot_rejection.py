"""Figure 7: students trained on rejection-sampled data against ThinkSafe (paper Sec. 5.4)."""

from collections.abc import Callable
from typing import Any

from scripts.lib.drawing import COLUMN, PAGE, draw_bars, new_figure, save, say_nothing_to_draw
from scripts.lib.tables import read_csv

Row = dict[str, Any]
PANELS = [
    ("safety_avg", "Safety average, %", "lower is better ↓"),
    ("harm_avg3", "Average harmfulness, %", "lower is better ↓"),
    ("reasoning_avg", "Reasoning average, % pass@1", "higher is better ↑"),
]


def plot_rejection(
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
    cells = {(row["student"], row["method"], row["metric"]): row for row in read_csv(table)}
    panels = [panel for panel in PANELS if any(metric == panel[0] for *_, metric in cells)]
    students = [pair for pair in spec["students"] if any(key[0] == pair[0] for key in cells)]
    methods = [pair for pair in spec["methods"] if any(key[1] == pair[0] for key in cells)]
    narrow = len(panels) < 2
    figure, (row,) = new_figure(COLUMN if narrow else PAGE, 2.3, 1, max(len(panels), 1))
    if not panels:
        say_nothing_to_draw(row[0], "This run has not all benchmarks\nof any average.")
    for axes, panel in zip(row, panels, strict=False):
        draw_bars(axes, panel, cells, students, methods)
    if panels:
        handles, labels = row[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(methods))
    save(figure, output_png, output_pdf)
    progress(len(panels), len(panels))


if __name__ == "__main__":
    import json

    from scripts.lib.running import start

    start(
        snakemake,
        "plot_rejection",
        table=snakemake.input.table,
        spec=json.loads(snakemake.params.spec),
        output_png=snakemake.output.png,
        output_pdf=snakemake.output.pdf,
    )
