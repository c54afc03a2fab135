"""The paper's numbers, and the meaning of a difference from them."""

import csv

import numpy as np
import pytest
import yaml

from thinksafe.analysis.paper_cells import AGREES, DIFFERS, UNCLEAR, difference, difference_verdict, prompts_needed
from thinksafe.intervals import (
    Estimate,
    wilson,
)
from thinksafe.reporting.tables import read_csv

NOTES = yaml.safe_load(open("config/paper/footnotes.yaml", encoding="utf-8"))


@pytest.mark.parametrize(
    "value, low, high, said",
    [
        (0, -4, 4, AGREES),
        (3, 1, 4.9, AGREES),  # surely there, and too small to matter
        (6, 1, 11, DIFFERS),
        (-6, -11, -1, DIFFERS),
        (6, -1, 13, UNCLEAR),
        (3, 1, 6, UNCLEAR),
        (0, -5, 4, UNCLEAR),
    ],
)
def test_verdicts(value, low, high, said) -> None:
    assert difference_verdict(Estimate(value, low, high, 100), 5.0) == said


def test_a_difference_is_of_independent_numbers() -> None:
    """Newcombe (1998), table II (a): 56/70 - 48/80 is 0.2, from 0.0524 to 0.3339."""
    change = difference(wilson(56, 70), wilson(48, 80))
    assert (change.value, change.low, change.high) == pytest.approx((20.0, 5.24, 33.39), abs=0.01)


def test_as_many_as_needed_tell_in_four_of_five_cases() -> None:
    """So many prompts of both, drawn anew from shares 8 points apart: about 80 % of the intervals exclude 0."""

    n = prompts_needed(difference(wilson(240, 600), wilson(192, 600)), 5.0, 0.95)
    random = np.random.default_rng(1)
    ours, theirs = random.binomial(n, 0.40, 400), random.binomial(n, 0.32, 400)
    told = [
        difference_verdict(difference(wilson(a, n), wilson(b, n)), 5.0) == DIFFERS
        for a, b in zip(ours, theirs, strict=True)
    ]
    assert np.mean(told) == pytest.approx(0.8, abs=0.06)
    assert prompts_needed(Estimate(5.0, 0.0, 10.0, 100), 5.0, 0.95) > 100
    assert prompts_needed(Estimate(-5.0 + 5.0, -9.0, 9.0, 100), 0.0, 0.95) is None


def test_every_table_of_the_paper_ships() -> None:
    for number in range(1, 8):
        with open(f"config/paper/table{number}.csv", encoding="utf-8") as handle:
            assert len(list(csv.DictReader(handle))) > 3
    sizes = {row["benchmark"]: row["rows"] for row in read_csv("config/paper/sizes.csv")}
    assert sizes["harmbench"] == 602 and len(sizes) == 8


def test_every_footnote_belongs_to_a_printed_cell() -> None:
    for note in NOTES:
        for table in note["tables"]:
            rows = read_csv(f"config/paper/table{table}.csv")
            for part, column in (("students", "student"), ("methods", "method"), ("metrics", "metric")):
                assert set(note.get(part, [])) <= {row[column] for row in rows}, note
