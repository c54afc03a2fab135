"""The numbers that claims read, and their resamplings."""

import numpy as np
import pytest

from tests.paper_run import BENCHMARKS, write_items
from thinksafe.analysis.claim_numbers import RESAMPLINGS, add_resamplings, resample
from thinksafe.analysis.pairing import read_arms
from thinksafe.intervals import Estimate

SPEC = {"benchmarks": BENCHMARKS}


def test_the_same_prompts_are_drawn_for_every_method() -> None:
    one = {f"p{place}": float(place < 30) for place in range(100)}
    other = {name: 1 - value for name, value in one.items()}
    arms = {("s", "a"): {"harmbench": [one]}, ("s", "b"): {"harmbench": [other]}, ("s", "c"): {"xstest": [{"p": None}]}}
    found = resample(arms)
    assert found.keys() == {("s", "a", "harmbench"), ("s", "b", "harmbench")}
    a, b = found["s", "a", "harmbench"], found["s", "b", "harmbench"]
    assert a.shape == (RESAMPLINGS,) and np.allclose(a + b, 100)
    assert abs(a.mean() - 30) < 1 and 3.5 < a.std() < 5.7  # sqrt(0.3 * 0.7 / 100) is 4.6 points


def test_resamplings_are_of_what_the_tables_count(tmp_path) -> None:
    """An unknown verdict stays in a table's denominator: the same in each resampling, or a bound misses its number."""
    rows = write_items(tmp_path, {"initial": 80, "thinksafe": 20}, unknown=50)
    found = resample(read_arms(rows, SPEC, unknown_as_no=True))
    assert found["qwen3-mini", "thinksafe", "harmbench"].mean() == pytest.approx(20, abs=1)  # of 100, not of 50
    silent = resample(read_arms(write_items(tmp_path, {"thinksafe": 0}, unknown=100), SPEC, unknown_as_no=True))
    assert ("qwen3-mini", "thinksafe", "harmbench") not in silent


def test_nothing_of_a_hundred_is_not_nothing_for_sure() -> None:
    none, every = {f"p{place}": 0.0 for place in range(100)}, {f"p{place}": 1.0 for place in range(100)}
    found = resample({("s", "a"): {"xstest": [none]}, ("s", "b"): {"xstest": [none]}, ("s", "c"): {"xstest": [every]}})
    a, b, c = (found["s", method, "xstest"] for method in "abc")
    assert 1.5 < np.quantile(a, 0.95) < 2.5 and 97.5 < np.quantile(c, 0.05) < 98.5
    assert 0.4 < np.mean(a > b) < 0.6  # which of the two is less, nobody can tell


def test_a_number_without_rows_is_drawn_by_its_interval() -> None:
    numbers = {
        ("s", "m", "perplexity"): Estimate(2.0, 1.5, 4.0, 50),
        ("s", "m", "train_hours"): Estimate(2.0, 1.0, 3.0, 1),
        ("s", "m", "mu_h"): Estimate(5.0, None, None, 1),
    }
    found = add_resamplings(numbers, {}, 4000, 0.95)
    perplexity = found["s", "m", "perplexity"]
    assert perplexity[0] == 2 and np.mean(perplexity[1:] < 1.5) == pytest.approx(0.025, abs=0.01)
    assert np.mean(perplexity[1:] > 4) == pytest.approx(0.025, abs=0.01)
    assert set(found["s", "m", "train_hours"]) == {2.0} and set(found["s", "m", "mu_h"]) == {5.0}
