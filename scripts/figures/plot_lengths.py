"""Figures 9 and 10: how long harmful and benign training responses are (paper App. A.2)."""

from collections.abc import Sequence
from typing import Any

from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.layout import TRAINING_SET, with_files
from thinksafe.reporting.figures import COLUMN, ROLES, draw_legend, new_figure, save
from thinksafe.reporting.lengths import lengths_by_role, without_longest
from thinksafe.reporting.tables import read_csv

BINS = 40
COLUMNS = 2  # of panels


def plot_lengths(datasets: Sequence[str], lengths: str, spec: Row, png: str, pdf: str) -> None:
    """Draw one panel per student, with N and mu of both halves; the longest 1 % of each half is not drawn.

    Replicates are drawn together. ``spec`` has ``cells`` (``student``, ``method``, ``replicate`` of each training set)
    and ``students`` as pairs of id and label.
    """
    sets = with_files(spec["cells"], datasets, TRAINING_SET)
    numbers = {(row["student"], row["metric"]): row["value"] for row in read_csv(lengths)}
    students = [pair for pair in spec["students"] if (pair[0], "N_h") in numbers]
    lines = -(-len(students) // COLUMNS)
    figure, grid = new_figure(COLUMN, 0.5 + 1.4 * lines, lines, min(len(students), COLUMNS))
    for axes in grid.flat[len(students) :]:
        axes.set_axis_off()
    for axes, (student, label) in zip(grid.flat, students, strict=False):
        found = [lengths_by_role(entry["path"]) for entry in sets if entry["student"] == student]
        pooled = {role: without_longest([length for one in found for length in one[role]]) for role in ROLES}
        _draw(axes, pooled, {metric: value for (name, metric), value in numbers.items() if name == student})
        axes.set_title(label, loc="left")
    figure.supylabel("Share of responses, %", fontsize=7)
    draw_legend(figure, grid[0][0], 2)
    figure.supxlabel("Length of response, tokens (longest 1 % not drawn)", fontsize=7)
    save(figure, png, pdf)


def _draw(axes: Any, lengths: dict[str, list[int]], numbers: dict[str, Any]) -> None:
    """Draw both halves of one student over the same bins, each as fractions of itself."""
    longest = max((max(found) for found in lengths.values() if found), default=1)
    width = -(-longest // BINS)  # a whole number of tokens, or bins would hold different numbers of short lengths
    edges = [width * step for step in range(longest // width + 2)]
    text = []
    for role, found in lengths.items():
        if found:
            weights = [100 / len(found)] * len(found)
            axes.hist(found, edges, weights=weights, color=ROLES[role], alpha=0.55, label=f"{role} prompts")
        letter = role[0]
        count, mean = numbers[f"N_{letter}"], numbers[f"mu_{letter}"]
        text.append(f"$N_{letter}$ = {count:,.0f}   $\\mu_{letter}$ = " + ("–" if mean is None else f"{mean:,.0f}"))
        if mean is not None and mean <= longest:
            axes.axvline(mean, color=ROLES[role], ymax=0.74, linewidth=0.8, linestyle="--")
    style = {"ha": "right", "va": "top", "fontsize": 5.5, "linespacing": 1.4, "parse_math": True}
    axes.text(0.98, 0.97, "\n".join(text), transform=axes.transAxes, **style)
    axes.set_xlim(0, edges[-1])
    axes.margins(y=0.38)


if __name__ == "__main__":
    start(snakemake, __file__)
