"""Intervals for shares, averages and differences; everything in per cent (the paper gives numbers without spread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, inf, sqrt


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; ``value``, ``low`` and ``high`` in per cent (or points), ``n`` things counted."""

    value: float
    low: float
    high: float
    n: int


def wilson(count: int, n: int, confidence: float = 0.95) -> Estimate:
    """Return ``count`` of ``n`` with Wilson's score interval, which has width at 0 % and 100 % too.

    Source: Wilson (1927); Newcombe (1998), "Two-sided confidence intervals for the single proportion", method 3.

    Raises
    ------
    ValueError
        If ``n`` is 0, or ``count`` is outside 0..``n``.
    """
    if not 0 <= count <= n or n == 0:
        raise ValueError(f"{count} of {n} is no share")
    from scipy.stats import binomtest

    interval = binomtest(count, n).proportion_ci(confidence, method="wilson")
    return Estimate(100 * count / n, 100 * float(interval.low), 100 * float(interval.high), n)


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Return the unbiased chance, in [0, 1], that one of ``k`` samples is right, from ``correct`` of ``n``.

    Source: Chen et al. (2021), "Evaluating large language models trained on code", Eq. 1.
    """
    if not 0 <= correct <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {correct} right in {n} samples is not defined")
    return 1 - comb(n - correct, k) / comb(n, k)


def clustered(counts: Sequence[int], draws: int, confidence: float = 0.95) -> Estimate:
    """Return mean pass@1 over problems, with an interval that takes problems, not samples, as what was drawn.

    Wilson's interval with the effective sample size of the clusters, p(1-p)/var(p) with var(p) the variance of the
    problems' means over their number, and Student's t for the normal quantile. The size is held between the number of
    problems less one and the number of samples. Where the variance says nothing (all right or all wrong) each problem
    counts once, as if its samples could not differ: 30 problems all wrong give 0 to about 12 %, not 0 to 0.

    Source: Dean and Pagano (2015), "Evaluating confidence interval methods for binomial proportions in clustered
    surveys" (modified Wilson); Korn and Graubard (1998) for the bound on the effective size.

    Parameters
    ----------
    counts : sequence of int
        Right samples of each problem, 0..``draws``.
    """
    from scipy.stats import t

    problems = len(counts)
    if problems == 0 or draws < 1 or any(not 0 <= count <= draws for count in counts):
        raise ValueError(f"{problems} problems with {draws} samples each give no mean")
    p = sum(counts) / (problems * draws)
    if problems == 1:
        return Estimate(100 * p, 0.0, 100.0, draws)
    variance = sum((count / draws - p) ** 2 for count in counts) / (problems - 1) / problems
    if p in (0, 1):
        size = problems
    else:
        size = min(max(p * (1 - p) / variance if variance else inf, problems - 1), problems * draws)
    z = float(t.ppf((1 + confidence) / 2, problems - 1))
    middle = (p + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * sqrt(p * (1 - p) / size + z * z / (4 * size * size))
    low, high = (0.0 if p == 0 else middle - half), (1.0 if p == 1 else middle + half)
    return Estimate(100 * p, 100 * max(low, 0.0), 100 * min(high, 1.0), problems * draws)


def average(parts: Sequence[Estimate]) -> Estimate:
    """Return the plain mean of independent columns; each side's half-width is the root of the columns' squares.

    The columns' own bounds are used, so that a skewed column gives a skewed average and 0 % has width.

    Source: Zou and Donner (2008), "Construction of confidence intervals about effect measures" (MOVER).
    """
    if not parts:
        raise ValueError("no columns to average")
    value = sum(part.value for part in parts) / len(parts)
    below = sqrt(sum((part.value - part.low) ** 2 for part in parts)) / len(parts)
    above = sqrt(sum((part.high - part.value) ** 2 for part in parts)) / len(parts)
    return Estimate(value, value - below, value + above, sum(part.n for part in parts))


def paired(before: Sequence[float], after: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return the mean change ``after - before`` over the same prompts, in points, with its interval.

    For yes/no outcomes this is the interval of Bonett and Price for paired shares: one prompt that got better and one
    that got worse are added before the ordinary formula, so that no change at all in few prompts has width. Means over
    several samples of a prompt go the same way. ``value`` is the plain mean change, without the two.

    Source: Bonett and Price (2012), "Adjusted Wald confidence interval for a difference of binomial proportions based
    on paired data"; Fagerland, Lydersen and Laake (2014), "Recommended tests and confidence intervals for paired
    binomial proportions".

    Parameters
    ----------
    before, after : sequences of float
        One outcome, or mean of outcomes, in [0, 1] for each prompt, in the same order.
    """
    from scipy.stats import norm

    if not before or len(before) != len(after):
        raise ValueError(f"{len(before)} and {len(after)} prompts do not pair")
    n = len(before)
    changes = [new - old for old, new in zip(before, after, strict=True)]
    middle = sum(changes) / (n + 2)
    variance = (sum(change * change for change in changes) + 2) / (n + 2) - middle * middle
    half = float(norm.ppf((1 + confidence) / 2)) * sqrt(variance / (n + 2))
    # The shrunken centre may leave the plain mean outside its own interval when every prompt changed; widen to it.
    value = sum(changes) / n
    low, high = min(max(middle - half, -1.0), value), max(min(middle + half, 1.0), value)
    return Estimate(100 * value, 100 * low, 100 * high, n)


def ratio(
    upper: Sequence[Sequence[float]], lower: Sequence[Sequence[float]], confidence: float = 0.95
) -> tuple[float | None, float | None, float | None]:
    """Return (value, low, high) of one mean gain as a share of another on the same prompts; None where unbounded.

    Both gains are plain means over benchmarks of means over prompts. Fieller's interval, with the two prompts of
    `paired` added to the variances; ``low`` and ``high`` are None when the lower gain is not clearly different from 0,
    and all three when it is 0.

    Source: Fieller (1954), "Some problems in interval estimation".

    Parameters
    ----------
    upper, lower : sequences of sequences of float
        For each benchmark the gains of its prompts, in the same order.
    """
    a = b = var_a = var_b = cov = 0.0
    for ups, lows in zip(upper, lower, strict=True):
        scale = (len(ups) + 2) ** 2
        (mean_a, more_a), (mean_b, more_b) = _mean_and_variance(ups), _mean_and_variance(lows)
        a, b, var_a, var_b = a + mean_a, b + mean_b, var_a + more_a, var_b + more_b
        cov += sum((x - mean_a) * (y - mean_b) for x, y in zip(ups, lows, strict=True)) / scale
    return _fieller(a, b, var_a, var_b, cov, confidence)


def independent_ratio(
    upper: Sequence[Sequence[float]], lower: Sequence[Sequence[float]], confidence: float = 0.95
) -> tuple[float | None, float | None, float | None]:
    """Return what `ratio` returns for gains on different prompts, whose benchmarks need not be as many.

    Parameters
    ----------
    upper, lower : sequences of sequences of float
        For each benchmark the gains of its prompts.
    """
    a, var_a = (sum(part) for part in zip(*map(_mean_and_variance, upper), strict=True))
    b, var_b = (sum(part) for part in zip(*map(_mean_and_variance, lower), strict=True))
    i, j = len(upper), len(lower)
    return _fieller(a / i, b / j, var_a / i**2, var_b / j**2, 0.0, confidence)


def _mean_and_variance(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the variance of the mean, with the two prompts of `paired`."""
    n = len(values)
    mean = sum(values) / n
    return mean, (sum((value - mean) ** 2 for value in values) + 2) / (n + 2) ** 2


def _fieller(
    a: float, b: float, var_a: float, var_b: float, cov: float, confidence: float
) -> tuple[float | None, float | None, float | None]:
    """Return a / b with Fieller's interval."""
    from scipy.stats import norm

    if b == 0:
        return None, None, None
    z2 = float(norm.ppf((1 + confidence) / 2)) ** 2
    lead, cross, tail = b * b - z2 * var_b, a * b - z2 * cov, a * a - z2 * var_a
    if lead <= 0:
        return a / b, None, None
    root = sqrt(max(cross * cross - lead * tail, 0.0))
    return a / b, (cross - root) / lead, (cross + root) / lead
