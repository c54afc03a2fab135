"""How sound a set of responses is: the number that stands beside every ratio (paper: silent).

Apart from thinksafe.models.responses, which guards and filters import too: a change here never judges anything again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from thinksafe.intervals import clustered
from thinksafe.models.responses import parts, well_formed


def health(rows: Sequence[dict[str, Any]], confidence: float) -> dict[str, Any]:
    """Return how many responses are whole, and how the others ended.

    Returns
    -------
    dict
        ``well_formed`` (per cent) with ``well_formed_low`` and ``well_formed_high`` (over prompts), ``unfinished`` (how
        many have no ``</think>``), ``length`` (how many were cut at the token limit), ``finish_reasons`` (how many of
        each).
    """
    sound, draws = Counter(), Counter(row["id"] for row in rows)
    for row in rows:
        sound[row["id"]] += well_formed(row["response"], row["finish_reason"])
    share = clustered([sound[name] for name in draws], max(draws.values()), confidence)
    reasons = Counter(row["finish_reason"] for row in rows)
    return {
        "well_formed": share.value,
        "well_formed_low": share.low,
        "well_formed_high": share.high,
        "unfinished": sum(parts(row["response"])[1] is None for row in rows),
        "length": reasons["length"],
        "finish_reasons": dict(sorted(reasons.items())),
    }
