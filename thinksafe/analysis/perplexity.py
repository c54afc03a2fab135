"""Perplexity from likelihoods, with intervals over examples (paper Sec. 5.5, Figure 8)."""

from collections.abc import Sequence
from math import exp, sqrt
from statistics import fmean, stdev

Sums = Sequence[tuple[int, float]]  # of each example: tokens, and the sum of their negative log-likelihoods in nats


def corpus_perplexity(sums: Sums, confidence: float) -> tuple[float, float, float]:
    """Return exp of the mean over all tokens, with its interval over examples.

    The mean is a ratio of two sums over examples; its standard error is the usual one of a ratio (Cochran 1977,
    "Sampling Techniques", Eq. 6.13), and the bounds are exponentiated.
    """
    from scipy.stats import norm

    tokens, nats, n = sum(count for count, _ in sums), sum(loss for _, loss in sums), len(sums)
    mean = nats / tokens
    spread = sum((loss - mean * count) ** 2 for count, loss in sums) * n / max(1, n - 1)
    side = float(norm.ppf(0.5 + confidence / 2)) * sqrt(spread) / tokens
    return exp(mean), exp(mean - side), exp(mean + side)


def example_perplexity(sums: Sums, confidence: float) -> tuple[float, float, float]:
    """Return the geometric mean of the examples' own perplexities, each example alike, with Student's interval."""
    from scipy.stats import t

    logs = [loss / count for count, loss in sums]
    mean, n = fmean(logs), len(logs)
    side = float(t.ppf(0.5 + confidence / 2, n - 1)) * stdev(logs) / sqrt(n) if n > 1 else 0.0
    return exp(mean), exp(mean - side), exp(mean + side)
