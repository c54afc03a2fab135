"""Training sets made of filtered ones: a teacher's refusals, or refusals without their reasoning (paper Sec. 5.4)."""

from collections.abc import Sequence

from thinksafe.files import Row
from thinksafe.models.responses import CLOSE, OPEN, parts


def derived_rows(harmful: Sequence[Row], benign: Sequence[Row], strip_reasoning: bool) -> list[Row]:
    """Return the harmful rows of one training set, without their reasoning if asked, and the benign rows of another."""
    refusals = [row for row in harmful if row["role"] == "harmful"]
    if strip_reasoning:
        refusals = [without_reasoning(row) for row in refusals]
    return refusals + [row for row in benign if row["role"] == "benign"]


def without_reasoning(row: Row) -> Row:
    """Return a row whose response is an empty think block and its answer; nobody has sampled it, so it has no tokens.

    Paper: says that the reasoning is removed, not what replaces it. Qwen3 itself writes this block when it does not
    think, and R1-Distill's generation prompt opens one in any case.
    """
    _, answer = parts(row["response"])
    if not answer:
        raise ValueError(f"{row['id']}: a kept refusal has no answer after {CLOSE}; make the training set again")
    return row | {"response": f"{OPEN}\n\n{CLOSE}\n\n{answer}", "tokens": None}
