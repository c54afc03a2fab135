"""Fraction of well-formed responses, which accompanies every score (paper: silent).

What makes one response well-formed is in thinksafe/models/responses.py, which guards and filters import too; a change
here never judges anything again.
"""

from collections import Counter
from collections.abc import Sequence

from thinksafe.files import Row
from thinksafe.intervals import clustered
from thinksafe.models.responses import parts, thinks, well_formed


def well_formed_counts(rows: Sequence[Row], confidence: float) -> Row:
    """Return how many responses are well-formed, and how the others ended.

    ``well_formed`` is in per cent, with an interval over prompts; counts are ``unfinished`` (no ``</think>``),
    ``length`` (cut at the token limit) and ``finish_reasons`` (of each).
    """
    whole, samples = Counter(), Counter(row["id"] for row in rows)
    for row in rows:
        whole[row["id"]] += well_formed(row["response"], row["finish_reason"], thinks(row))
    fraction = clustered([whole[name] for name in samples], max(samples.values()), confidence)
    reasons = Counter(row["finish_reason"] for row in rows)
    return {
        "well_formed": fraction.value,
        "well_formed_low": fraction.low,
        "well_formed_high": fraction.high,
        "unfinished": sum(parts(row["response"], thinks(row))[1] is None for row in rows),
        "length": reasons["length"],
        "finish_reasons": dict(sorted(reasons.items())),
    }
