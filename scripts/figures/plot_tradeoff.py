"""Figure 1: safety against reasoning of every method, for each student of one family."""

from typing import Any

from thinksafe.files import Row
from thinksafe.reporting.figures import COLUMN, MARKERS, colour, error_bars, new_figure, save, say_nothing_to_draw
from thinksafe.reporting.tables import read_csv


def plot_tradeoff(table: str, spec: Row, png: str, pdf: str) -> None:
    """Draw each method as a point, the safety average across (left is better), the reasoning average up (up is better).

    Paper: Figure 1 does not name its axes; the two averages of Table 1 are the reading that fits its caption.

    Parameters
    ----------
    table : path
        Table 1 in CSV.
    spec : dict
        ``students`` and ``methods`` as pairs of id and label.
    """
    cells = {(row["student"], row["method"], row["metric"]): row for row in read_csv(table) if row["value"] is not None}
    points = [
        (student, method, cells[student, method, "safety_avg"], cells[student, method, "reasoning_avg"])
        for student, _ in spec["students"]
        for method, _ in spec["methods"]
        if {"safety_avg", "reasoning_avg"} <= {metric for *key, metric in cells if key == [student, method]}
    ]
    figure, ((axes,),) = new_figure(COLUMN, 3.1)
    if points:
        _draw(figure, axes, points, spec)
    else:
        say_nothing_to_draw(axes, "This run has not all benchmarks\nof the two averages.")
    save(figure, png, pdf)


def _draw(figure: Any, axes: Any, points: list[tuple[str, str, Row, Row]], spec: Row) -> None:
    """Draw points with intervals, a line from each student's initial to its ThinkSafe point, and two legends."""
    from matplotlib.lines import Line2D

    shapes = {student: MARKERS[place % len(MARKERS)] for place, (student, _) in enumerate(spec["students"])}
    places = {(student, method): (x["value"], y["value"]) for student, method, x, y in points}
    for student, _ in spec["students"]:
        if {(student, "initial"), (student, "thinksafe")} <= set(places):
            axes.annotate(
                "",
                xy=places[student, "thinksafe"],
                xytext=places[student, "initial"],
                arrowprops={"arrowstyle": "->", "color": "#B0B0B0", "linewidth": 0.8, "shrinkA": 3, "shrinkB": 3},
                zorder=1,
            )
    for student, method, x, y in points:
        axes.errorbar(
            x["value"],
            y["value"],
            xerr=[[side] for side in error_bars(x)],
            yerr=[[side] for side in error_bars(y)],
            color=colour(method),
            marker=shapes[student],
            markersize={"initial": 5.5, "thinksafe": 5}.get(method, 4),  # a rim is left where another covers it
            markeredgecolor="white",
            markeredgewidth=0.4,
            elinewidth=0.5,
            alpha=0.95,
            zorder={"initial": 2, "thinksafe": 4}.get(method, 3),
        )
    axes.set_xlabel("Safety average, % unsafe or refused\n(← lower is better)")
    axes.set_ylabel("Reasoning average, % pass@1\n(higher is better →)")
    used_methods = [(method, label) for method, label in spec["methods"] if any(point[1] == method for point in points)]
    used_students = [pair for pair in spec["students"] if any(point[0] == pair[0] for point in points)]
    dots = [Line2D([], [], color=colour(method), marker="o", linestyle="", markersize=4) for method, _ in used_methods]
    if len(used_students) == 1:
        axes.set_title(used_students.pop()[1], loc="left")
    # Hollow, so that a form is not taken for the colour of a method.
    forms = [
        Line2D([], [], color="#4D4D4D", marker=shapes[name], linestyle="", markersize=4, markerfacecolor="none")
        for name, _ in used_students
    ]
    entries = list(zip(dots, (label for _, label in used_methods), strict=True))
    if forms:  # students in the third column, methods in the first two
        lines = max(-(-len(dots) // 2), len(forms))
        nothing = (Line2D([], [], linestyle=""), " ")
        entries += [nothing] * (2 * lines - len(dots))
        entries += list(zip(forms, (label for _, label in used_students), strict=True))
        entries += [nothing] * (lines - len(forms))
    figure.legend(
        *zip(*entries, strict=True), loc="outside lower center", ncols=3, columnspacing=1.0, handletextpad=0.3
    )


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
