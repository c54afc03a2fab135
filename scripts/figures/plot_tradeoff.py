"""Figure 1: safety against reasoning of every method, for each student of one family."""

from typing import Any

from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.reporting.figures import COLUMN, MARKERS, colour, draw_message, drawable, error_bars, new_figure, save
from thinksafe.reporting.tables import read_csv


def plot_tradeoff(table: str, spec: Row, png: str, pdf: str) -> None:
    """Draw each method as a point, with the safety average on x (lower is better) and the reasoning average on y.

    Paper: Figure 1 does not name its axes; the two averages of Table 1 are the reading that fits its caption.

    ``table`` is Table 1 in CSV; ``spec`` has ``students`` and ``methods`` as pairs of id and label.
    """
    cells, *_ = drawable(read_csv(table), spec)
    points = {
        (student, method): (cells[student, method, "safety_avg"], cells[student, method, "reasoning_avg"])
        for student, _ in spec["students"]
        for method, _ in spec["methods"]
        if {(student, method, "safety_avg"), (student, method, "reasoning_avg")} <= cells.keys()
    }
    figure, ((axes,),) = new_figure(COLUMN, 3.1)
    if points:
        _draw(figure, axes, points, spec)
    else:
        draw_message(axes, "This run has not all benchmarks\nof the two averages.")
    save(figure, png, pdf)


def _draw(figure: Any, axes: Any, points: dict[tuple[str, str], tuple[Row, Row]], spec: Row) -> None:
    """Draw points with intervals, an arrow from each student's initial to its ThinkSafe point, and a legend."""
    from matplotlib.lines import Line2D

    shapes = {student: MARKERS[place % len(MARKERS)] for place, (student, _) in enumerate(spec["students"])}
    for student in shapes:
        if {(student, "initial"), (student, "thinksafe")} <= points.keys():
            start, end = ([row["value"] for row in points[student, method]] for method in ("initial", "thinksafe"))
            arrow = {"arrowstyle": "->", "color": "#B0B0B0", "linewidth": 0.8, "shrinkA": 3, "shrinkB": 3}
            axes.annotate("", xy=end, xytext=start, arrowprops=arrow, zorder=1)
    for (student, method), (x, y) in points.items():
        axes.errorbar(
            x["value"],
            y["value"],
            xerr=error_bars(x),
            yerr=error_bars(y),
            color=colour(method),
            marker=shapes[student],
            markersize={"initial": 5.5, "thinksafe": 5}.get(method, 4),  # a rim shows where another point covers it
            markeredgecolor="white",
            markeredgewidth=0.4,
            elinewidth=0.5,
            alpha=0.95,
            zorder={"initial": 2, "thinksafe": 4}.get(method, 3),
        )
    axes.set_xlabel("Safety average, % unsafe or refused\n(← lower is better)")
    axes.set_ylabel("Reasoning average, % pass@1\n(higher is better →)")
    students, methods = (
        [pair for pair in spec[name] if any(key[place] == pair[0] for key in points)]
        for place, name in enumerate(("students", "methods"))
    )
    mark = {"linestyle": "", "markersize": 4}
    dots = [(Line2D([], [], color=colour(method), marker="o", **mark), label) for method, label in methods]
    shown = []
    if len(students) == 1:
        axes.set_title(students[0][1], loc="left")
    else:  # hollow, so that a marker's colour is not taken for that of a method
        hollow = {"color": "#4D4D4D", "markerfacecolor": "none"} | mark
        shown = [(Line2D([], [], marker=shapes[name], **hollow), label) for name, label in students]
        lines = max(-(-len(dots) // 2), len(shown))  # methods in the first two columns, students in the third
        nothing = (Line2D([], [], linestyle=""), " ")
        dots += [nothing] * (2 * lines - len(dots))
        shown += [nothing] * (lines - len(shown))
    handles, labels = zip(*dots, *shown, strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=3, columnspacing=1.0, handletextpad=0.3)


if __name__ == "__main__":
    start(snakemake, __file__)
