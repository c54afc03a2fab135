"""The paper's numbers: the count and the interval behind a percentage, and the meaning of a difference from it."""

from collections.abc import Mapping, Sequence
from math import ceil, hypot

from thinksafe.files import Row
from thinksafe.intervals import Estimate, average, score_interval, wilson

ROUNDED = 0.005 + 1e-9  # per cent: the rounding error of two decimals
AGREES, DIFFERS, UNCLEAR = "agrees", "differs", "too few samples to tell"
POWER = 0.8  # chance that the number of prompts that is asked for is enough


def printed_score(value: float, kind: str, rows: int, samples: int, confidence: float) -> Row:
    """Return the score behind one printed percentage.

    ``count`` is the whole number that rounds to the printed one, or None where there is none. A safety cell has
    Wilson's interval of the nearest count. The paper does not print how much the samples of one problem differ, so that
    the interval of a reasoning cell counts each problem once: wide, never too narrow.
    """
    from scipy.stats import norm

    n = rows * samples
    count = round(value * n / 100)
    if kind == "reasoning":
        low, high = score_interval(value / 100, rows, float(norm.ppf((1 + confidence) / 2)))
        low, high = 100 * max(low, 0.0), 100 * min(high, 1.0)
    else:
        nearest = wilson(count, n, confidence)
        low, high = min(nearest.low, value), max(nearest.high, value)
    return {
        **{"kind": kind, "printed": True, "value": value, "low": low, "high": high, "n": n},
        "count": count if abs(100 * count / n - value) <= ROUNDED else None,
        **({"problems": rows, "draws": samples} if kind == "reasoning" else {}),
    }


def printed_estimates(
    rows: Sequence[Row], sizes: Sequence[Row], averages: Mapping[str, Sequence[str]], confidence: float
) -> dict[tuple[str, str, str], Estimate]:
    """Return the paper's numbers with their intervals, by student, method and metric.

    Where the number of prompts is unknown, the interval is the number itself.

    ``rows`` are tidy, of one of the paper's tables; ``sizes`` have ``benchmark``, ``kind``, ``rows`` (prompts) and
    ``draws`` (samples of each); ``averages`` are the columns of each average.
    """
    size_of = {row["benchmark"]: row for row in sizes}
    found: dict[tuple[str, str, str], Estimate] = {}
    for row in sorted(rows, key=lambda row: row["metric"] in averages):
        student, method, metric, value = row["student"], row["method"], row["metric"], float(row["value"])
        if metric in averages:
            mean = average([found[student, method, column] for column in averages[metric]])
            shift = value - mean.value  # as printed, even where the columns have another average
            estimate = Estimate(mean.value + shift, mean.low + shift, mean.high + shift, mean.n)
        elif size := size_of.get(metric):
            score = printed_score(value, size["kind"], size["rows"], size["draws"], confidence)
            estimate = Estimate(value, score["low"], score["high"], size["rows"])
        else:
            estimate = Estimate(value, value, value, 0)
        found[student, method, metric] = estimate
    return found


def difference(ours: Estimate, paper: Estimate) -> Estimate:
    """Return ours less the paper's in points, with the interval of a difference of independent numbers.

    The prompts are the same, but the paper does not print outcomes by prompt, so that they cannot be paired.

    Source: Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10; of
    averages, Zou and Donner (2008).
    """
    value = ours.value - paper.value
    below = hypot(ours.value - ours.low, paper.high - paper.value)
    above = hypot(ours.high - ours.value, paper.value - paper.low)
    return Estimate(value, value - below, value + above, ours.n)


def difference_verdict(change: Estimate, min_effect: float) -> str:
    """Return what a difference means, ``min_effect`` being the smallest that matters.

    ``differs`` if the interval excludes 0 and the difference is at least ``min_effect``; ``agrees`` if the interval
    excludes a difference of ``min_effect`` either way; otherwise there are too few samples to tell.
    """
    if (change.low > 0 or change.high < 0) and abs(change.value) >= min_effect:
        return DIFFERS
    return AGREES if -min_effect < change.low and change.high < min_effect else UNCLEAR


def prompts_needed(change: Estimate, min_effect: float, confidence: float) -> int | None:
    """Return how many prompts, in ours and in the paper's alike, would be enough to tell if the difference is real.

    Half-widths fall with the root of this number. With probability ``POWER`` the interval then excludes 0, or a
    difference of ``min_effect``. None where the difference is ``min_effect`` exactly.
    """
    from scipy.stats import norm

    far = abs(change.value)
    reach = norm.ppf((1 + confidence) / 2)
    wanted = (far if far >= min_effect else min_effect - far) * reach / (reach + norm.ppf(POWER))
    half = max(change.value - change.low, change.high - change.value)
    return ceil(change.n * (half / wanted) ** 2) if wanted else None
