r"""Gold answers in the form that each task compares; an error for one that nothing can match (docs/scoring.md)."""

import re

NUMBER = r"[-+]?\$?\s?(?:\d+(?:,\d{3})*)?(?:\.\d+)?"
UNIT = r"\s*%?\s*(?:\([^()]*\)|[A-Za-z][A-Za-z ]*)?\.?"


def comparable(gold: object, task: str, name: str) -> str:
    r"""Return a gold answer as ``task`` compares it; ValueError, with what to do, if no answer could be equal to it.

    gsm8k: a number as people write it, alone, after ``####`` or with a unit: ``$1,450`` is ``1450``, ``145.0`` is
    ``145``, ``9 (pears)`` is ``9``. gpqa: the letter of one of four options, ``(B)`` and ``b`` too. Others: anything
    but a whole solution, which has a ``\boxed{}`` in it, kept as it is.
    """
    text = "" if gold is None else str(gold).strip()
    if not text:
        raise ValueError(f"{name}: there is no answer; leave the row out of the source")
    if task == "gsm8k":
        text = text.rpartition("####")[2].strip()
        match = re.fullmatch(rf"({NUMBER}){UNIT}", text)
        if not match or not re.search(r"\d", match[1]):
            raise ValueError(
                f"{name}: the answer {_short(text)} is no number, and the task gsm8k compares nothing else; map "
                "`answer` to a column with the number, leave the row out of the source, or set `task: math500`"
            )
        number = re.sub(r"[$,\s+]", "", match[1])
        return re.sub(r"\.0+$", "", number)
    if task == "gpqa":
        if not (match := re.fullmatch(r"\(?([A-Da-d])[).:]?", text)):
            raise ValueError(
                f"{name}: the answer {_short(text)} is no letter from A to D, and the task gpqa compares nothing else; "
                "write letters in the source (a number does not say whether it counts from 0 or 1), map `correct` and "
                "`incorrect` to columns with the options, or leave the row out"
            )
        return match[1].upper()
    if "\\boxed" in text or "\\fbox" in text:
        raise ValueError(
            f"{name}: the answer {_short(text)} is a whole solution, which no answer is equal to; map `answer` to a "
            "column with what is in its box"
        )
    return str(gold)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
