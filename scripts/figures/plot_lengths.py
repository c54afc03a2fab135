"""Figures 9 and 10: how long harmful and benign training responses are (paper App. A.2)."""

from collections.abc import Sequence
from typing import Any

from thinksafe.files import Row
from thinksafe.layout import TRAINING_SET, with_files
from thinksafe.reporting.figures import COLUMN, ROLES, new_figure, save
from thinksafe.reporting.lengths import drawn, lengths_by_role
from thinksafe.reporting.tables import read_csv

BINS = 40
COLUMNS = 2  # of panels


def plot_lengths(datasets: Sequence[str], lengths: str, spec: Row, png: str, pdf: str) -> None:
    """Draw one panel per student, with N and mu of both halves; the longest 1 % of each half is not drawn.

    Parameters
    ----------
    datasets : paths of the training sets; replicates are drawn together
    lengths : path
        What `scripts.tables.write_lengths.write_lengths` wrote, for N and mu.
    spec : dict
        ``cells`` (``student``, ``method``, ``replicate`` of each training set), ``students`` as pairs of id and label.
    """
    sets = with_files(spec["cells"], datasets, TRAINING_SET)
    numbers = {(row["student"], row["metric"]): row["value"] for row in read_csv(lengths)}
    students = [pair for pair in spec["students"] if (pair[0], "N_h") in numbers]
    lines = -(-len(students) // COLUMNS)
    figure, grid = new_figure(COLUMN, 0.5 + 1.4 * lines, lines, min(len(students), COLUMNS))
    for axes in grid.flat[len(students) :]:
        axes.set_axis_off()
    for axes, (student, label) in zip(grid.flat, students, strict=False):
        pooled: dict[str, list[int]] = {role: [] for role in ROLES}
        for entry in sets:
            if entry["student"] == student:
                for role, found in lengths_by_role(entry["path"]).items():
                    pooled[role] += found
        _draw(axes, pooled, numbers, student)
        axes.set_title(label, loc="left")
    figure.supylabel("Share of responses, %", fontsize=7)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    figure.supxlabel("Length of response, tokens (longest 1 % not drawn)", fontsize=7)
    save(figure, png, pdf)


def _draw(axes: Any, pooled: dict[str, list[int]], numbers: dict[tuple[str, str], Any], student: str) -> None:
    """Draw both halves of one student over the same bins, each as shares of itself."""
    shown = {role: drawn(found) for role, found in pooled.items()}
    longest = max((max(found) for found in shown.values() if found), default=1)
    width = -(-longest // BINS)  # whole tokens, or short lengths would fall unevenly into the bins
    edges = [width * step for step in range(longest // width + 2)]
    text = []
    for role, letter in (("harmful", "h"), ("benign", "b")):
        if shown[role]:
            weights = [100 / len(shown[role])] * len(shown[role])
            axes.hist(shown[role], edges, weights=weights, color=ROLES[role], alpha=0.55, label=f"{role} prompts")
        count, mean = numbers[student, f"N_{letter}"], numbers[student, f"mu_{letter}"]
        text.append(f"$N_{letter}$ = {count:,.0f}   $\\mu_{letter}$ = " + ("–" if mean is None else f"{mean:,.0f}"))
        if mean is not None and mean <= longest:
            axes.axvline(mean, color=ROLES[role], ymax=0.74, linewidth=0.8, linestyle="--")
    axes.text(
        0.98,
        0.97,
        "\n".join(text),
        ha="right",
        va="top",
        fontsize=5.5,
        linespacing=1.4,
        transform=axes.transAxes,
        parse_math=True,
    )
    axes.set_xlim(0, edges[-1])
    axes.margins(y=0.38)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
