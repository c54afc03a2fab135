r"""The strict score of a reasoning answer, beside SkyThought's (paper: none; docs/scoring.md says what each accepts).

It reads the answer after ``</think>`` only, where SkyThought reads the reasoning as well, and corrects SkyThought's
known faults: thousands separators, numbers read as percentages, kinds of brackets, and golds that SkyThought's
normaliser changes when it is applied a second time. Formulas are still compared by SkyThought's ``math_equal``, which
accepts decimals that agree to a ten-thousandth.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from thinksafe.evaluation.skythought import handler, math_equal
from thinksafe.models.responses import parts

SEPARATOR = r"(?:,|\{,\}|\\[,!:; ]|,\\!\s?)"  # between thousands
THOUSANDS = re.compile(rf"(?<=\d){SEPARATOR}(?=\d{{3}}(?!\d))")
# A number with such separators that is neither in a list of numbers nor in brackets.
GROUPED = re.compile(rf"(?<![\d,(\[{{.])\d{{1,3}}(?:{SEPARATOR}\d{{3}})+(?!\s*[\d,)\]}}])")
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
SPACE = re.compile(r"(?<!\\)\\[,!:; ]|\\(?:left|right)(?![a-z])|[\s$]+")
ENDS = {("(", ")"), ("(", "]"), ("[", ")"), ("[", "]")}


def score_strict(task: str, response: str, gold: str) -> dict[str, Any]:
    r"""Return ``{"extracted": str, "correct": bool}`` for the answer alone; no ``</think>``, or no answer, is wrong.

    Arguments are those of `thinksafe.evaluation.skythought.score`. gpqa takes the first letter inside the last
    ``\boxed{}`` and nothing else; gsm8k compares numbers as numbers.
    """
    readers = {"aime24": _math, "math500": _math, "gsm8k": _gsm8k, "gpqa": _gpqa}
    answer, extracted, correct = parts(response)[1], "", False
    if answer:
        extracted, correct = readers[task](answer.replace("\u2212", "-"), gold.replace("\u2212", "-"))
    return {"extracted": extracted, "correct": correct}


def last_box(text: str) -> str | None:
    r"""Return the content of the last ``\boxed{}``, braces balanced or open to the end; None if there is none."""
    _, found, rest = text.rpartition("boxed{")
    depth = 1
    for place, character in enumerate(rest):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return rest[:place]
    return rest if found else None


def _gpqa(answer: str, gold: str) -> tuple[str, bool]:
    box = last_box(answer) or ""
    alone = re.fullmatch(r"(?:\\text\{)?\W*([a-d])\W*", box)  # in small letters only by itself: "a" is also a word
    letters = re.findall(r"\b[A-D]\b", box) or ([alone[1].upper()] if alone else [])
    return (letters[0], letters[0] == gold) if letters else ("", False)


def _gsm8k(answer: str, gold: str) -> tuple[str, bool]:
    from skythought.evals.util.math_parsing_util import extract_answer

    judge = handler("gsm8k")
    found = judge.sanitize_answer(extract_answer(THOUSANDS.sub("", answer)))
    wanted = gold.rpartition("#### ")[2].replace(",", "").strip()
    one, other = number(found), number(wanted)
    return found, one is not None and one == other


def _math(answer: str, gold: str) -> tuple[str, bool]:
    from skythought.evals.util.math_parsing_util import extract_answer

    box = last_box(answer)
    found = extract_answer(answer) if box is None else box.strip()
    return found, bool(found) and same(found, gold)


def same(found: str, gold: str) -> bool:
    """Return whether two answers are equal as text, as numbers, or as formulas by SkyThought."""
    if SPACE.sub("", found) == SPACE.sub("", gold):
        return True
    one, other = (settled(GROUPED.sub(lambda match: THOUSANDS.sub("", match.group()), text)) for text in (found, gold))
    a, b = number(one), number(other)
    if a is not None and b is not None:
        # A percentage may be written as a fraction, if one of the two has the sign.
        fractions = (100 * a, a / 100) if "%" in found + gold else ()
        # A number with decimals may differ from the gold by a ten-thousandth of it, as in SkyThought.
        return b in (a, *fractions) or (b != b.to_integral_value() and abs(a - b) <= abs(b) / 10_000)
    brackets = [(text[:1], text[-1:]) for text in (one, other)]
    if ENDS.issuperset(brackets) and brackets[0] != brackets[1]:
        return False
    return math_equal(one, other)


def settled(text: str) -> str:
    """Return ``text`` after SkyThought's normaliser, applied until nothing changes.

    Its handler normalises the answer twice and the gold once, which does not always give the same.
    """
    from skythought.evals.util.math_parsing_util import strip_answer_string

    for _ in range(5):
        text, before = strip_answer_string(text), text
        if text == before:
            break
    return text


def number(text: str) -> Decimal | None:
    """Return a plain decimal number, None for anything else."""
    try:
        return Decimal(text.rstrip(".")) if NUMBER.fullmatch(text) else None
    except InvalidOperation:
        return None
