"""Pre-training: every row once, the loss on the completion, a learning rate that rises and falls."""

import pytest

from thinksafe.miniature.pretraining import LAST_RATE, batches, rate, row_of


def test_every_row_comes_once_among_rows_of_similar_length():
    rows = [row_of([1] * length, [2]) for length in (3, 50, 4, 51, 5, 52, 6)]

    found = list(batches(rows, 3, seed=0))

    assert sorted(len(row.ids) for batch in found for row in batch) == sorted(len(row.ids) for row in rows)
    assert sorted([len(row.ids) for row in batch] for batch in found) == [[4, 5, 6], [7, 51, 52], [53]]
    assert list(batches(rows, 3, seed=0)) == found
    assert any(list(batches(rows, 3, seed)) != found for seed in range(1, 9))


def test_the_loss_is_on_the_completion_or_on_marked_tokens():
    assert row_of([1, 2], [3, 4]).learnt == [False, False, True, True]
    assert row_of([1, 2], [3, 4], [True, False]).learnt == [False, False, True, False]


def test_the_learning_rate_rises_and_falls():
    rates = [rate(step, 1000) for step in range(1000)]

    assert rates[0] == pytest.approx(1 / 50) and max(rates) == rates[49] == rates[50] == 1
    assert rates[-1] == pytest.approx(LAST_RATE, abs=0.002) and min(rates) > 0
