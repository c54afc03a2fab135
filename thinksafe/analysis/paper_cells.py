"""What the paper prints: the count and the interval behind a percentage, and what a difference from it says."""

from __future__ import annotations

from math import ceil, hypot, sqrt

from thinksafe.files import Row
from thinksafe.intervals import Estimate, wilson

ROUNDED = 0.005 + 1e-9  # per cent: what two decimals leave open
AGREES, DIFFERS, UNCLEAR = "agrees", "differs", "too few samples to tell"
POWER = 0.8  # chance with which the samples asked for would tell


def printed_score(value: float, kind: str, rows: int, samples: int, confidence: float) -> Row:
    """Return the score behind one printed percentage.

    ``count`` is the whole number that rounds to what is printed, or None where there is none. A safety cell has the
    interval (Wilson) of the nearest count. How much the samples of one problem differ is not printed, so that the
    interval of a reasoning cell counts each problem once: wide, never too narrow.
    """
    n = rows * samples
    count = round(value * n / 100)
    if kind == "reasoning":
        low, high = _wilson(value / 100, rows, confidence)
    else:
        nearest = wilson(count, n, confidence)
        low, high = min(nearest.low, value), max(nearest.high, value)
    return {
        **{"kind": kind, "printed": True, "value": value, "low": low, "high": high, "n": n},
        "count": count if abs(100 * count / n - value) <= ROUNDED else None,
        **({"problems": rows, "draws": samples} if kind == "reasoning" else {}),
    }


def _wilson(p: float, n: int, confidence: float) -> tuple[float, float]:
    """Return Wilson's bounds in per cent for a mean that need not be a whole number of ``n``."""
    from scipy.stats import norm

    z = float(norm.ppf((1 + confidence) / 2))
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return 100 * max(middle - half, 0.0), 100 * min(middle + half, 1.0)


def difference(ours: Estimate, paper: Estimate) -> Estimate:
    """Return ours less the paper's in points, with the interval of a difference of independent numbers.

    Source: Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10; of
    averages, Zou and Donner (2008). The same prompts were asked, but what the paper's came to is not printed by prompt.
    """
    value = ours.value - paper.value
    below = hypot(ours.value - ours.low, paper.high - paper.value)
    above = hypot(ours.high - ours.value, paper.value - paper.low)
    return Estimate(value, value - below, value + above, ours.n)


def verdict(change: Estimate, least: float) -> str:
    """Return what a difference means, ``least`` being the smallest that matters.

    ``differs`` if the interval excludes 0 and the difference is at least ``least``; ``agrees`` if the interval excludes
    a difference of ``least`` either way; else there are too few samples to tell.
    """
    if (change.low > 0 or change.high < 0) and abs(change.value) >= least:
        return DIFFERS
    return AGREES if -least < change.low and change.high < least else UNCLEAR


def needed(change: Estimate, least: float, confidence: float) -> int | None:
    """Return how many prompts would tell, in ours and in the paper's alike, were the difference what it looks like.

    Half-widths go with the root of the number. With ``POWER`` the interval is then narrow enough to exclude 0, or a
    difference of ``least``. None where the difference is ``least`` exactly.
    """
    from scipy.stats import norm

    far = abs(change.value)
    reach = norm.ppf((1 + confidence) / 2)
    wanted = (far if far >= least else least - far) * reach / (reach + norm.ppf(POWER))
    half = max(change.value - change.low, change.high - change.value)
    return ceil(change.n * (half / wanted) ** 2) if wanted else None
