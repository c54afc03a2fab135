r"""The strict score of a reasoning answer, beside SkyThought's (paper: none; docs/scoring.md has its rules).

It reads the answer after ``</think>`` only, where SkyThought reads the reasoning as well, and accepts what a reader of
that answer would accept. This module finds the answer; `thinksafe.evaluation.equality` compares it.
"""

import re
from collections.abc import Callable
from typing import Any

from thinksafe.evaluation.equality import same
from thinksafe.models.responses import parts

BOX = re.compile(r"\\(?:boxed|fbox)\s*")
SAID = re.compile(r"answer(?:\s+to\s+[^.\n]{0,80}?)?(?:\s+is|\s*:)\s*:?", re.IGNORECASE)
SENTENCE = re.compile(r"(?:[.!?]\**(?=\s|$)|\n\s*\n|$)")  # where one ends
JOINED = re.compile(r"[\s$.,;)(\\]*(?:and|or)?[\s$,(\\]*(?:[a-zA-Z]\w*\s*=\s*)?")  # between two boxes of one answer
WHOLE = r"(?:\d{1,3}(?:(?:,\\!|,|\{,\}|\\[,!:; ])\d{3})+(?!\d)|\d+)"
NUMBER = re.compile(rf"(?:-\s?)?(?:\\?\$\s?)?(?:{WHOLE}(?:\.\d+)?|\.\d+)(?:\s*/\s*\d+)?")
DENIED = re.compile(r"\b(?:not|neither|nor|except|isn't|cannot|wrong|incorrect)\b", re.IGNORECASE)


def score_strict(task: str, response: str, gold: str) -> dict[str, Any]:
    r"""Return ``{"extracted": str, "correct": bool}`` for the answer alone; no ``</think>``, or no answer, is wrong.

    Arguments are those of `thinksafe.evaluation.skythought.score`.
    """
    readers: dict[str, tuple[Callable[[str], str], Callable[[str, str], bool]]] = {
        "aime24": (find_formula, same),
        "math500": (find_formula, same),
        "gsm8k": (find_number, same_number),
        "gpqa": (find_letter, str.__eq__),
    }
    find, equal = readers[task]
    answer = parts(response)[1]
    found = find(answer) if answer else ""
    wanted = gold.rpartition("####")[2].strip() if task == "gsm8k" else gold.strip()
    return {"extracted": found, "correct": bool(found) and equal(found, wanted)}


def boxes(text: str) -> list[tuple[int, str, int]]:
    r"""Return start, content and end of each ``\boxed{}`` that is not empty; the last may be open to the end."""
    found = []
    for match in BOX.finditer(text):
        start = place = match.end()
        if text[start : start + 1] != "{":
            place = start + 1  # \boxed5
        else:
            depth = 0
            for place in range(start, len(text)):
                depth += (text[place] == "{") - (text[place] == "}")
                if depth == 0:
                    break
            place += 1
        content = text[start:place]
        content = content.removeprefix("{").removesuffix("}" if content.count("{") == content.count("}") else "")
        if content.strip() and not (found and match.start() < found[-1][2]):
            found.append((match.start(), content.strip(), place))
    return found


def find_formula(answer: str) -> str:
    r"""Return the content of the last box, of all boxes of one answer (``\boxed{1} or \boxed{2}``), or what is said.

    Without a box it is what follows the last "answer is" up to the end of the sentence, or else the last number.
    """
    found = boxes(answer)
    if not found:
        return find_said(answer) or (NUMBER.findall(answer) or [""])[-1].strip()
    group = [found.pop()]
    while found and JOINED.fullmatch(answer[found[-1][2] : group[0][0]]):
        group.insert(0, found.pop())
    return ", ".join(dict.fromkeys(content for _, content, _ in group))


def find_said(answer: str) -> str:
    """Return what follows the last "answer is" in its sentence, without the signs of markdown and of mathematics."""
    said = list(SAID.finditer(answer))
    if not said:
        return ""
    rest = answer[said[-1].end() :].lstrip("*_ \n")
    sentence = rest[: SENTENCE.search(rest).start()]
    return re.sub(r"^(?:\*\*|\$|\\\(|\\\[|\s)+|(?:\*\*|\$|\\\)|\\\]|\s|\.)+$", "", sentence)


def find_number(answer: str) -> str:
    r"""Return the number of the last "answer is"; of the box, or the last one, where nothing is said."""
    said = find_said(answer)
    inside = boxes(said)
    if not said:
        inside = boxes(answer)
    text = inside[-1][1] if inside else said
    if not text:
        return (NUMBER.findall(answer) or [""])[-1].strip()
    text = re.split(r",\s|;|\b(?:since|because|which|as|so)\b", text)[0]  # the reasons may have other numbers
    text = re.split(r"=(?=\s*\S)", text)[-1]
    alternatives = re.split(r"\b(?:or|and|to)\b", re.sub(r"\(.*?\)", "", text))
    numbers = [NUMBER.search(part.replace("\u2212", "-")) for part in alternatives]
    if len(numbers) > 1 and all(numbers):
        return text.strip()  # several answers, which are no number
    return next((match.group().strip() for match in numbers if match), text.strip())


def same_number(found: str, gold: str) -> bool:
    """Return whether two numbers are equal, with any sign of money and any separator between thousands."""
    return bool(NUMBER.fullmatch(found)) and same(found, gold)


def find_letter(answer: str) -> str:
    r"""Return the one option named in the last box: its letter alone, before its text, or the only one in it."""
    found = boxes(answer)
    box = re.sub(r"\\[a-zA-Z]+", " ", found[-1][1]) if found else ""
    if DENIED.search(box):
        return ""
    if first := re.match(r"\W*([A-D])\s*[).:]", box) or re.fullmatch(r"\W*([A-Da-d])\W*", box):
        others = set(re.findall(r"\(?\b([A-D])\)", box)) - {first[1]}
        return "" if others else first[1].upper()
    letters = set(re.findall(r"\b[A-D]\b", box))
    return letters.pop() if len(letters) == 1 else ""
