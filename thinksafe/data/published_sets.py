"""The baselines' training data, from its authors' formats to one (paper Sec. 5.1, Table 4).

Every training set has rows of `COLUMNS`: the prompt as the user wrote it, and the response as a model would have to
write it, opened by ``<think>`` whatever the family (thinksafe/models/chat.py). A row that cannot be converted is
dropped and counted by its reason; none is changed into something that its authors did not write.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from thinksafe.data.sources import select
from thinksafe.files import Row
from thinksafe.models.markup import THINK
from thinksafe.models.responses import CLOSE, OPEN
from thinksafe.seeds import seed_for

COLUMNS: dict[str, type] = dict(id=str, role=str, prompt=str, response=str, query_end=int, key_end=int)
ROLES = ("harmful", "benign")


class Unusable(ValueError):  # noqa: N818 - drops one row, and is no error
    """A row is not in the format that its authors describe; the message is the reason that is counted."""


def convert(rows: Sequence[Row], spec: Row, role: str, corpus: str) -> tuple[list[Row], Row]:
    """Return the training rows of one role of a corpus, and the counts of its rows (`usable_rows`)."""
    return usable_rows(rows, spec, role, FORMATS[spec["format"]], f"corpora.{corpus}.{role}", f"{corpus}-{role}")


def usable_rows(
    rows: Sequence[Row], spec: Row, role: str, form: Callable[[Row, Row], Row], where: str, name: str
) -> tuple[list[Row], Row]:
    """Return the training rows that are made of a source's rows, and how many were used and dropped.

    Parameters
    ----------
    rows : rows of the source
    spec : dict
        ``seed``, the options of ``form``, and under ``role`` the settings of the source: ``columns``, ``where``,
        ``contains``, ``rows``, ``take`` (so many usable rows; all if null) and ``order`` (``first`` or ``random``).
    form : one of `FORMATS`
    where : the settings' path in the config, for errors
    name : beginning of the rows' ids
    """
    settings = spec[role]
    rows = select(rows, settings, where)
    order = list(range(len(rows)))
    if settings.get("order") == "random":
        random.Random(seed_for(*spec["seed"], role)).shuffle(order)
    kept, dropped = [], Counter()
    for number in order:
        if len(kept) == settings.get("take"):
            break
        given = {key: rows[number][column] for key, column in settings["columns"].items()}
        try:
            _text(given["prompt"], "no_prompt")
            row = {"id": f"{name}-{number:06d}", "role": role, "prompt": given["prompt"]}
            kept.append(row | form(given, spec))
        except Unusable as reason:
            dropped[str(reason)] += 1
    if len(kept) < (settings.get("take") or 1):
        raise ValueError(
            f"{where}: {len(kept)} usable rows of {len(rows)}, where {settings.get('take') or 'some'} are wanted; "
            f"dropped: {dict(dropped)}. Does the source have the expected form, and do `columns` name the right ones? "
            f"The form: {form.__doc__.splitlines()[0]}"
        )
    return kept, {"source": len(rows), "kept": len(kept), "dropped": dict(sorted(dropped.items()))}


def direct_refusal(row: Row, spec: Row) -> Row:
    """A fixed thought and the refusal, which the source gives as "Question: <prompt>", newline, "Answer: <refusal>".

    Paper: Table 4 names WildJailbreak as the source; the released code reads the authors' set, BeaverTails prompts.
    """
    text, prompt = _text(row["response"], "no_refusal"), row["prompt"].strip()
    # Cut after the prompt itself: a prompt may hold "Answer:" too.
    place = text.find(prompt)
    label = re.match(r"\s*Answer:\s*", text[place + len(prompt) :], re.I) if place >= 0 else None
    if label is None:
        raise Unusable("no_answer_label")
    refusal = text[place + len(prompt) + label.end() :].strip()
    if not refusal:
        raise Unusable("no_refusal")
    return {"response": respond(spec["thought"], refusal)}


def safechain(row: Row, spec: Row) -> Row:
    """Reasoning, ``</think>``, answer, with no opening tag: the teacher's template had opened it."""
    return {"response": respond(*split_response(row["response"]))}


def star1(row: Row, spec: Row) -> Row:
    r"""A whole response; some slashes are escaped (``\/``), as in JSON, which the authors' code undoes."""
    return {"response": respond(*split_response(_text(row["response"]).replace(r"\/", "/")))}


def safepath(row: Row, spec: Row) -> Row:
    """The safety primer alone: the think block stays open, and nothing follows."""
    return {"response": THINK + spec["primer"]}


def safekey(row: Row, spec: Row) -> Row:
    """A response of STAR-1's form with two character offsets into it.

    ``query_end`` is the end of the query's understanding, ``key_end`` that of the key sentence. If a source has no such
    columns, they are the ends of the first and the second sentence.
    """
    # Paper: how the authors' offsets were made is not known, and STAR-1 and its benign companion hold none.
    response = star1(row, spec)["response"]
    query_end, key_end = row.get("query_end"), row.get("key_end")
    if "query_end" not in row:
        query_end, key_end = two_sentences(response)
    elif query_end is None or key_end is None:
        raise Unusable("no_key_sentence")
    query_end, key_end = int(query_end), int(key_end)
    if not len(THINK) < query_end < key_end <= response.index(CLOSE) or not response[query_end:key_end].strip():
        raise Unusable("key_sentence_outside_reasoning")
    return {"response": response, "query_end": query_end, "key_end": key_end}


FORMATS: dict[str, Callable[[Row, Row], Row]] = {
    "direct-refusal": direct_refusal,
    "safechain": safechain,
    "star1": star1,
    "safepath": safepath,
    "safekey": safekey,
}


def respond(thought: str, answer: str) -> str:
    """Return a response: one newline inside the think block's tags, one blank line after it."""
    return f"{THINK}{thought}\n{CLOSE}\n\n{answer}"


def split_response(response: Any) -> tuple[str, str]:
    """Return reasoning and answer of a response with one closing tag; the opening one may be missing."""
    text = _text(response).removeprefix(OPEN)
    # Paper: the released code keeps rows that never close their reasoning.
    if text.count(CLOSE) != 1:
        raise Unusable("reasoning_never_ends" if CLOSE not in text else "several_think_blocks")
    if OPEN in text:
        raise Unusable("several_think_blocks")
    # Newlines right after <think> would merge with the one that templates put there (docs/methods.md).
    thought, answer = (part.strip() for part in text.split(CLOSE))
    if not thought or not answer:
        raise Unusable("no_answer" if thought else "no_reasoning")
    return thought, answer


# Where a period ends no sentence: before anything, before a digit, or but before a word that often begins a sentence.
TITLES = "dr|mr|mrs|ms|prof|st|rev|gen|gov|sen|rep|hon|capt|lt|col|sgt|mt|ft|vs|cf|esp|approx|e.g|i.e|viz|al"
COUNTED = "no|nos|figs?|eqs?|sect?|ch|chap|vol|pp?|art|para|ver|refs?|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
SHORTENED = "etc|inc|ltd|co|corp|jr|sr|dept|univ|assn|bros|ave|blvd|rd|est|min|max|misc|ph.d|m.d"
BEGINNINGS = (
    "the|that|this|these|those|it|its|he|she|they|we|you|my|your|their|there|here|if|when|while|since|because|although|"
    "but|and|or|so|then|thus|also|next|first|second|finally|however|instead|still|now|in|on|at|for|from|to|with|as|by|"
    "what|why|how|who|where|which|is|are|was|do|does|can|could|should|would|will|let|maybe|perhaps|okay|ok|wait|hmm|"
    "not|no|yes|all|any|some|each|both|one|an|given|after|before|overall|generally|i|i'm|i'll|i've|i'd|i’m|i’ll|it's|it’s"
).split("|")
END = re.compile(r"[.!?][.!?\"'”’)\]*_]*(?=\s)|[^\s.!?](?=\s*\n)")


def two_sentences(response: str) -> tuple[int, int]:
    """Return where the first and the second sentence of the reasoning end, as offsets into the response."""
    reasoning = response[len(THINK) : response.index(CLOSE)]
    ends: list[int] = []
    for found in END.finditer(reasoning):
        if _ends_sentence(reasoning[ends[-1] if ends else 0 : found.end()], reasoning[found.end() :]):
            ends.append(found.end())
        if len(ends) == 2:
            return len(THINK) + ends[0], len(THINK) + ends[1]
    raise Unusable("no_key_sentence")


def _ends_sentence(sentence: str, rest: str) -> bool:
    """Return whether a text that ends like a sentence is one, given what follows it."""
    if re.fullmatch(r"\s*[(\[*_#]*(\d+|[A-Za-z]|[ivxIVX]+)[.)]*[.)\]*_]*", sentence):  # the number of a list's entry
        return False
    if re.match(r"\s*\n", rest):
        return True
    following = re.match(r"\s*[\"'“‘(\[*_]*([\w’']*)", rest)[1]
    if following[:1].islower() and not re.match(r"\s*[(\[]?\w{1,3}[)\]]", rest):  # but "b)" opens a list's entry
        return False
    if not re.search(r"\.\W*$", sentence):
        return True
    word = re.search(r"[\w.]*(?=\.\W*$)", sentence)[0].lower()
    if re.fullmatch(TITLES, word):
        return False
    if re.fullmatch(COUNTED, word):
        return not following[:1].isdigit()
    # "U.S.", an initial; "I." is a word. Such a word may end a sentence too: what follows has to tell.
    if re.fullmatch(rf"{SHORTENED}|([^\W\d]\.)+[^\W\d]|[a-hj-z]", word):
        return following.lower() in BEGINNINGS or not following
    return True


def _text(value: Any, reason: str = "no_response") -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unusable(reason)
    return value.strip()
