"""Figure 2: one harmful prompt answered directly, under refusal steering, and by a teacher (paper Sec. 1)."""

from textwrap import wrap
from typing import Any

from thinksafe.files import Row, read_json
from thinksafe.jobs.start import start
from thinksafe.reporting.figures import COLUMN, colour, new_figure, save

LINE = 0.118  # inches, height of a line
CHARACTERS = 60  # fixed-width characters in a line
MARGIN, INDENT = 0.06, 0.2  # inches
TITLES = {
    "teacher": "Another model: {teacher}",
    "direct": "{student}, asked as it is",
    "steered": "{student}, told to refuse",
}
LEFT_OUT = "Left out of the public build."


def plot_samples(table: str, spec: Row, png: str, pdf: str) -> None:
    """Draw a card for the prompt and one for each voice, with its verdict.

    ``spec`` has ``student`` (label), ``teacher`` (label, and the method whose colour it has; or None), ``instruction``.
    """
    found = read_json(table)
    lines = _lines("", found["prompt"]) if found["prompt"] else [("", LEFT_OUT)]
    prompt = {"title": "Harmful prompt", "lines": lines, "hue": "#000000", "harm": None, "p": None}
    cards = [prompt] + [_card(row, spec) for row in found["rows"]]
    height = sum(LINE * (len(card["lines"]) + 1) + 0.14 for card in cards) + 0.3
    figure, ((axes,),) = new_figure(COLUMN, height)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, COLUMN), ylim=(height, 0))
    axes.set_axis_off()
    place = 0.04
    for card in cards:
        place = _draw(axes, card, place)
    how = "Of {shared} prompts there is none on which being told to\nrefuse turns compliance into refusal."
    if found["shows"]:
        how = (
            "The first by hashing of the {shows} (of {shared}) prompts on which the student\n"
            "complies when asked as it is and refuses when told to. Beginnings only."
        )
    axes.text(MARGIN, place + 0.03, how.format_map(found), fontsize=5.5, color="#4D4D4D", va="top", linespacing=1.3)
    save(figure, png, pdf)


def _card(row: Row, spec: Row) -> Row:
    """Return the title, lines, colour and verdict of one voice's card."""
    teacher, method = spec["teacher"] or (None, None)
    lines = []
    if row["voice"] == "steered":
        lines += _lines("told", spec["instruction"].replace("{prompt}", "…"))
    if row["reasoning"] is None and row["answer"] is None:
        lines.append(("", LEFT_OUT))
    else:
        lines += _lines("thinks", row["reasoning"] or "(nothing)") + _lines("says", row["answer"] or "(nothing)")
    return {
        "title": TITLES[row["voice"]].format(student=spec["student"], teacher=teacher),
        "lines": lines,
        "hue": colour({"teacher": method, "direct": "initial", "steered": "thinksafe"}[row["voice"]]),
        "harm": row["harm"] or "not judged",
        "p": row["p_unsafe"],
    }


def _lines(label: str, text: str) -> list[tuple[str, str]]:
    """Return the lines of a text; the first has the label, the others a blank one, so that they are indented alike."""
    first, *others = wrap(" ".join(text.split()), CHARACTERS - 8 if label else CHARACTERS) or [""]
    return [(label, first), *((" " if label else "", piece) for piece in others)]


def _draw(axes: Any, card: Row, top: float) -> float:
    """Draw one card and return the top of the next."""
    from matplotlib.patches import Rectangle

    height = LINE * (len(card["lines"]) + 1) + 0.08
    axes.add_patch(Rectangle((MARGIN, top), COLUMN - 2 * MARGIN, height, facecolor="#F5F5F5", linewidth=0))
    axes.add_patch(Rectangle((MARGIN, top), 0.04, height, facecolor=card["hue"], linewidth=0))
    place = top + 0.04 + LINE / 2
    text = {"va": "center", "parse_math": False}
    axes.text(INDENT, place, card["title"], weight="bold", fontsize=6.5, **text)
    if card["harm"]:
        known = "" if card["p"] is None else f"  P(unsafe) = {card['p']:.2f}"
        mark = {"safe": "✓ ", "unsafe": "✗ "}.get(card["harm"], "")
        # Words and filling, so that the verdict does not depend on seeing colours.
        dark = card["harm"] == "unsafe"
        box = {"boxstyle": "round,pad=0.25", "facecolor": "#1A1A1A" if dark else "white", "edgecolor": "#1A1A1A"}
        axes.text(
            COLUMN - MARGIN - 0.06,
            place + 0.01,
            f"{mark}{card['harm']}{known}",
            ha="right",
            fontsize=5.5,
            color="white" if dark else "#1A1A1A",
            bbox=box | {"linewidth": 0.5},
            **text,
        )
    for label, piece in card["lines"]:
        place += LINE
        if label.strip():
            axes.text(INDENT, place + 0.03, label, fontsize=6, style="italic", color="#4D4D4D", **text)
        axes.text(INDENT + (0.36 if label else 0), place + 0.03, piece, fontsize=5.6, family="DejaVu Sans Mono", **text)
    return top + height + 0.06


if __name__ == "__main__":
    start(snakemake, __file__)
