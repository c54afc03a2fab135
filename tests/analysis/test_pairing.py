"""Outcomes by prompt, paired between two arms."""

import pytest

from thinksafe.analysis.pairing import by_seed, mean_change, over_seeds, pair_up

OLD = [{"a": 1.0, "b": 0.0, "c": None}, {"a": 0.0, "b": 0.0, "c": 1.0}]
NEW = [{"a": 0.0, "b": 1.0, "c": 1.0, "d": 1.0}, {"a": 0.0, "b": 1.0, "c": 0.0, "d": 1.0}]


def test_a_mean_over_seeds_is_over_those_in_which_a_prompt_is_known():
    assert over_seeds(OLD) == {"a": 0.5, "b": 0.0, "c": 1.0}
    assert over_seeds(OLD[:1]) == OLD[0]


def test_prompts_that_one_arm_does_not_know_are_left_out_of_a_pair():
    pair = pair_up(OLD, NEW)
    assert (pair.before, pair.after, pair.left_out) == ([0.5, 0.0, 1.0], [0.0, 1.0, 0.5], 1)
    assert pair.by_seed == [[-1.0, 0.0], [1.0, 1.0]]  # of the prompts that are known under every seed


def test_replicates_are_paired_in_order_and_surplus_ones_left_out():
    assert by_seed(NEW, OLD[:1]) == [[-1.0], [1.0]]
    assert by_seed(NEW)[0] == [0.0, 0.0] and by_seed([{"a": None}]) == []


def test_a_mean_change_is_over_benchmarks_and_wider_with_seeds_that_differ():
    one, two = pair_up(OLD, NEW), pair_up(OLD[:1], NEW[:1])
    assert mean_change([one, two], 0.95).value == pytest.approx(100 * ((-0.5 + 1 - 0.5) / 3 + (-1 + 1) / 2) / 2)
    calm = pair_up([{"a": 0.0, "b": 0.0}] * 2, [{"a": 0.5, "b": 0.5}] * 2)
    moved = pair_up([{"a": 0.0, "b": 0.0}] * 2, [{"a": 0.0, "b": 0.0}, {"a": 1.0, "b": 1.0}])
    assert mean_change([moved], 0.95).low < mean_change([calm], 0.95).low
