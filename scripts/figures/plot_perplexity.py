"""Figure 8: perplexity of each method's training set under the student before training (paper Sec. 5.5)."""

from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.reporting.figures import PAGE, draw_bars, draw_legend, drawable, new_figure, save
from thinksafe.reporting.tables import read_csv

PANELS = [
    ("perplexity", "Perplexity, whole set", "lower is closer ↓"),
    ("perplexity:harmful", "Perplexity, harmful half", "lower is closer ↓"),
]


def short(value: float) -> str:
    """Return a perplexity with three digits, or from 1000 on as a power of ten.

    >>> short(1.0567), short(505.8), short(182468.4)
    ('1.06', '506', '2e5')
    """
    return f"{value:.3g}" if value < 1000 else f"{value:.0e}".replace("e+0", "e").replace("e+", "e")


def plot_perplexity(table: str, spec: Row, png: str, pdf: str) -> None:
    """Draw bars by student and method on a logarithmic axis from 1, the lowest possible perplexity.

    ``spec`` has ``students`` and ``methods`` as pairs of id and label.
    """
    from matplotlib.container import BarContainer
    from matplotlib.ticker import LogLocator, NullFormatter

    cells, students, methods = drawable(read_csv(table), spec)
    figure, rows = new_figure(PAGE, 1.9 * len(PANELS), len(PANELS), 1)
    for (axes,), panel in zip(rows, PANELS, strict=True):
        draw_bars(axes, panel, cells, students, methods)
        axes.set_yscale("log")
        axes.set_ylim(bottom=1)
        axes.yaxis.set_major_formatter(lambda value, _: short(value))
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))  # with 8 and 9, labels would overlap
        axes.yaxis.set_minor_formatter((lambda value, _: short(value)) if axes.get_ylim()[1] < 200 else NullFormatter())
        for bars in axes.containers:
            if isinstance(bars, BarContainer):  # beside thousands, 1.04 and 1.09 are bars without height
                axes.bar_label(bars, fmt=short, rotation=90, padding=1.5, fontsize=5)
        axes.set_ylim(top=axes.get_ylim()[1] ** 1.3)  # room for the labels
    draw_legend(figure, rows[0][0], min(len(methods), 5))
    save(figure, png, pdf)


if __name__ == "__main__":
    start(snakemake, __file__)
