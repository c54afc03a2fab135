"""Intervals for shares, averages and differences; everything in per cent (the paper gives numbers without spread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, inf, sqrt
from statistics import fmean, variance


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


def seed_variance(parts: Sequence[Sequence[Sequence[float]]]) -> float:
    """Return the variance of a mean over benchmarks and seeds that lies between seeds; 0 of one, which tells nothing.

    That is the variance of the seeds' means over their number. What samples differ by is in it and in an interval over
    prompts, so that both together are wide rather than narrow; subtracting it, as an analysis of variance does, covers
    less than is asked where seeds are few (docs/scoring.md).

    Parameters
    ----------
    parts : sequence of shape (benchmarks, prompts, seeds)
        Outcomes, or changes of them, in [-1, 1]; a benchmark has its own number of prompts, all have the same seeds.
    """
    seeds = min((len(prompts[0]) for prompts in parts), default=1)
    if seeds < 2:
        return 0.0
    means = [fmean(fmean(outcomes[seed] for outcomes in prompts) for prompts in parts) for seed in range(seeds)]
    return variance(means) / seeds


def widened(
    estimate: Estimate,
    between: float,
    seeds: int,
    prompts: int,
    confidence: float = 0.95,
    least: float = 0.0,
    most: float = 100.0,
) -> Estimate:
    """Return an estimate over prompts with the variance between seeds as well, on both sides in proportion.

    The whole variance has Satterthwaite's degrees of freedom: few seeds that differ give a wide interval, seeds that do
    not differ leave it as it is.

    Source: Satterthwaite (1946), "An approximate distribution of estimates of variance components".

    Parameters
    ----------
    between : float
        What `seed_variance` returns.
    seeds, prompts : numbers of both
    least, most : between which the number must be, in per cent
    """
    from scipy.stats import norm, t

    half = (estimate.high - estimate.low) / 200
    if between <= 0 or seeds < 2 or half <= 0:
        return estimate
    z = float(norm.ppf((1 + confidence) / 2))
    own = (half / z) ** 2
    freedom = (own + between) ** 2 / (own**2 / max(prompts - 1, 1) + between**2 / (seeds - 1))
    factor = float(t.ppf((1 + confidence) / 2, freedom)) / z * sqrt(1 + between / own)
    return Estimate(
        estimate.value,
        max(estimate.value - factor * (estimate.value - estimate.low), least),
        min(estimate.value + factor * (estimate.high - estimate.value), most),
        estimate.n,
    )


def seeded(
    estimate: Estimate, parts: Sequence[Sequence[Sequence[float]]], confidence: float = 0.95, least: float = -100.0
) -> Estimate:
    """Return a mean over prompts, of changes or (``least`` 0) of outcomes, with what seeds add to its variance.

    Parameters
    ----------
    parts : as for `seed_variance`, but where one is empty the estimate stays as it is
    """
    if not all(parts):
        return estimate
    prompts, seeds = sum(map(len, parts)), min(len(part[0]) for part in parts)
    return widened(estimate, seed_variance(parts), seeds, prompts, confidence, least)


def over_replicates(
    found: Sequence[Estimate], confidence: float = 0.95, least: float = 0.0, most: float = inf
) -> Estimate:
    """Return the mean of the same number under several seeds, where only its interval over prompts is at hand.

    The replicates' mean interval, with the variance between them as well. One replicate stays as it is.
    """
    mean = Estimate(
        *(sum(getattr(one, name) for one in found) / len(found) for name in ("value", "low", "high")),
        sum(one.n for one in found),
    )
    if len(found) < 2:
        return mean
    between = variance([one.value for one in found]) / len(found)
    return widened(mean, between / 100**2, len(found), mean.n // len(found), confidence, least, most)


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
    upper: Sequence[Sequence[float]],
    lower: Sequence[Sequence[float]],
    confidence: float = 0.95,
    seeds: Sequence[Sequence[Sequence[Sequence[float]]]] | None = None,
) -> tuple[float | None, float | None, float | None]:
    """Return (value, low, high) of one mean gain as a share of another on the same prompts; None where unbounded.

    Both gains are plain means over benchmarks of means over prompts. Fieller's interval, with the two prompts of
    `paired` added to the variances; ``low`` and ``high`` are None when the lower gain is not clearly different from 0,
    and all three when it is 0. What seeds add to the variances is added as well, as if it moved both gains apart.

    Source: Fieller (1954), "Some problems in interval estimation".

    Parameters
    ----------
    upper, lower : sequences of sequences of float
        For each benchmark the gains of its prompts, in the same order.
    seeds : pair of sequences of shape (benchmarks, prompts, seeds)
        Both gains by seed; nothing where there is one.
    """
    a = b = var_a = var_b = cov = 0.0
    for ups, lows in zip(upper, lower, strict=True):
        scale = (len(ups) + 2) ** 2
        (mean_a, more_a), (mean_b, more_b) = _mean_and_variance(ups), _mean_and_variance(lows)
        a, b, var_a, var_b = a + mean_a, b + mean_b, var_a + more_a, var_b + more_b
        cov += sum((x - mean_a) * (y - mean_b) for x, y in zip(ups, lows, strict=True)) / scale
    more_a, more_b = _of_seeds(seeds)
    scale = len(upper) ** 2  # the sums here are those means times their number
    return _fieller(a, b, var_a + scale * more_a, var_b + scale * more_b, cov, confidence)


def _of_seeds(seeds: Sequence[Sequence[Sequence[Sequence[float]]]] | None) -> tuple[float, float]:
    """Return what seeds add to the variances of two mean gains."""
    one, other = (seed_variance(parts) if all(parts) else 0.0 for parts in seeds or ((), ()))
    return one, other


def independent_ratio(
    upper: Sequence[Sequence[float]],
    lower: Sequence[Sequence[float]],
    confidence: float = 0.95,
    seeds: Sequence[Sequence[Sequence[Sequence[float]]]] | None = None,
) -> tuple[float | None, float | None, float | None]:
    """Return what `ratio` returns for gains on different prompts, whose benchmarks need not be as many.

    Parameters
    ----------
    upper, lower : sequences of sequences of float
        For each benchmark the gains of its prompts.
    seeds : as for `ratio`
    """
    a, var_a = (sum(part) for part in zip(*map(_mean_and_variance, upper), strict=True))
    b, var_b = (sum(part) for part in zip(*map(_mean_and_variance, lower), strict=True))
    i, j = len(upper), len(lower)
    more_a, more_b = _of_seeds(seeds)
    return _fieller(a / i, b / j, var_a / i**2 + more_a, var_b / j**2 + more_b, 0.0, confidence)


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
