"""A stored response taken apart: reasoning, answer, and whether the two are well formed (paper Sec. 3).

A stored response always opens with ``<think>``, in both families (docs/deviations.md), so guards, filters and scores
all see one form. That of a model that does not think (``chat: {think: none}``) is its answer alone.
"""

from typing import Any

OPEN = "<think>"
CLOSE = "</think>"


def parts(response: str, thinks: bool = True) -> tuple[str | None, str | None]:
    """Return the reasoning and the answer of a response, outer blanks removed; None for a part that is not there.

    The answer is what follows the *last* ``</think>``, as the Qwen3 chat template has it; without that tag there is no
    answer, however much text there is. All that a model says that does not think is its answer.
    """
    if not thinks:
        return None, response.strip()
    head, closed, answer = response.rpartition(CLOSE)
    if not closed:
        head = response
    _, opened, reasoning = head.partition(OPEN)
    if not opened:
        reasoning = head if closed else None
    return (reasoning if reasoning is None else reasoning.strip(), answer.strip() if closed else None)


def well_formed(response: str, finish_reason: str, thinks: bool = True) -> bool:
    """Return whether there is exactly one think block, at the start, an answer after it, and the stop token.

    Of a model that does not think: whether there is an answer, the stop token, and no think tag.
    A guard's verdict on broken text means nothing, so tables show the fraction of such responses beside each ratio.
    """
    _, answer = parts(response, thinks)
    if not thinks:
        return finish_reason == "stop" and bool(answer) and OPEN not in response and CLOSE not in response
    return (
        finish_reason == "stop"
        and response.count(OPEN) == response.count(CLOSE) == 1
        and response.lstrip().startswith(OPEN)
        and bool(answer)
    )


def thinks(row: dict[str, Any]) -> bool:
    """Return whether a row's model thinks; only rows of a model that does not think say so."""
    return row.get("thinks") is not False


def view(response: str, judged_text: str, thinks: bool = True) -> str:
    """Return what a guard with this ``judged_text`` setting is shown: ``full`` text, or the ``answer`` alone.

    The answer view of a response whose reasoning never ends is the empty string; another setting is a ValueError.
    """
    if judged_text == "full":
        return response
    if judged_text == "answer":
        return parts(response, thinks)[1] or ""
    raise ValueError(f"judged_text: {judged_text!r} is no view of a response; choose full or answer")
