"""A response in the model's own form and in the stored one, with nothing lost between them.

The stored form is one for all models: ``<think>``, newline, reasoning, newline, ``</think>``, blank line, answer. A
model's own marks may be any text, white space included, such as a channel's control tokens. What it writes otherwise
than in its exact form (a tag without its line break, the letters ``<think>`` of a model with other tags) is stored with
a word joiner (U+2060) wherever it could not be told apart, so that `to_own` is the inverse of `to_stored` for any text.
"""

import re
from dataclasses import dataclass
from functools import cached_property

OPEN, CLOSE = "<think>", "</think>"  # as thinksafe.models.responses reads them, whose changes resample nothing

THINK = f"{OPEN}\n"
STORED = (THINK, f"\n{CLOSE}\n\n")
JOINER = "\u2060"
STORED_MARK = re.compile(f"{re.escape(STORED[1])}|{re.escape(STORED[0])}|</?think>{JOINER}?|<{JOINER}+/?think>")


@dataclass(frozen=True, kw_only=True)
class Bare:
    """The form of a model that does not think: its answer, and what it writes after that, to the letter."""

    tail: str = ""

    def pieces(self, own: str) -> list[tuple[str, bool]]:
        """Return a text in the model's own form cut into its marks (true) and what stands between them (false)."""
        whole = own.removesuffix(self.tail)
        return [piece for piece in ((whole, False), (own[len(whole) :], True)) if piece[0]]

    def to_stored(self, own: str) -> str:
        """Return the stored form of a text in the model's own form."""
        whole = own.removesuffix(self.tail)
        return own + JOINER if self.tail and (whole == own or whole.endswith(JOINER)) else whole

    def to_own(self, stored: str) -> str:
        """Return the model's own form of a stored response; the inverse of `to_stored`."""
        return stored[:-1] if self.tail and stored.endswith(JOINER) else stored + self.tail


@dataclass(frozen=True)
class Markup(Bare):
    """What a model writes before its reasoning, between it and the answer, and after the answer, to the letter."""

    open: str = STORED[0]
    close: str = STORED[1]

    @property
    def tags(self) -> tuple[str, str]:
        """Return the opening and the closing mark without white space around them."""
        return self.open.strip(), self.close.strip()

    @cached_property
    def marks(self) -> re.Pattern:
        """Return a pattern of the model's own marks, whole ones before bare ones."""
        marks = sorted({self.open, self.close, *self.tags}, key=lambda mark: (-len(mark), mark))
        return re.compile("|".join(map(re.escape, marks)))

    def pieces(self, own: str) -> list[tuple[str, bool]]:
        """Return a text in the model's own form cut into its marks (true) and what stands between them (false)."""
        cut, place = [], 0
        for found in self.marks.finditer(own):
            cut += [(own[place : found.start()], False), (found.group(), True)]
            place = found.end()
        end = len(own) - len(self.tail) if self.closed(own) and own.endswith(self.tail) else len(own)
        end = max(place, end)
        return [piece for piece in (*cut, (own[place:end], False), (own[end:], True)) if piece[0]]

    def closed(self, own: str) -> bool:
        """Return whether a text in the model's own form ends its reasoning."""
        return any(found.group().strip() == self.tags[1] for found in self.marks.finditer(own))

    def to_stored(self, own: str) -> str:
        """Return the stored form of a text in the model's own form."""
        plain = self._stored(own, "")
        return plain if self.to_own(plain) == own else self._stored(own, JOINER)

    def _stored(self, own: str, joiner: str) -> str:
        stored = {self.open: STORED[0], self.close: STORED[1]}
        bare = {self.tags[0]: OPEN + joiner, self.tags[1]: CLOSE + joiner}

        def mark(found: re.Match) -> str:
            text = found.group()
            return stored.get(text) or bare.get(text) or f"<{joiner}{text[1:]}"

        def written(text: str) -> str:
            return re.sub(f"{self.marks.pattern}|<{JOINER}*/?think>", mark, text)

        if not self.tail or not self.closed(own):
            return written(own)
        if self.pieces(own)[-1] == (self.tail, True):
            whole = written(own[: -len(self.tail)])
            if not whole.endswith(JOINER):
                return whole
        return written(own) + JOINER

    def to_own(self, stored: str) -> str:
        """Return the model's own form of a stored response; the inverse of `to_stored`."""
        closed = any(found.group().strip().startswith(CLOSE) for found in STORED_MARK.finditer(stored))
        end = self.tail if closed else ""
        if end and stored.endswith(JOINER):
            stored, end = stored[:-1], ""

        def mark(found: re.Match) -> str:
            text = found.group()
            if text in STORED:
                return (self.open, self.close)[STORED.index(text)]
            if text.startswith(f"<{JOINER}"):
                return "<" + text[2:]
            return self.tags[text.startswith(CLOSE)]

        return STORED_MARK.sub(mark, stored) + end
