"""How every figure looks: one colour per method, sizes of a paper's column, the same bytes each time."""

from __future__ import annotations

from typing import Any

COLUMN = 3.3  # inches, one column of the paper
PAGE = 6.75  # inches, both columns

# Okabe and Ito (2008) and Tol's muted scheme, but for what colour-blind readers would take for another method of the
# same figure (tests/figures/test_figures.py). A method has its colour in every figure.
COLOURS = {
    "initial": "#4D4D4D",
    "thinksafe": "#D55E00",
    "rejection": "#0072B2",
    "directrefusal": "#E69F00",
    "safechain": "#56B4E9",
    "star1": "#009E73",
    "safepath": "#692D00",  # Okabe and Ito's yellow is not seen on white, and darkened it is DirectRefusal's orange
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
    "text.parse_math": False,  # a label of the config is no formula
    "svg.hashsalt": "thinksafe",
    "figure.constrained_layout.use": True,
}


def colour(method: str) -> str:
    """Return the colour that a method has in every figure."""
    return COLOURS.get(method, OTHER)


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """Return a figure in the house style and its axes as an array of (rows, columns)."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams.update(matplotlib.rcParamsDefault | {"backend": "agg"} | STYLE)
    from matplotlib import pyplot

    return pyplot.subplots(rows, columns, figsize=(width, height), squeeze=False, **options)


def save(figure: Any, output_png: str, output_pdf: str) -> None:
    """Write a figure as PNG (300 dpi) and PDF with no date and no version in them, and close it."""
    from matplotlib import pyplot

    from thinksafe.files import atomic

    with atomic(output_png) as temporary:
        figure.savefig(temporary, format="png", dpi=300, metadata={"Software": None})
    with atomic(output_pdf) as temporary:
        figure.savefig(temporary, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    pyplot.close(figure)


def say_nothing_to_draw(axes: Any, why: str) -> None:
    """Say in an empty panel why it is empty."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, why, ha="center", va="center", wrap=True, transform=axes.transAxes)


def error_bars(row: dict[str, Any]) -> tuple[float, float]:
    """Return how far a row's interval reaches below and above its value; nan, which draws nothing, where it has none.

    One measurement, as of hours, is written with bounds that are the number itself: that is no interval.
    """
    if row["low"] is None or row["high"] is None or row["low"] == row["high"]:
        return float("nan"), float("nan")
    return max(row["value"] - row["low"], 0.0), max(row["high"] - row["value"], 0.0)


def draw_panels(
    rows: list[dict[str, Any]],
    panels: list[tuple[str, str, str]],
    spec: dict[str, Any],
    empty: str,
    png: str,
    pdf: str,
) -> None:
    """Draw a panel of bars for each metric that a tidy table has, one below another.

    Parameters
    ----------
    panels : metric, label of the axis, and which way is better
    spec : ``students`` and ``methods`` as pairs of id and label
    empty : what the figure says when the table has none of the metrics
    """
    cells = {(row["student"], row["method"], row["metric"]): row for row in rows if row["value"] is not None}
    panels = [panel for panel in panels if any(metric == panel[0] for *_, metric in cells)]
    students = [pair for pair in spec["students"] if any(key[0] == pair[0] for key in cells)]
    methods = [pair for pair in spec["methods"] if any(key[1] == pair[0] for key in cells)]
    lines = max(len(panels), 1)
    figure, column = new_figure(COLUMN, 0.4 + 1.4 * lines, lines, 1)
    if not panels:
        say_nothing_to_draw(column[0][0], empty)
    for (axes,), panel in zip(column, panels, strict=False):
        draw_bars(axes, panel, cells, students, methods)
    if panels:
        handles, labels = column[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2 if len(methods) > 3 else len(methods))
    save(figure, png, pdf)


def broken(label: str, room: float) -> str:
    """Return a label in as many lines as it takes to fit into ``room`` inches; a model's name breaks at its hyphens."""
    from textwrap import fill

    letter = 0.053  # inches, of the tick labels' 6 points
    return fill(label.replace("-", "- "), max(int(room / letter), 1), break_long_words=False).replace("- ", "-")


def draw_bars(
    axes: Any,
    panel: tuple[str, str, str],
    cells: dict[tuple[str, str, str], dict[str, Any]],
    students: list,
    methods: list,
) -> None:
    """Draw one metric as bars by student and method, with intervals where the rows have them.

    Parameters
    ----------
    panel : its metric, the label of its axis, and which way is better
    cells : rows of a tidy table by student, method and metric
    students, methods : pairs of id and label
    """
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
            yerr=list(zip(*(error_bars(row) for _, row in found), strict=True)) if found else None,
            color=colour(method),
            error_kw={"elinewidth": 0.6, "capsize": 1.5, "capthick": 0.6},
            label=name,
        )
        for patch in bars:
            if not patch.get_height():  # 0 is a line of the method's colour, and not nothing
                patch.set(edgecolor=colour(method), linewidth=1.2, clip_on=False, zorder=3)
    room = 0.8 * axes.figure.get_figwidth() / axes.get_gridspec().ncols / len(students)
    axes.set_xticks(range(len(students)), [broken(label, room) for _, label in students])
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(bottom=0)
    axes.set_ylabel(label)
    axes.set_title(better, loc="right", fontsize=6, color="#4D4D4D")
