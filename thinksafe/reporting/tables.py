"""Tidy tables in CSV, and the two layouts for reading: Markdown and LaTeX (booktabs)."""

import csv
import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from thinksafe.files import Row, atomic, write_text

SOUND = 80.0  # per cent of well-formed responses, or of known verdicts; with fewer, a number is doubtful
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "{": r"\{",
    "}": r"\}",
    "<": r"\textless{}",  # as letters, the usual font encoding has others in their places
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
ARROWS = {"lower": "↓", "higher": "↑", None: ""}
SYMBOLS = {
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "†": r"$^\dagger$",
    "–": "--",
    "µ": r"$\mu$",
    "…": r"\dots{}",
    "≤": r"$\leq$",
}


def write_csv(path: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Write rows with exactly these columns; numbers have up to six decimals, and None is an empty cell."""
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        text = f"{value:.6f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    return str(value)


def read_csv(path: str) -> list[Row]:
    """Return the rows of a tidy table, its numbers as int or float and its empty cells as None."""
    with open(path, encoding="utf-8", newline="") as handle:
        return [{name: _number(cell) for name, cell in row.items()} for row in csv.DictReader(handle)]


def _number(cell: str) -> Any:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            pass
    return cell or None


def by_cell(rows: Iterable[Row]) -> dict[tuple[str, str, str], Row]:
    """Return the rows of a tidy table by student, method and metric."""
    return {(row["student"], row["method"], row["metric"]): row for row in rows}


def format_value(value: float | None) -> str:
    """Return a number with two decimals, halves away from zero (71.725 is the paper's 71.73), or a dash for None."""
    return "–" if value is None else str(Decimal(f"{value:.6f}").quantize(Decimal("0.01"), ROUND_HALF_UP))


def ranks(values: Sequence[float | None], better: str | None) -> list[int | None]:
    """Return 1 for the best, 2 for the second best, None for the rest; what is equal in two decimals shares a rank.

    Without a better direction, or with fewer than two values, nothing has a rank.
    """
    shown = [None if value is None else float(format_value(value)) for value in values]
    levels = sorted({value for value in shown if value is not None}, reverse=better == "higher")
    if better is None or len(shown) - shown.count(None) < 2:
        return [None] * len(shown)
    return [levels.index(value) + 1 if value in levels[:2] else None for value in shown]


def emphasise(text: str, rank: int | None, form: str) -> str:
    """Return a cell with the best in bold and the second best underlined, in ``md`` or ``tex``."""
    marks = {("md", 1): "**{}**", ("md", 2): "<u>{}</u>", ("tex", 1): r"\textbf{{{}}}", ("tex", 2): r"\underline{{{}}}"}
    return marks.get((form, rank), "{}").format(text)


def latex(text: str) -> str:
    """Return text with LaTeX's special characters escaped and our symbols as commands."""
    return text.translate(str.maketrans(LATEX | SYMBOLS))


def plain(label: str) -> str:
    r"""Return a label with Markdown's special characters escaped.

    >>> plain("my_model <b> _x_")
    'my_model \\<b\\> \\_x\\_'
    """
    return re.sub(r"([\\`*<>\[\]~]|&(?=[\w#]+;)|(?<!\w)_|_(?!\w))", r"\\\1", label)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 2) -> str:
    """Return a Markdown table whose first ``left`` columns are left-aligned, and the others, numbers, right-aligned."""
    lines = [header, [":--" if place < left else "--:" for place in range(len(header))], *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def write_markdown(path: str, blocks: Sequence[str]) -> None:
    """Write tables, headings and notes with an empty line between them."""
    write_text(path, "\n".join(block.rstrip("\n") + "\n" for block in blocks))


def write_latex(
    path: str,
    header: Sequence[str],
    groups: Sequence[Sequence[Sequence[str]]],
    left: int = 2,
    columns: str | None = None,
) -> None:
    r"""Write a booktabs ``tabular`` with a rule between groups of rows; cells are LaTeX already, the header is not.

    ``columns`` is the column specification; without it, the first ``left`` columns are ``l`` and the others ``r``.
    """
    columns = columns or "l" * left + "r" * (len(header) - left)
    lines = [r"\begin{tabular}{" + columns + "}", r"\toprule"]
    lines.append(" & ".join(map(latex, header)) + r" \\")
    for group in groups:
        lines.append(r"\midrule")
        lines += [" & ".join(row) + r" \\" for row in group]
    write_text(path, "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n")
