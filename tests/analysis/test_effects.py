"""Verdicts on effects."""

import pytest

from thinksafe.analysis.effects import effect_verdict
from thinksafe.intervals import (
    Estimate,
)


@pytest.mark.parametrize(
    ("kind", "value", "low", "high", "expected"),
    [
        ("harm", -20, -30, -10, "helps"),
        ("harm", -20, -45, 5, "too few samples to tell"),
        ("harm", -3, -4, -2, "does not help"),  # a drop for sure, but too small to matter
        ("harm", -4, -7, -1, "too few samples to tell"),
        ("harm", 10, 5, 15, "does not help"),
        ("refusal", 1, -2, 4, "keeps"),
        ("refusal", 20, 10, 30, "costs"),
        ("refusal", 4, -2, 10, "too few samples to tell"),
        ("reasoning", -1, -4, 2, "keeps"),
        ("reasoning", 8, 4, 12, "keeps"),
        ("reasoning", -20, -30, -10, "costs"),
        ("reasoning", -4, -9, 1, "too few samples to tell"),
    ],
)
def test_verdicts(kind, value, low, high, expected):
    assert effect_verdict(Estimate(value, low, high, 100), 5.0, kind) == expected
