r"""Whether an answer is the gold, for the strict score: the shape first, then the formulas in it (docs/scoring.md).

An answer is read as one of few shapes (`Value`): a formula with its unit and percent sign, words, a list, tuple, set or
interval, a union, a matrix, an equation or an inequality, a number in a base, a time. Values are equal if their shapes
are, part by part, and formulas are equal if they have the same value wherever one looks. Formulas are read by
math-verify's grammar (`thinksafe.evaluation.latex`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from thinksafe.evaluation.latex import normalised, parse

SIGNS = {
    **{"\u2212": "-", "\u2013": "-", "×": r"\times ", "·": r"\cdot ", "π": r"\pi ", "∞": r"\infty ", "°": r"^\circ "},
    **{
        "≤": r"\le ",
        "≥": r"\ge ",
        "≠": r"\ne ",
        "∪": r"\cup ",
        "∈": r"\in ",
        "±": r"\pm ",
        "÷": "/",
        "∅": r"\emptyset ",
    },
}
SEPARATOR = r"(?:,\\!\s?|,|\{,\}|\\[,!:; ]|~)"  # between thousands
GROUPED = re.compile(rf"(?<![\d.,_^])\d{{1,3}}(?:{SEPARATOR}\d{{3}})+(?!\d)(?!{SEPARATOR}\d)")
FONT = r"\\(?:text|textbf|textit|textrm|textnormal|mathrm|mathbf|mathit|mathsf|operatorname\*?|mbox|bm|boldsymbol)"
WRAPPED = re.compile(rf"{FONT}\s*\{{([^{{}}]*)\}}")
REPLACED: list[tuple[str, str]] = [
    (r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])\s*", ""),
    (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
    (r"\\frac\s*(\d)\s+(\d)(?!\d)", r"\\frac{\1}{\2}"),
    (r"\\[dt]binom(?![a-zA-Z])", r"\\binom"),
    (r"\\le(?:q|qslant)(?![a-zA-Z])|\\leqq(?![a-zA-Z])", r"\\le "),
    (r"\\ge(?:q|qslant)(?![a-zA-Z])|\\geqq(?![a-zA-Z])", r"\\ge "),
    (r"\\neq(?![a-zA-Z])", r"\\ne "),
    (r"\\lt(?![a-zA-Z])", "<"),
    (r"\\gt(?![a-zA-Z])", ">"),
    (r"\\varnothing", r"\\emptyset "),
    (r"\\\{\s*\\\}", r"\\emptyset "),
    (r"\\colon(?![a-zA-Z])|\{:\}|\\!:\\!", ":"),
    (r"\\degree(?![a-zA-Z])", r"^\\circ "),
    (r"\\(?:displaystyle|textstyle|limits|qquad|quad)(?![a-zA-Z])", " "),
    (
        r"\\(?:mathbb|mathbf|mathrm|Bbb)\s*\{R\}|\\R(?![a-zA-Z])|\\text\s*\{\s*all real numbers\s*\}",
        r"(-\\infty,\\infty)",
    ),
    (rf"{FONT}\s*\{{\\?\$\}}|\\?\$", ""),
    (r"(?<!\\)\\[!]|~", ""),
    (r"(?<!\\)\\[,:; ]", " "),
]
NUMERALS = "zero one two three four five six seven eight nine ten eleven twelve".split()
NUMERALS += "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
# Units written in several ways; a power of a unit is behind it.
UNITS = (
    "cm centimeter centimetre;m meter metre;km kilometer kilometre;mm millimeter;in inch inche;ft foot feet;yd yard;"
)
UNITS += "mi mile;s sec second;min minute;h hr hour;dollar usd;cent ¢;degree deg;g gram;kg kilogram;unit;lb pound"
SAME_UNIT = {name: group.split()[0] for group in UNITS.split(";") for name in group.split()}
NAME = r"(?:\\?[A-Za-z]+|\\text\{[^{}]*\})(?:_\{?\w+\}?)?(?:\^\{?-1\}?)?(?:\([^()=]*\))?"
NAMES = re.compile(rf"\(?{NAME}(?:[+,]{NAME})*\)?")
AND = r"\\text\{\s*,?\s*(?:and|or)\s*,?\s*\}|(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])"
ORDER = {"<": (1, True), r"\le": (1, False), ">": (-1, True), r"\ge": (-1, False)}


@dataclass(frozen=True)
class Value:
    """What an answer is read as: its shape, its parts, and what else the shape has.

    ``note`` is the two brackets of a list, the rest of a formula (`Formula`), the half of the day of a time, the base
    of a number, the variable and signs of an inequality.
    """

    shape: str
    parts: tuple[Any, ...]
    note: Any = None


@dataclass(frozen=True)
class Formula:
    """What stands at a formula: percent sign, unit, and the digits after the point of a plain decimal number."""

    percent: bool = False
    unit: str = ""
    decimals: int | None = None
    digits: int = 0


def same(found: str, gold: str) -> bool:
    """Return whether the answer ``found`` is the ``gold``."""
    one, other = tidy(found), tidy(gold)
    if not one or not other:
        return False
    if squeezed(one) == squeezed(other):
        return True
    if (verdict := same_words(one, other)) is not None:
        return verdict
    for reading in (ungrouped(one), one):  # `1,234` is a number, or else two
        try:
            if equal(read(reading), read(ungrouped(other))):
                return True
        except (ValueError, TypeError, ArithmeticError, AttributeError, RecursionError):
            pass  # not of a shape that is known, and not the gold's text either
    return False


# ------------------------------------------------------------------------------------------------ text
def tidy(text: str) -> str:
    """Return the text in one spelling of signs, sizes, fonts and blanks."""
    for sign, written in SIGNS.items():
        text = text.replace(sign, written)
    text = GROUPED.sub(lambda match: re.sub(SEPARATOR, ",", match.group()), text)
    for pattern, replacement in REPLACED:
        text = re.sub(pattern, replacement, text)
    text = re.sub(rf"{FONT}\s*\{{", r"\\text{", text)
    text = re.sub(r"\\text\{\s*([\d.,:/ -]+|i)\s*\}", r"\1", text)
    text = re.sub(r"^\s*\\text\{\s*(?:the )?(?:final )?answer\s*(?:is)?:?\s*\}\s*:?", "", text, flags=re.IGNORECASE)
    return unwrapped(re.sub(r"\s+", " ", text).strip().rstrip(".").strip())


def unwrapped(text: str) -> str:
    """Return the text without braces or a box around all of it."""
    while (match := re.fullmatch(r"(?:\\boxed)?\s*\{(.*)\}", text, re.DOTALL)) and closes(text, text.index("{")):
        text = match[1].strip()
    return text


def closes(text: str, start: int) -> bool:
    """Return whether the bracket at ``start`` is closed by the last character."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] in "([{") - (text[place] in ")]}")
        if depth == 0:
            return place == len(text) - 1
    return False


def squeezed(text: str) -> str:
    """Return the text without blanks, but for those between digits."""
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", text)


def ungrouped(text: str) -> str:
    """Return the text with ``1,234`` read as one number, where it is not in brackets."""
    return "".join(
        GROUPED.sub(lambda match: match.group().replace(",", ""), piece) if depth == 0 else piece
        for piece, depth in pieces(text)
    )


def pieces(text: str) -> list[tuple[str, int]]:
    """Return the text in pieces of one depth of round, square and escaped brackets."""
    found: list[tuple[str, int]] = []
    depth, start = 0, 0
    for place, character in enumerate(text):
        change = (character in "([{") - (character in ")]}")
        if change > 0 and depth == 0:
            found.append((text[start:place], 0))
            start = place
        depth += change
        if change < 0 and depth == 0:
            found.append((text[start : place + 1], 1))
            start = place + 1
    return [*found, (text[start:], depth)]


def split(text: str, separator: str) -> tuple[list[str], list[str]]:
    """Return the parts of a text between separators that are in no bracket, and the separators."""
    parts, marks, start, depth, place = [], [], 0, 0, 0
    pattern = re.compile(separator)
    while place < len(text):
        if depth == 0 and (match := pattern.match(text, place)) and match.group():
            parts.append(text[start:place].strip())
            marks.append(match.group())
            place = start = match.end()
            continue
        depth += (text[place] in "([{") - (text[place] in ")]}")
        place += 1
    return [*parts, text[start:].strip()], marks


def same_words(found: str, gold: str) -> bool | None:
    """Return whether two answers in words, option letters or times of the day are equal; None if the gold is none."""
    one, other = (WRAPPED.sub(r"\1", text).replace("\\", " ") for text in (found, gold))
    if re.fullmatch(r"\s*\(?[A-J]\)?\s*", other):  # an option's letter
        letter = re.fullmatch(r"\s*(?:option\s*)?\(?([A-Ja-j])(?:\)|\.|:)?\s*", one)
        return bool(letter) and letter[1].upper() == other.strip(" ()")
    clock = r"\s*(\d{1,2}):(\d\d)\s*(?:([ap])\.?\s*m\.?)?\s*"
    if right := re.fullmatch(clock, other, re.IGNORECASE):
        given = re.fullmatch(clock, one, re.IGNORECASE)
        if given is None:
            return False
        halves = {half.lower() for half in (given[3], right[3]) if half}
        return (int(given[1]), given[2]) == (int(right[1]), right[2]) and len(halves) < 2
    words = words_of(other)
    if words in NUMERALS or not re.search(r"[a-z]{3}", words):
        return None
    if r"\text" not in gold and not re.fullmatch(r"[A-Za-z]{4,}", gold):
        return None
    if re.search(r"\d|[=^_{}]", WRAPPED.sub("", gold)):  # a number with a unit
        return None
    return words_of(one) == words


def words_of(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s'-]", " ", text).casefold().split())


# ------------------------------------------------------------------------------------------------ shapes
def read(text: str) -> Value:
    """Return what a tidy text says; ValueError if it is of no shape known."""
    text = unwrapped(text.strip())
    text = re.sub(rf"^{NAME}\s*\\in(?![a-zA-Z])\s*", "", text)
    if match := re.fullmatch(r"(\w+?)_(?:\{?(\d+)\}?|\{?\\text\{(\w+)\}\}?)", text):
        base = match[2] or (str(NUMERALS.index(match[3])) if match[3] in NUMERALS else match[3])
        if match[1][0].isdigit():
            return Value("base", (match[1].upper(),), base)
    parts, _ = split(text, r"\\cup(?![a-zA-Z])")
    if len(parts) > 1:
        return Value("union", tuple(map(read, parts)))
    parts, _ = split(text, rf"(?:,\s*(?:{AND}))|{AND}|[,;]")
    if len(parts) > 1:
        return listed(parts, ("", ""))
    if matrix := read_matrix(text):
        return matrix
    parts, marks = split(text, r"<|>|\\le(?![a-zA-Z])|\\ge(?![a-zA-Z])")
    if marks:
        return read_inequality(parts, marks)
    parts, marks = split(text, r"(?<![<>!:])=")
    if marks:
        return read_equation(parts)
    if inside := bracketed(text):
        left, content, right = inside
        inner, _ = split(content, r"[,;]")
        if len(inner) > 1 or (left, right) == ("{", "}"):
            return listed(inner, (left, right))
        if (left, right) in (("(", ")"), ("[", "]")) and content:
            return read(content)
    signs = re.findall(r"\\[pm][mp](?![a-zA-Z])", text)
    if len(signs) == 1 and signs[0] in (r"\pm", r"\mp"):
        return listed([text.replace(signs[0], sign) for sign in "+-"], ("", ""))
    if squeezed(text) == r"\emptyset":
        return Value("empty", ())
    return read_formula(re.split(r"\\approx|\\simeq", text)[0] or text)


def bracketed(text: str) -> tuple[str, str, str] | None:
    """Return opening, content and closing of a text that is in brackets as a whole."""
    plain = text.replace("\\{", "{").replace("\\}", "}").replace("\\lbrace", "{").replace("\\rbrace", "}")
    if plain and plain[0] in "([{" and plain[-1] in ")]}" and closes(plain, 0):
        return plain[0], plain[1:-1].strip(), plain[-1]
    return None


def listed(parts: Sequence[str], brackets: tuple[str, str]) -> Value:
    """Return a list; a name before a value, as in ``x = 1, x = 2``, is left out, and ``1 \\pm 2`` is two values."""
    values: list[Value] = []
    for part in filter(None, parts):
        value = read(part)
        if value.shape == "equation" and value.note:
            value = value.parts[1]
        values.extend(value.parts if value.shape == "list" and value.note == ("", "") else [value])
    if not values:
        raise ValueError("an empty list")
    return Value("list", tuple(values), brackets)


def read_matrix(text: str) -> Value | None:
    """Return a matrix, with a number before it multiplied into it."""
    kinds = r"(?:[pb]?matrix|array)"
    pattern = rf"(.*?)[(\[]?\s*\\begin\{{{kinds}\}}(?:\{{[clr|]+\}})?(.*)\\end\{{{kinds}\}}\s*[)\]]?"
    if not (match := re.fullmatch(pattern, text, re.DOTALL)):
        return None
    before = match[1].strip().rstrip("=").strip()
    named = match[1].strip().endswith("=")
    factor = "" if named or not before else before
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", match[2]) if row.strip()]
    cells = [[cell.strip() for cell in row.split("&")] for row in rows]
    written = [tuple(read(f"({factor})({cell})" if factor else cell) for cell in row) for row in cells]
    return Value("matrix", tuple(written))


def read_inequality(parts: Sequence[str], marks: Sequence[str]) -> Value:
    """Return an interval where a name is bounded by numbers, else the relation of two formulas."""
    directions = [ORDER[mark.strip()] for mark in marks]
    if len({sign for sign, _ in directions}) > 1:
        raise ValueError("an inequality in two directions")
    if directions[0][0] < 0:
        parts, directions = parts[::-1], directions[::-1]
    ends = [is_open for _, is_open in directions]
    if len(parts) == 3 and re.fullmatch(NAME, parts[1]):
        low, name, high = parts
        return Value("list", (read(low), read(high)), ("(["[not ends[0]], ")]"[not ends[1]], name))
    if len(parts) == 2 and re.fullmatch(NAME, parts[0]) and not re.search(r"[a-z]", tidy_commands(parts[1])):
        return Value("list", (read(r"-\infty"), read(parts[1])), ("(", ")]"[not ends[0]], parts[0]))
    if len(parts) == 2 and re.fullmatch(NAME, parts[1]) and not re.search(r"[a-z]", tidy_commands(parts[0])):
        return Value("list", (read(parts[0]), read(r"\infty")), ("(["[not ends[0]], ")", parts[1]))
    if len(parts) == 2:
        return Value("relation", (parse(parts[0]) - parse(parts[1]),), ends[0])
    raise ValueError("an inequality of many parts")


def tidy_commands(text: str) -> str:
    return re.sub(r"\\[a-zA-Z]+", "", text)


def read_equation(parts: Sequence[str]) -> Value:
    """Return the value of a chain of equal formulas, or an equation; ``note`` says that its left side is a name."""
    first, last = parts[0], parts[-1]
    if re.fullmatch(NAMES, squeezed(first)):
        return Value("equation", (squeezed(first), read(last)), True)
    if len(parts) == 2 and re.fullmatch(NAME, squeezed(last)):
        return Value("equation", (squeezed(last), read(first)), True)
    values = [read(part) for part in parts]
    if all(value.shape == "formula" for value in values):
        if all(equal(value, values[-1]) for value in values):
            return values[-1]
        if len(values) == 2:
            return Value("equation", tuple(values), False)
    raise ValueError("an equation of no kind known")


def read_formula(text: str) -> Value:
    """Return a formula, with its unit and percent sign taken off."""
    percent, unit = False, ""
    if match := re.fullmatch(r"(.*?)\s*\^\s*\{?\s*\\circ\s*\}?", text):
        text, unit = match[1], "degree"
    elif match := re.fullmatch(r"(.*?)\s*(?:\\?%|\\text\{\s*percent\s*\}|percent)", text):
        text, percent = match[1], True
    elif match := re.fullmatch(r"(.*\S)\s*\\text\{([^{}]*)\}\s*(?:\^\s*\{?(\d)\}?)?", text):
        text, unit = match[1], unit_of(match[2], match[3])
    elif match := re.fullmatch(r"(-?[\d.,]+)\s*([a-zA-Z]{2,}(?: [a-zA-Z]+)*)\s*(?:\^\s*\{?(\d)\}?)?", text):
        text, unit = match[1], unit_of(match[2], match[3])
    text = unwrapped(text.strip())
    if text.strip().casefold() in NUMERALS or (match := re.fullmatch(r"\\text\{\s*(\w+)\s*\}", text)):
        word = text.strip().casefold() if not text.startswith("\\") else match[1].casefold()
        if word in NUMERALS:
            return Value("formula", (exact(str(NUMERALS.index(word))),), Formula(percent, unit))
    if match := re.fullmatch(r"([-+]?)\s*(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d{1,3}))?", text):
        if match[2] or match[3]:
            digits = (match[2] + (match[3] or "")).lstrip("0")
            value = exact(squeezed(text).rstrip(".") if not text.endswith(".") else text)
            decimals = len(match[3]) if match[3] and not match[4] else None
            return Value("formula", (value,), Formula(percent, unit, decimals, len(digits)))
    if match := re.fullmatch(r"(-?)\s*(\d+)\s*(?:\\frac\s*\{?(\d+)\}?\s*\{?(\d+)\}?|\s(\d+)\s*/\s*(\d+))", text):
        _, whole, *halves = match.groups()
        top, bottom = halves[:2] if halves[0] else halves[2:]
        if not halves[0] or re.search(r"\\frac\s*(?:\{\d+\}|\d)\s*(?:\{\d+\}|\d)$", text):
            short = re.search(r"\\frac\s*(\d)(\d)$", text)
            top, bottom = short.groups() if short else (top, bottom)
            value = Fraction(int(whole)) + Fraction(int(top), int(bottom))
            return Value("formula", (exact(str(-value if match[1] else value)),), Formula(percent, unit))
    if match := re.fullmatch(r"(-?)(\d*)\.(\d*)\\overline\s*\{?(\d+)\}?", text):
        sign, whole, fixed, period = match.groups()
        value = Fraction(int(period), 10 ** len(fixed) * (10 ** len(period) - 1))
        value += Fraction(f"{whole or 0}.{fixed or 0}")
        return Value("formula", (exact(str(-value if sign else value)),), Formula(percent, unit))
    text = re.sub(r"(\d)\s*:\s*(\d)", r"\1/\2", text)
    plain = re.sub(r"\\log\s*_\s*(?:\{[^{}]*\}|\w)|[a-zA-Z]_", r"\\log ", text)
    if re.search(r"\d\s+\.?\d", plain) or "_" in plain:
        raise ValueError("two numbers beside each other")
    return Value("formula", (parse(normalised(text)),), Formula(percent, unit))


def exact(number: str) -> Any:
    from sympy import Rational

    return Rational(number)


def unit_of(text: str, power: str | None) -> str:
    """Return a unit in one spelling: ``square inches`` is ``in^2``."""
    words = words_of(text).split()
    if words[:1] in (["square"], ["sq"], ["cubic"], ["cu"]):
        power = "3" if words[0].startswith("cu") else "2"
        words = words[1:]
    name = " ".join(
        SAME_UNIT.get(word, SAME_UNIT.get(word.removesuffix("s"), word.removesuffix("s"))) for word in words
    )
    return f"{name}^{power}" if power and name else name


# ------------------------------------------------------------------------------------------------ equal
def equal(found: Value, gold: Value) -> bool:
    """Return whether two values are equal."""
    if gold.shape == "equation" or found.shape == "equation":
        return equal_equations(found, gold)
    found, gold = (only(value) for value in (found, gold))
    if {found.shape, gold.shape} == {"base", "formula"}:  # the base may be left out
        based, plain = (found, gold) if found.shape == "base" else (gold, found)
        return based is gold and str(plain.parts[0]) == based.parts[0]
    if gold.shape == "union" and found.shape == "list" and found.note[0] == "":
        found = Value("union", found.parts)
    if found.shape != gold.shape:
        return False
    if gold.shape == "formula":
        return equal_formulas(found, gold)
    if gold.shape == "base":
        return (found.parts, found.note) == (gold.parts, gold.note)
    if gold.shape == "relation":
        return found.note == gold.note and factor_between(found.parts[0], gold.parts[0], lambda factor: factor > 0)
    if len(found.parts) != len(gold.parts):
        return False
    if gold.shape == "matrix":
        rows = zip(found.parts, gold.parts, strict=True)
        return all(len(one) == len(other) and in_order(one, other) for one, other in rows)
    if gold.shape == "union":
        return in_any_order(found.parts, gold.parts)
    free = ({("", ""), ("{", "}")}, {("", ""), ("{", "}")})
    if found.note[:2] in free[0] and gold.note[:2] in free[1]:
        return in_any_order(found.parts, gold.parts)
    names = {name.strip() for value in (found, gold) for name in value.note[2:]}
    if len(names) > 1:
        return False
    # A tuple may be given without its brackets.
    bare = found.note == ("", "") and gold.note == ("(", ")")
    return (bare or found.note[:2] == gold.note[:2]) and in_order(found.parts, gold.parts)


def only(value: Value) -> Value:
    """Return the one member of a set for the set."""
    if value.shape == "list" and value.note[:2] in (("{", "}"), ("", "")) and len(value.parts) == 1:
        return value.parts[0]
    return value


def in_order(found: Sequence[Value], gold: Sequence[Value]) -> bool:
    return all(equal(one, other) for one, other in zip(found, gold, strict=True))


def in_any_order(found: Sequence[Value], gold: Sequence[Value]) -> bool:
    """Return whether each part of the one is a part of the other, each used once."""
    left = list(found)
    for part in gold:
        match = next((place for place, candidate in enumerate(left) if equal(candidate, part)), None)
        if match is None:
            return False
        del left[match]
    return True


def equal_equations(found: Value, gold: Value) -> bool:
    """Return whether two equations, or an equation ``name = value`` and a value, say the same."""
    if found.shape == gold.shape:
        if found.note and gold.note:
            names = {found.parts[0], gold.parts[0]}
            function = any("(" in name for name in names) and names & {"y"}
            if (len(names) == 1 or function) and equal(found.parts[1], gold.parts[1]):
                return True
        return factor_between(*map(difference, (found, gold)), lambda factor: True)
    equation, other = (found, gold) if found.shape == "equation" else (gold, found)
    return bool(equation.note) and (
        equal(equation.parts[1], other) if equation is found else equal(other, equation.parts[1])
    )


def difference(equation: Value) -> Any:
    left, right = equation.parts
    left = parse(normalised(left)) if equation.note else left.parts[0]
    return left - right.parts[0]


def equal_formulas(found: Value, gold: Value) -> bool:
    """Return whether two formulas are equal, units, percent signs and rounding considered."""
    (one, given), (other, wanted) = ((value.parts[0], value.note) for value in (found, gold))
    if given.unit and wanted.unit and given.unit != wanted.unit:
        return False
    if given.percent and wanted.unit or (given.unit and wanted.percent):
        return False
    if given.percent == wanted.percent:
        return alike(one, other) or rounded(one, given, other, wanted)
    # One of the two has a percent sign. As a fraction of one it counts where the other cannot be a percentage itself.
    if given.percent:
        return alike(one if is_whole(other) else one / 100, other)
    return alike(one, other) or alike(100 * one, other)


def rounded(one: Any, given: Formula, other: Any, wanted: Formula) -> bool:
    """Return whether one is the other, rounded or cut off to a decimal number of at least four digits."""
    if is_whole(other) or one.free_symbols or other.free_symbols:
        return False
    if given.decimals and given.digits >= 4 and wanted.decimals is None:
        return bool(abs(one - other) < exact(f"1e-{given.decimals}"))
    if wanted.decimals and wanted.digits >= 4 and given.decimals is None:
        return bool(2 * abs(one - other) <= exact(f"1e-{wanted.decimals}"))
    return False


def is_whole(value: Any) -> bool:
    return bool(value.is_Integer) or (
        not value.free_symbols and bool(value.equals(round(value)) if value.is_real else False)
    )


def alike(one: Any, other: Any) -> bool:
    """Return whether two formulas have the same value, at some points of their variables."""
    return one == other or at_points(one, other, lambda a, b: abs(a - b) <= 1e-20 * max(1, abs(b)))


def factor_between(one: Any, other: Any, fits: Callable[[Any], bool]) -> bool:
    """Return whether one formula is the other times a number that is not zero and ``fits``."""
    factors: list[Any] = []

    def same_factor(a: Any, b: Any) -> bool:
        if abs(b) < 1e-25 or abs(a) < 1e-25:
            return False
        factors.append(a / b)
        return abs(factors[-1] - factors[0]) <= 1e-20 * abs(factors[0])

    return at_points(one, other, same_factor) and not abs(complex(factors[0]).imag) and fits(complex(factors[0]).real)


def at_points(one: Any, other: Any, agree: Callable[[Any, Any], bool]) -> bool:
    """Return whether two formulas agree at each of a few points where both have a value."""
    from sympy import Rational

    names = sorted(one.free_symbols | other.free_symbols, key=str)
    met = 0
    for start in (Rational(7, 10), Rational(19, 9), Rational(-13, 8), Rational(5, 17)) if names else (0,):
        point = {name: start + Rational(place * place + 3 * place, 11) for place, name in enumerate(names)}
        a, b = (formula.subs(point).doit().evalf(40, maxn=400) for formula in (one, other))
        if not (a.is_number and b.is_number and a.is_finite and b.is_finite):
            continue
        met += 1
        if not agree(a, b):
            return False
    return met >= (2 if names else 1)
