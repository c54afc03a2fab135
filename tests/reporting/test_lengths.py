"""Lengths of training responses."""

from thinksafe.reporting.lengths import without_longest


def test_longest_hundredth_is_not_drawn():
    assert without_longest([3, 1, 2]) == [1, 2, 3]
    assert without_longest(list(range(200))) == list(range(198))
