"""Intervals against published and hand-computed values."""

import numpy as np
import pytest

from thinksafe.intervals import (
    Estimate,
    average,
    clustered,
    over_replicates,
    paired,
    pass_at_k,
    ratio,
    seed_variance,
    seeded,
    widened,
    wilson,
)


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [  # Newcombe (1998), Statistics in Medicine 17:857, Table I, method 3
        (81, 263, 25.53, 36.62),
        (15, 148, 6.24, 16.05),
        (0, 20, 0.00, 16.11),
        (1, 29, 0.61, 17.18),
    ],
)
def test_wilson(count, n, low, high):
    found = wilson(count, n)
    assert found.value == pytest.approx(100 * count / n)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.005), pytest.approx(high, abs=0.005))


def test_wilson_of_nothing():
    for count, n in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="not a fraction"):
            wilson(count, n)


def test_pass_at_k():
    counts = [1, 8, 0]  # evaluation.md 2.1: 37.5 and 66.667
    assert sum(pass_at_k(8, count, 1) for count in counts) / 3 == pytest.approx(0.375)
    assert sum(pass_at_k(8, count, 8) for count in counts) / 3 == pytest.approx(2 / 3)
    assert pass_at_k(5, 2, 3) == pytest.approx(1 - 1 / 10)  # one of the ten triples has no right sample
    with pytest.raises(ValueError):
        pass_at_k(4, 1, 8)


def test_clustered_is_nearly_wilson_for_one_draw():
    found, plain = clustered([0, 1, 1, 0, 1] * 200, 1), wilson(600, 1000)
    assert found.value == 60.0
    assert found.low == pytest.approx(plain.low, abs=0.02)
    assert found.high == pytest.approx(plain.high, abs=0.02)


def test_clustered_counts_problems_where_draws_agree():
    # Draws that always agree say no more than one draw: 15 of 30 problems, not 120 of 240 samples.
    agreeing, single = clustered([8, 0] * 15, 8), clustered([1, 0] * 15, 1)
    assert agreeing.n == 240 and single.n == 30
    assert (agreeing.low, agreeing.high) == (pytest.approx(single.low), pytest.approx(single.high))
    # Draws that disagree inside each problem as coins would: all 240 count.
    coins = clustered([4] * 30, 8)
    assert coins.high - coins.low < 0.45 * (agreeing.high - agreeing.low)


@pytest.mark.parametrize("value", [0, 8])
def test_clustered_has_width_at_the_ends(value):
    found = clustered([value] * 30, 8)
    away = found.high if value == 0 else 100 - found.low
    assert away == pytest.approx(100 * 2.04523**2 / (30 + 2.04523**2), abs=0.01)  # t(29) squared over n + t squared
    assert 0 in (found.low, 100 - found.high)


def test_clustered_one_problem_tells_nothing():
    assert clustered([3], 8) == Estimate(37.5, 0.0, 100.0, 8)


def test_average():
    found = average([Estimate(50, 40, 62, 100), Estimate(10, 7, 15, 300)])
    assert found.value == 30 and found.n == 400
    assert found.low == pytest.approx(30 - (100 + 9) ** 0.5 / 2)
    assert found.high == pytest.approx(30 + (144 + 25) ** 0.5 / 2)
    one = average([Estimate(50, 40, 62, 100)])
    assert (one.low, one.high) == (40, 62)


def test_paired_bonett_price():
    # Fagerland, Lydersen and Laake (2014), Table V (Bentur et al. 2009): 1 and 7 discordant of 21; -0.508 to -0.013.
    before = [1] * 7 + [0] + [1] + [0] * 12
    after = [0] * 7 + [1] + [1] + [0] * 12
    found = paired(before, after)
    assert found.value == pytest.approx(-100 * 6 / 21)
    assert (found.low, found.high) == (pytest.approx(-50.8, abs=0.05), pytest.approx(-1.3, abs=0.05))
    back = paired(after, before)
    assert (back.low, back.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


def test_paired_no_change_in_few_prompts_has_width():
    few, many = paired([0] * 10, [0] * 10), paired([0] * 1000, [0] * 1000)
    assert few.high > 20 and many.high < 0.5
    everything = paired([1] * 10, [0] * 10)
    assert everything.low == -100.0 == everything.value and everything.high < -50


def test_paired_needs_pairs():
    for before, after in (([], []), ([1], [1, 0])):
        with pytest.raises(ValueError, match="pair"):
            paired(before, after)


def bounds(upper, lower, **more):
    found = ratio(upper, lower, **more)
    return found["value"], found["low"], found["high"]


def test_ratio():
    gains = [[0.0, 1.0, 1.0, 1.0] * 2500, [0.0, 1.0] * 5000]
    value, low, high = bounds([[x / 2 for x in part] for part in gains], gains)
    assert value == pytest.approx(0.5) and high - low < 0.002  # proportional prompt by prompt: nearly certain
    gains = [part[:100] for part in gains]
    value, low, high = bounds([[0.0, 0.0, 1.0, 0.0] * 25, [0.0, 0.0] * 50], gains)
    assert value == pytest.approx(0.25 / 1.25) and 0 < low < value < high < 0.5
    value, low, high = bounds([[0.0] * 100] * 2, gains)
    assert value == 0 and low < -0.01 and high > 0.01  # no gain in a hundred prompts is not no gain for sure
    assert bounds([[1.0, 0.0]], [[1.0, -1.0]]) == (None, None, None)
    assert bounds([[1.0, 0.0]], [[1.0, 0.0]])[1:] == (None, None)  # two prompts bound nothing


def test_a_ratio_of_gains_on_different_prompts_has_no_covariance():
    ups, lows = [[0.1, 0.3, 0.2, 0.4] * 30], [[0.5, 0.5, 0.4, 0.6, 0.6, 0.4, 0.5, 0.5] * 15]
    value, low, high = bounds(ups, lows, same_prompts=False)
    assert value == pytest.approx(0.5) and low < 0.5 < high
    assert bounds(ups, lows)[0] == pytest.approx(value)
    # Four times as many columns leave the mean as it is, and narrow the interval.
    more = bounds(ups * 4, lows * 4, same_prompts=False)
    assert more[0] == pytest.approx(value) and more[2] - more[1] < high - low


# ---------------------------------------------------------------- several seeds
def test_seed_variance_is_between_the_seeds_means():
    assert seed_variance([[[0.0, 0.5], [0.5, 1.0]]]) == pytest.approx(0.125 / 2)  # means 0.25, 0.75
    assert seed_variance([[[0.0, 1.0], [1.0, 0.0]]]) == 0
    assert seed_variance([[[0.2], [0.4]]]) == seed_variance([]) == 0  # one seed tells nothing
    # Over benchmarks: seeds that help one as much as they harm another move no average.
    assert seed_variance([[[0.0, 0.5], [0.5, 1.0]], [[0.5, 0.0], [1.0, 0.5], [0.75, 0.25]]]) == pytest.approx(0)


def test_what_seeds_add():
    own = Estimate(40.0, 36.0, 44.5, 600)
    assert widened(own, 0.0, 3, 600) == own == widened(own, 0.1, 1, 600)
    more = widened(own, 0.02**2, 3, 600)
    assert more.low < 36 and more.high > 44.5 and (more.high - 40) / (40 - more.low) == pytest.approx(4.5 / 4)
    two = widened(own, 0.02**2, 2, 600)
    assert two.high - two.low > more.high - more.low  # of two seeds less is known than of three
    assert widened(own, 1.0, 2, 600) == Estimate(40.0, 0.0, 100.0, 600)
    changed = seeded(Estimate(-5.0, -8.0, -2.0, 10), [[[-0.5, 0.4], [-0.5, 0.4]]])
    assert changed.low < -50 and changed.high > 40
    one = Estimate(10.0, 8.0, 13.0, 100)
    assert over_replicates([one]) == one
    pair = over_replicates([one, Estimate(20.0, 18.0, 23.0, 100)])
    assert (pair.value, pair.n) == (15.0, 200) and pair.low == 0.0 and pair.high > 40
    assert over_replicates([one, one]) == Estimate(10.0, 8.0, 13.0, 200)


@pytest.mark.parametrize(
    ("prompts", "seeds", "draws", "middle", "of_prompts", "of_seeds"),
    [
        (250, 3, 1, -0.5, 1.5, 0.0),  # seeds that do not matter
        (250, 3, 1, -0.5, 1.5, 0.3),
        (250, 5, 1, -3.0, 1.0, 0.4),  # hardly anything harmful
        (30, 3, 8, 0.0, 2.0, 0.2),  # AIME
        (2000, 3, 1, -0.5, 1.5, 0.1),
        (600, 3, 1, -4.0, 1.0, 0.3),
    ],
)
def test_an_interval_over_prompts_and_seeds_covers(prompts, seeds, draws, middle, of_prompts, of_seeds):
    """Of 300 worlds with other prompts and seeds, about 95 % have the true mean inside."""
    rng = np.random.default_rng(7)

    def share(logits):
        return 1 / (1 + np.exp(-logits))

    wide = middle + of_prompts * rng.standard_normal(200_000) + of_seeds * rng.standard_normal(200_000)
    true, inside, alone = 100 * share(wide).mean(), 0, 0
    for _ in range(300):
        logits = middle + of_prompts * rng.standard_normal((prompts, 1)) + of_seeds * rng.standard_normal(seeds)
        table = rng.binomial(draws, share(logits)) / draws
        counts = [round(total) for total in (table.sum(1) * draws).tolist()]
        plain = clustered(counts, draws * seeds)
        found = seeded(plain, [table.tolist()], least=0.0)
        inside += found.low <= true <= found.high
        alone += plain.low <= true <= plain.high
    assert 0.92 <= inside / 300 <= 0.995, inside / 300
    if of_seeds and prompts * of_seeds > 60:
        assert alone / 300 < 0.9  # what an interval over prompts alone leaves out
