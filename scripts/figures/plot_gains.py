"""Figures 5, 6 and 12: a student's own responses against a teacher's (paper Sec. 5.4, D)."""

from typing import Any

from thinksafe.files import Row
from thinksafe.reporting.figures import COLUMN, colour, error_bars, new_figure, save, say_nothing_to_draw
from thinksafe.reporting.tables import read_csv

LABELS = {
    "safety_gain": "Safety gain,\npoints (better ↑)",
    "reasoning_gain": "Reasoning gain,\npoints (better ↑)",
    "gain_ratio": "Reasoning gain per\nsafety gain (better ↑)",
}


def plot_gains(table: str, spec: Row, png: str, pdf: str) -> None:
    """Draw a panel for each metric and student, a bar for each source of the training set, with intervals.

    A bar whose interval has no bounds is hatched.

    Parameters
    ----------
    table : path
        ``figure5.csv``, ``figure6.csv`` or ``figure12.csv``.
    spec : dict
        ``students`` and ``sources`` (method and whose responses it learns from) as pairs, and ``metrics``.
    """
    cells = {(row["student"], row["method"], row["metric"]): row for row in read_csv(table)}
    metrics = [metric for metric in spec["metrics"] if any(key[2] == metric for key in cells)]
    students = [pair for pair in spec["students"] if any(key[0] == pair[0] for key in cells)]
    rows, columns = max(len(metrics), 1), max(len(students), 1)
    figure, grid = new_figure(COLUMN, 0.6 + 1.2 * rows, rows, columns)
    if not metrics:
        say_nothing_to_draw(grid[0][0], "This run has not all benchmarks\nof the two averages.")
    for number, (metric, line) in enumerate(zip(metrics, grid, strict=False)):
        for (student, name), axes in zip(students, line, strict=False):
            _draw(axes, metric, student, spec["sources"], cells)
            if number == 0:
                axes.set_title(f"Student: {name}")
        line[0].set_ylabel(LABELS[metric])
    save(figure, png, pdf)


def _draw(axes: Any, metric: str, student: str, sources: list, cells: dict[tuple[str, str, str], Row]) -> None:
    """Draw one metric of one student."""
    found = [
        (method, label, row)
        for method, label in sources
        for row in [cells.get((student, method, metric))]
        if row and row["value"] is not None
    ]
    for place, (method, _, row) in enumerate(found):
        axes.bar(
            place,
            row["value"],
            0.7,
            yerr=[[side] for side in error_bars(row)],
            color=colour(method),
            hatch=None if row["low"] is not None else "///",
            edgecolor="white" if row["low"] is None else colour(method),  # of the hatches, too
            error_kw={"elinewidth": 0.6, "capsize": 1.5, "capthick": 0.6},
        )
    axes.axhline(0, color="#4D4D4D", linewidth=0.6)
    axes.set_xticks(range(len(found)), [label for _, label, _ in found], rotation=25, ha="right")
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
