"""Intervals for fractions, averages and differences, in per cent; the paper gives numbers without spread."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb, inf, sqrt
from statistics import fmean, stdev, variance


@dataclass(frozen=True)
class Estimate:
    """A number with its interval: ``value``, ``low`` and ``high`` in per cent or points, ``n`` observations."""

    value: float
    low: float
    high: float
    n: int


def wilson(count: int, n: int, confidence: float = 0.95) -> Estimate:
    """Return the fraction ``count`` of ``n`` with Wilson's score interval, which has a width at 0 % and 100 % too.

    Source: Wilson (1927); Newcombe (1998), "Two-sided confidence intervals for the single proportion", method 3.

    Raises
    ------
    ValueError
        If ``n`` is 0, or ``count`` is outside 0..``n``.
    """
    if not 0 <= count <= n or n == 0:
        raise ValueError(f"{count} of {n} is not a fraction")
    from scipy.stats import binomtest

    interval = binomtest(count, n).proportion_ci(confidence, method="wilson")
    return Estimate(100 * count / n, 100 * float(interval.low), 100 * float(interval.high), n)


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Return the unbiased estimate, from ``correct`` of ``n``, of the chance in [0, 1] that one of ``k`` is right.

    Source: Chen et al. (2021), "Evaluating large language models trained on code", Eq. 1.
    """
    if not 0 <= correct <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {correct} right in {n} samples is not defined")
    return 1 - comb(n - correct, k) / comb(n, k)


def score_interval(p: float, n: float, z: float) -> tuple[float, float]:
    """Return Wilson's bounds in [0, 1] for a fraction ``p`` of ``n``, neither of which need be a whole count."""
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def clustered(counts: Sequence[int], draws: int, confidence: float = 0.95) -> Estimate:
    """Return mean pass@1 over problems, with an interval over problems rather than over samples.

    This is Wilson's interval with the effective sample size of the clusters, p(1-p)/var(p), where var(p) is the
    variance of the problems' means over their number, and with Student's t for the normal quantile. The size is kept
    between the number of problems less one and the number of samples. Where all samples are right or all are wrong the
    variance is no estimate, and each problem counts once: 30 problems all wrong give 0 to about 12 %, not 0 to 0.

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
    low, high = score_interval(p, size, float(t.ppf((1 + confidence) / 2, problems - 1)))
    low, high = (0.0 if p == 0 else max(low, 0.0)), (1.0 if p == 1 else min(high, 1.0))
    return Estimate(100 * p, 100 * low, 100 * high, problems * draws)


def average(parts: Sequence[Estimate]) -> Estimate:
    """Return the mean of independent columns; each half-width is the root of the sum of the columns' squared ones.

    Each side uses the columns' bounds on that side, so that the average of skewed intervals is skewed.

    Source: Zou and Donner (2008), "Construction of confidence intervals about effect measures" (MOVER).
    """
    if not parts:
        raise ValueError("no columns to average")
    value = sum(part.value for part in parts) / len(parts)
    below = sqrt(sum((part.value - part.low) ** 2 for part in parts)) / len(parts)
    above = sqrt(sum((part.high - part.value) ** 2 for part in parts)) / len(parts)
    return Estimate(value, value - below, value + above, sum(part.n for part in parts))


def seed_variance(parts: Sequence[Sequence[Sequence[float]]]) -> float:
    """Return the variance between seeds of a mean over benchmarks and seeds; 0 of a single seed.

    This is the variance of the seeds' means, divided by their number. The variance between samples is in it and in an
    interval over prompts as well, so that both together are wide rather than narrow; subtracting it, as an analysis of
    variance does, covers too little where seeds are few (docs/scoring.md).

    Parameters
    ----------
    parts : sequence of shape (benchmarks, prompts, seeds)
        Outcomes, or changes of them, in [-1, 1]; benchmarks may differ in prompts, but not in seeds.
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
    """Return an estimate over prompts whose interval has the variance between seeds too, on each side in proportion.

    The total variance has Satterthwaite's degrees of freedom: few seeds that differ give a wide interval; seeds that do
    not differ leave it as it is.

    Source: Satterthwaite (1946), "An approximate distribution of estimates of variance components".

    Parameters
    ----------
    between : variance between seeds (`seed_variance`)
    least, most : the smallest and the largest possible value, in per cent
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
    """Return a mean over prompts, of changes or (``least`` 0) of outcomes, with the variance between seeds added.

    ``parts`` is as for `seed_variance`; where one of them is empty, the estimate stays as it is.
    """
    if not all(parts):
        return estimate
    prompts, seeds = sum(map(len, parts)), min(len(part[0]) for part in parts)
    return widened(estimate, seed_variance(parts), seeds, prompts, confidence, least)


def over_replicates(
    found: Sequence[Estimate], confidence: float = 0.95, least: float = 0.0, most: float = inf
) -> Estimate:
    """Return the mean over replicates of which only intervals over prompts are known.

    Its interval is the mean interval, with the variance between replicates added.
    """
    mean = Estimate(
        *(sum(getattr(one, name) for one in found) / len(found) for name in ("value", "low", "high")),
        sum(one.n for one in found),
    )
    if len(found) < 2:
        return mean
    between = variance([one.value for one in found]) / len(found)
    return widened(mean, between / 100**2, len(found), mean.n // len(found), confidence, least, most)


def replicate_row(
    found: Sequence[Estimate], confidence: float, least: float = 0.0, most: float = inf
) -> dict[str, float | None]:
    """Return `over_replicates` as columns of a tidy table, with the number of replicates and their deviation."""
    values = [one.value for one in found]
    std = stdev(values) if len(values) > 1 else None
    return asdict(over_replicates(found, confidence, least, most)) | {"replicates": len(found), "std": std}


def paired(before: Sequence[float], after: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return the mean change ``after - before`` over the same prompts, in points, with its interval.

    For yes/no outcomes this is the interval of Bonett and Price for paired fractions: one prompt that got better and
    one that got worse are added before the ordinary formula, so that no change in few prompts still has a width. Means
    over several samples of a prompt are treated alike. ``value`` is the mean change without the two.

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
        raise ValueError(f"{len(before)} and {len(after)} prompts cannot be paired")
    n = len(before)
    changes = [new - old for old, new in zip(before, after, strict=True)]
    middle = sum(changes) / (n + 2)
    variance = (sum(change * change for change in changes) + 2) / (n + 2) - middle * middle
    half = float(norm.ppf((1 + confidence) / 2)) * sqrt(variance / (n + 2))
    # Where every prompt changed, the interval around the shrunken centre may miss the mean: widen it to the mean.
    value = sum(changes) / n
    low, high = min(max(middle - half, -1.0), value), max(min(middle + half, 1.0), value)
    return Estimate(100 * value, 100 * low, 100 * high, n)


def ratio(
    upper: Sequence[Sequence[float]],
    lower: Sequence[Sequence[float]],
    confidence: float = 0.95,
    seeds: Sequence[Sequence[Sequence[Sequence[float]]]] | None = None,
    same_prompts: bool = True,
) -> dict[str, float | None]:
    """Return ``value``, ``low`` and ``high`` of one mean gain as a fraction of another; None where unbounded.

    Both gains are means over benchmarks of means over prompts. The interval is Fieller's, with the two prompts of
    `paired` added to the variances. The bounds are None where the lower gain is not clearly different from 0, and all
    three are None where it is 0. The variance between seeds is added as if seeds moved both gains independently.

    Source: Fieller (1954), "Some problems in interval estimation".

    Parameters
    ----------
    upper, lower : sequences of sequences of float
        For each benchmark the gains of its prompts.
    seeds : pair of sequences of shape (benchmarks, prompts, seeds)
        Both gains by seed.
    same_prompts : whether both gains are on the same prompts, in the same order, and so have a covariance
    """
    from scipy.stats import norm

    between = [seed_variance(parts) if all(parts) else 0.0 for parts in seeds or ((), ())]
    (a, var_a), (b, var_b) = (_mean_gain(*pair) for pair in zip((upper, lower), between, strict=True))
    cov = 0.0
    for ups, lows in zip(upper, lower, strict=True) if same_prompts else ():
        mean_a, mean_b = fmean(ups), fmean(lows)
        cov += sum((x - mean_a) * (y - mean_b) for x, y in zip(ups, lows, strict=True)) / (len(ups) + 2) ** 2
    cov /= len(upper) ** 2
    if b == 0:
        return {"value": None, "low": None, "high": None}
    z2 = float(norm.ppf((1 + confidence) / 2)) ** 2
    lead, cross, tail = b * b - z2 * var_b, a * b - z2 * cov, a * a - z2 * var_a
    if lead <= 0:
        return {"value": a / b, "low": None, "high": None}
    root = sqrt(max(cross * cross - lead * tail, 0.0))
    return {"value": a / b, "low": (cross - root) / lead, "high": (cross + root) / lead}


def _mean_gain(benchmarks: Sequence[Sequence[float]], between: float) -> tuple[float, float]:
    """Return a mean gain and its variance, with the two prompts of `paired` and the variance between seeds."""
    total = variance = 0.0
    for gains in benchmarks:
        mean = fmean(gains)
        total += mean
        variance += (sum((gain - mean) ** 2 for gain in gains) + 2) / (len(gains) + 2) ** 2
    return total / len(benchmarks), variance / len(benchmarks) ** 2 + between
