"""Figure 8: perplexity of each method's training set under the student before training (paper Sec. 5.5)."""

from thinksafe.files import Row
from thinksafe.reporting.figures import PAGE, draw_bars, new_figure, save
from thinksafe.reporting.tables import read_csv

PANELS = [
    ("perplexity", "Perplexity, whole set", "lower is closer ↓"),
    ("perplexity:harmful", "Perplexity, harmful half", "lower is closer ↓"),
]


def short(value: float) -> str:
    """Return a perplexity as three digits, the thousands as powers of ten.

    Examples
    --------
    >>> short(1.0567), short(505.8), short(182468.4)
    ('1.06', '506', '2e5')
    """
    return f"{value:.3g}" if value < 1000 else f"{value:.0e}".replace("e+0", "e").replace("e+", "e")


def plot_perplexity(table: str, spec: Row, png: str, pdf: str) -> None:
    """Draw bars by student and method on a logarithmic axis from 1, the least that a perplexity can be.

    Parameters
    ----------
    table : path
        ``figure8.csv``.
    spec : dict
        ``students`` and ``methods`` as pairs of id and label.
    """
    from matplotlib.container import BarContainer
    from matplotlib.ticker import LogLocator, NullFormatter

    cells = {(row["student"], row["method"], row["metric"]): row for row in read_csv(table) if row["value"] is not None}
    students = [pair for pair in spec["students"] if any(key[0] == pair[0] for key in cells)]
    methods = [pair for pair in spec["methods"] if any(key[1] == pair[0] for key in cells)]
    figure, rows = new_figure(PAGE, 1.9 * len(PANELS), len(PANELS), 1)
    for (axes,), panel in zip(rows, PANELS, strict=True):
        draw_bars(axes, panel, cells, students, methods)
        axes.set_yscale("log")
        axes.set_ylim(bottom=1)
        axes.yaxis.set_major_formatter(lambda value, _: short(value))
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))  # 8, 9 and 10 would stand on each other
        axes.yaxis.set_minor_formatter((lambda value, _: short(value)) if axes.get_ylim()[1] < 200 else NullFormatter())
        for bars in axes.containers:
            if isinstance(bars, BarContainer):  # beside a set of thousands, 1.04 and 1.09 are both no height
                axes.bar_label(bars, fmt=short, rotation=90, padding=1.5, fontsize=5)
        axes.set_ylim(top=axes.get_ylim()[1] ** 1.3)  # room for the numbers
    handles, labels = rows[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(methods), 5))
    save(figure, png, pdf)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
