"""Figures 5, 6 and 12: a student's own responses against a teacher's (paper Sec. 5.4, D)."""

from typing import Any

from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.reporting.figures import COLUMN, ERROR, Cells, colour, draw_message, error_bars, new_figure, save
from thinksafe.reporting.tables import by_cell, read_csv

LABELS = {
    "safety_gain": "Safety gain,\npoints (better ↑)",
    "reasoning_gain": "Reasoning gain,\npoints (better ↑)",
    "gain_ratio": "Reasoning gain per\nsafety gain (better ↑)",
}


def plot_gains(table: str, spec: Row, png: str, pdf: str) -> None:
    """Draw a panel for each metric and student, with a bar and its interval for each source of the training set.

    A bar without bounds is hatched. ``spec`` has ``students`` and ``sources`` (a method, and whose responses it learns
    from) as pairs, and ``metrics``.
    """
    cells = by_cell(read_csv(table))
    metrics = [metric for metric in spec["metrics"] if any(key[2] == metric for key in cells)]
    students = [pair for pair in spec["students"] if any(key[0] == pair[0] for key in cells)]
    rows, columns = max(len(metrics), 1), max(len(students), 1)
    figure, grid = new_figure(COLUMN, 0.6 + 1.2 * rows, rows, columns)
    if not metrics:
        draw_message(grid[0][0], "This run has not all benchmarks\nof the two averages.")
    for number, (metric, line) in enumerate(zip(metrics, grid, strict=False)):
        for (student, name), axes in zip(students, line, strict=False):
            _draw(axes, metric, student, spec["sources"], cells)
            if number == 0:
                axes.set_title(f"Student: {name}")
        line[0].set_ylabel(LABELS[metric])
    save(figure, png, pdf)


def _draw(axes: Any, metric: str, student: str, sources: list, cells: Cells) -> None:
    """Draw one metric of one student."""
    labels = []
    for method, label in sources:
        row = cells.get((student, method, metric))
        if not row or row["value"] is None:
            continue
        # The edge's colour is also that of the hatches.
        edge = {"hatch": "///", "edgecolor": "white"} if row["low"] is None else {"edgecolor": colour(method)}
        bar = {"yerr": error_bars(row), "error_kw": ERROR, "color": colour(method)} | edge
        axes.bar(len(labels), row["value"], 0.7, **bar)
        labels.append(label)
    axes.axhline(0, color="#4D4D4D", linewidth=0.6)
    axes.set_xticks(range(len(labels)), labels, rotation=25, ha="right")
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")


if __name__ == "__main__":
    start(snakemake, __file__)
