"""Perplexities and their intervals, against numbers by hand."""

from math import exp, log

import pytest
import torch

from thinksafe.analysis.perplexity import corpus_perplexity, example_perplexity


def test_perplexities_by_hand():
    sums = [(2, 2 * log(4)), (6, 6 * log(2))]
    assert corpus_perplexity(sums, 0.95)[0] == pytest.approx(exp((2 * log(4) + 6 * log(2)) / 8))
    assert example_perplexity(sums, 0.95)[0] == pytest.approx((4 * 2) ** 0.5)
    for measure in (corpus_perplexity, example_perplexity):
        assert measure([(5, 5 * log(3))] * 4, 0.95) == pytest.approx((3, 3, 3))
        assert measure([(5, 5 * log(3))], 0.95) == pytest.approx((3, 3, 3))
        value, low, high = measure(sums, 0.95)
        assert low < value < high and value / low == pytest.approx(high / value)


def test_intervals_cover_the_truth_as_often_as_they_say():
    draw = torch.Generator().manual_seed(0)
    covered = {"corpus": 0, "example": 0}
    for _ in range(300):
        counts = torch.randint(20, 200, (60,), generator=draw)
        means = 1.0 + 0.4 * torch.randn(60, generator=draw)
        sums = [(int(count), float(count * mean)) for count, mean in zip(counts, means, strict=True)]
        for name, measure in (("corpus", corpus_perplexity), ("example", example_perplexity)):
            _, low, high = measure(sums, 0.95)
            covered[name] += low <= exp(1.0) <= high
    assert all(275 <= count <= 297 for count in covered.values()), covered
