"""The judge study as a figure: agreement of judges, and fractions of harm by threshold (paper Sec. 5.1, D.4)."""

from itertools import permutations
from math import isnan, nan
from typing import Any

from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.reporting.figures import PAGE, colour, new_figure, save
from thinksafe.reporting.tables import read_csv

COLUMNS = 3


def plot_judge_study(table: str, spec: Row, png: str, pdf: str) -> None:
    """Draw Cohen's kappa of each two judges as a matrix, and for each judge the methods' fractions by threshold.

    ``spec`` has ``judges`` as pairs of guard and view, and ``methods`` as pairs of id and label.
    """
    from matplotlib.lines import Line2D

    rows = read_csv(table)
    judges = [tuple(judge) for judge in spec["judges"]]
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        if row["part"] == "threshold":
            curves.setdefault(row["judge"], {}).setdefault(row["method"], []).append((row["threshold"], row["value"]))
    shown = [judge for judge in judges if ":".join(judge) in curves]
    lines = max(1, -(-len(shown) // (COLUMNS - 1)))
    figure, grid = new_figure(PAGE, 2.1 * lines + 0.3, lines, COLUMNS)
    for axes in grid.flat:
        axes.set_axis_off()
    _draw_matrix(grid[0][0], rows, judges)
    top = max((value for found in curves.values() for line in found.values() for _, value in line), default=1)
    for place, judge in enumerate(shown):
        axes = grid[place // (COLUMNS - 1)][1 + place % (COLUMNS - 1)]
        axes.set_axis_on()
        for method, _ in spec["methods"]:
            if points := curves[":".join(judge)].get(method):
                axes.plot(*zip(*points, strict=True), color=colour(method), linewidth=1.0)
        axes.axvline(0.5, color="#4D4D4D", linewidth=0.5, linestyle="--")
        axes.set(xlim=(0, 1), ylim=(0, top * 1.05))
        axes.set_title(", ".join(judge), loc="left")
        axes.set_xlabel("unsafe where P(unsafe) ≥")
        if place % (COLUMNS - 1) == 0:
            axes.set_ylabel("Called unsafe, %\n(lower is better ↓)")
    methods = [pair for pair in spec["methods"] if any(pair[0] in found for found in curves.values())]
    handles = [Line2D([], [], color=colour(method), linewidth=1.5) for method, _ in methods]
    columns = min(5, max(1, len(methods)))
    figure.legend(handles, [label for _, label in methods], loc="outside lower center", ncols=columns)
    save(figure, png, pdf)


def _draw_matrix(axes: Any, rows: list[Row], judges: list[tuple[str, str]]) -> None:
    """Draw the kappa of each two judges, darker where they agree more, with the number in each field."""
    names = [":".join(judge) for judge in judges]
    known = [row for row in rows if row["part"] == "agreement" and row["kappa"] is not None]
    kappa = {(row["judge"], row["other"]): row["kappa"] for row in known}
    kappa |= {(other, one): value for (one, other), value in kappa.items()}
    field = [[kappa.get((one, other), nan) for other in names] for one in names]
    size = len(names)
    axes.set_axis_on()
    axes.imshow(field, cmap="cividis_r", vmin=0, vmax=1, aspect="equal")
    for y, x in permutations(range(size), 2):
        text = "–" if isnan(field[y][x]) else f"{field[y][x]:.2f}"
        axes.text(x, y, text, ha="center", va="center", fontsize=6, color="white" if field[y][x] > 0.6 else "black")
    short = [f"{guard},\n{view}" for guard, view in judges]
    axes.set_xticks(range(size), short, rotation=90, fontsize=5.5)
    axes.set_yticks(range(size), short, fontsize=5.5)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("Agreement, Cohen's κ", loc="left")


if __name__ == "__main__":
    start(snakemake, __file__)
