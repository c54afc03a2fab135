"""The style of every figure: one colour per method, the widths of a paper's columns, the same bytes each time."""

from collections.abc import Mapping, Sequence
from typing import Any

from thinksafe.files import Row, atomic
from thinksafe.reporting.tables import by_cell

Pairs = Sequence[tuple[str, str]]  # id and label
Cells = Mapping[tuple[str, str, str], Row]  # rows of a tidy table by student, method and metric
COLUMN = 3.3  # inches, one column of the paper
PAGE = 6.75  # inches, both columns

# Okabe and Ito (2008) and Tol's muted scheme, except for colours that colour-blind readers would confuse with another
# method of the same figure (tests/reporting/test_figures.py). A method has one colour in all figures.
COLOURS = {
    "initial": "#4D4D4D",
    "thinksafe": "#D55E00",
    "rejection": "#0072B2",
    "directrefusal": "#E69F00",
    "safechain": "#56B4E9",
    "star1": "#009E73",
    "safepath": "#692D00",  # Okabe and Ito's yellow is invisible on white, and darkened it is DirectRefusal's orange
    "safekey": "#CC79A7",
    "grpo": "#332288",
    "thinksafe-kl": "#DD7788",
    "thinksafe-wildguard": "#9600F0",
    "thinksafe-noreason": "#C9B458",
    "thinksafe-suffix": "#117733",
    "thinksafe-risk": "#88CCEE",
    "thinksafe-intent": "#44AA99",
}
OTHER = "#7F7F7F"  # a method that is not in the list above, such as thinksafe-from-<student>
ROLES = {"harmful": "#882255", "benign": "#44AA99"}
MARKERS = "osD^vPX*"  # one per student, in the order of the table
ERROR = {"elinewidth": 0.6, "capsize": 1.5, "capthick": 0.6}  # error bars

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so the same letters everywhere
    "font.size": 7,
    "axes.labelsize": 7,
    "axes.titlesize": 7,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.5,
    "pdf.fonttype": 42,
    "text.parse_math": False,  # a label from the config is not a formula
    "svg.hashsalt": "thinksafe",
    "figure.constrained_layout.use": True,
}


def colour(method: str) -> str:
    """Return a method's colour."""
    return COLOURS.get(method, OTHER)


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    """Return a figure in the house style and its axes as an array of (rows, columns)."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams.update(matplotlib.rcParamsDefault | {"backend": "agg"} | STYLE)
    from matplotlib import pyplot

    return pyplot.subplots(rows, columns, figsize=(width, height), squeeze=False)


def save(figure: Any, output_png: str, output_pdf: str) -> None:
    """Write a figure as PNG (300 dpi) and PDF, without date and version, and close it."""
    from matplotlib import pyplot

    with atomic(output_png) as temporary:
        figure.savefig(temporary, format="png", dpi=300, metadata={"Software": None})
    with atomic(output_pdf) as temporary:
        figure.savefig(temporary, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    pyplot.close(figure)


def draw_message(axes: Any, text: str) -> None:
    """Write into an empty panel why it is empty."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", wrap=True, transform=axes.transAxes)


def error_bars(row: Row) -> list[list[float]]:
    """Return the distances of a row's bounds below and above its value, as matplotlib takes them; nan draws nothing.

    A single measurement, as of hours, has its value for both bounds: that is no interval.
    """
    if row["low"] is None or row["high"] is None or row["low"] == row["high"]:
        return [[float("nan")], [float("nan")]]
    return [[max(row["value"] - row["low"], 0.0)], [max(row["high"] - row["value"], 0.0)]]


def drawable(rows: Sequence[Row], spec: Row) -> tuple[Cells, Pairs, Pairs]:
    """Return the rows with a value as cells, and those of the spec's students and methods that have any."""
    cells = by_cell(row for row in rows if row["value"] is not None)
    students, methods = (
        [pair for pair in spec[name] if any(key[place] == pair[0] for key in cells)]
        for place, name in enumerate(("students", "methods"))
    )
    return cells, students, methods


def draw_panels(
    rows: Sequence[Row], panels: Sequence[tuple[str, str, str]], spec: Row, empty: str, png: str, pdf: str
) -> None:
    """Draw a panel of bars for each metric that a tidy table has, one below another.

    A panel is a metric, the label of its axis, and which way is better; ``empty`` is the text of the figure if the
    table has none of the metrics.
    """
    cells, students, methods = drawable(rows, spec)
    panels = [panel for panel in panels if any(metric == panel[0] for *_, metric in cells)]
    lines = max(len(panels), 1)
    figure, column = new_figure(COLUMN, 0.4 + 1.4 * lines, lines, 1)
    if not panels:
        draw_message(column[0][0], empty)
    for (axes,), panel in zip(column, panels, strict=False):
        draw_bars(axes, panel, cells, students, methods)
    if panels:
        draw_legend(figure, column[0][0], 2 if len(methods) > 3 else len(methods))
    save(figure, png, pdf)


def draw_legend(figure: Any, axes: Any, columns: int) -> None:
    """Draw a panel's legend above the figure."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=columns)


def wrap_label(label: str, room: float) -> str:
    """Return a label in lines that fit into ``room`` inches; a model's name breaks at its hyphens."""
    from textwrap import fill

    columns = max(int(room / 0.053), 1)  # inches of a letter of the tick labels' 6 points
    return fill(label.replace("-", "- "), columns, break_long_words=False).replace("- ", "-")


def draw_bars(axes: Any, panel: tuple[str, str, str], cells: Cells, students: Pairs, methods: Pairs) -> None:
    """Draw one metric (with the label of its axis, and which way is better) as bars by student and method."""
    metric, label, better = panel
    width = 0.8 / len(methods)
    for offset, (method, name) in enumerate(methods):
        found = [
            (place, cells[student, method, metric])
            for place, (student, _) in enumerate(students)
            if (student, method, metric) in cells
        ]
        bars = axes.bar(
            [place + (offset - (len(methods) - 1) / 2) * width for place, _ in found],
            [row["value"] for _, row in found],
            width * 0.94,
            yerr=[sum(sides, []) for sides in zip(*(error_bars(row) for _, row in found), strict=True)] or None,
            color=colour(method),
            error_kw=ERROR,
            label=name,
        )
        for patch in bars:
            if not patch.get_height():  # 0 is drawn as a line in the method's colour
                patch.set(edgecolor=colour(method), linewidth=1.2, clip_on=False, zorder=3)
    room = 0.8 * axes.figure.get_figwidth() / axes.get_gridspec().ncols / len(students)
    axes.set_xticks(range(len(students)), [wrap_label(label, room) for _, label in students])
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(bottom=0)
    axes.set_ylabel(label)
    axes.set_title(better, loc="right", fontsize=6, color="#4D4D4D")
