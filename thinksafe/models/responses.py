"""A stored response taken apart: reasoning, answer, and whether the two are well formed (paper Sec. 3).

A stored response always opens with ``<think>``, in both families (docs/deviations.md), so guards, filters and scores
all see one form.
"""

OPEN = "<think>"
CLOSE = "</think>"


def parts(response: str) -> tuple[str | None, str | None]:
    """Return the reasoning and the answer of a response, outer blanks removed; None for a part that is not there.

    The answer is what follows the *last* ``</think>``, as the Qwen3 chat template has it; without that tag there is no
    answer, however much text there is.
    """
    head, closed, answer = response.rpartition(CLOSE)
    if not closed:
        head = response
    _, opened, reasoning = head.partition(OPEN)
    if not opened:
        reasoning = head if closed else None
    return (reasoning if reasoning is None else reasoning.strip(), answer.strip() if closed else None)


def well_formed(response: str, finish_reason: str) -> bool:
    """Return whether there is exactly one think block, at the start, an answer after it, and the stop token.

    A guard's verdict on broken text means nothing, so tables show the fraction of such responses beside each ratio.
    """
    _, answer = parts(response)
    return (
        finish_reason == "stop"
        and response.count(OPEN) == response.count(CLOSE) == 1
        and response.lstrip().startswith(OPEN)
        and bool(answer)
    )


def view(response: str, judged_text: str) -> str:
    """Return what a guard with this ``judged_text`` setting is shown: ``full`` text, or the ``answer`` alone.

    The answer view of a response whose reasoning never ends is the empty string; another setting is a ValueError.
    """
    if judged_text == "full":
        return response
    if judged_text == "answer":
        return parts(response)[1] or ""
    raise ValueError(f"judged_text: {judged_text!r} is no view of a response; choose full or answer")
