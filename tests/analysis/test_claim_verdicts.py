"""Verdicts on claims, with the paper's own numbers as the golden test."""

import csv

import numpy as np
import pytest
import yaml

from tests.analysis.test_claims import RUN, ours, small
from thinksafe.analysis.claim_verdicts import claim_verdict
from thinksafe.analysis.claims import Cells, at_least, students_counted

# The text's 22.6 % loss of Qwen3-1.7B is a cell here, read as relative; the check by hand counts it as not printed.
READ_AS_RELATIVE = {"D08": "holds"}


def printed() -> Cells:
    """Return the printed cells; averages are computed from their columns, as in a run."""
    values: dict = {}
    for name in ("table6", "table7", "table3", "text_cells"):
        with open(f"config/paper/{name}.csv", encoding="utf-8") as handle:
            for row in csv.DictReader(handle):
                if name == "text_cells" or row["metric"] not in ("safety_avg", "reasoning_avg"):
                    values[row["student"], row["method"], row["metric"]] = np.array([float(row["value"])])
    harm = ("harmbench", "strongreject", "wildjailbreak")
    averages = {
        "harm_avg3": harm,
        "safety_avg": (*harm, "xstest"),
        "reasoning_avg": ("aime24", "gsm8k", "math500", "gpqa"),
    }
    for student, method, metric in list(values):
        if metric == "harmbench":
            for average, columns in averages.items():
                values[student, method, average] = np.mean([values[student, method, one] for one in columns], 0)
    return Cells(values, partial=True)


def test_printed_numbers_give_the_verdicts_that_they_give_by_hand() -> None:
    claims, sets = ours()
    cells = printed()
    found = {name: claim_verdict(claim, sets | RUN, cells, 0.95)["by_numbers"] for name, claim in claims.items()}
    with open("tests/analysis/paper_verdicts.yaml", encoding="utf-8") as handle:
        wanted = {name: verdict for verdict, names in yaml.safe_load(handle).items() for name in names}
    assert len(wanted) == 77
    assert {name: found[name] for name in wanted} == wanted | READ_AS_RELATIVE
    assert {name: found[name] for name in found.keys() - wanted.keys()} == {"T01": "not run", "T02": "not run"}


def test_resamplings_decide() -> None:
    claim, sets = small("harm[s, ma] < 10 for s in qwen3")
    draws = np.arange(100.0)

    def verdict(below: int) -> dict:
        values = {("s1", "ma", "harm"): np.r_[9.0, np.where(draws < below, 9.0, 11.0)]}
        return claim_verdict(claim, sets, Cells(values), 0.95)

    assert [verdict(n)["verdict"] for n in (100, 95, 94, 6, 5)] == ["holds", "holds", "undecided", "undecided", "fails"]
    found = verdict(94)
    assert (found["by_numbers"], found["share"], found["missing"]) == ("holds", 0.94, [])


@pytest.mark.parametrize("rule", ["{}", "count({}) >= 1", "share({}) > 0.4"])
def test_a_claim_wants_all_of_its_cells(rule: str) -> None:
    claim, sets = small(rule.format("harm[s, ma] < 10 for s in students"))
    some = {("s1", "ma", "harm"): np.array([9.0])}
    found = claim_verdict(claim, sets, Cells(some), 0.95)
    assert (found["verdict"], found["by_numbers"], found["missing"]) == ("not run", "not run", ["t1, ma, harm"])
    assert found["parts"]["s1"]["by_numbers"] == "holds" and found["parts"]["t1"]["by_numbers"] == "not run"
    assert claim_verdict(claim, sets, Cells(some, partial=True), 0.95)["verdict"] == "holds"
    assert claim_verdict(claim, {**sets, "students": ["s1"]}, Cells(some), 0.95)["verdict"] == "holds"  # the run's
    assert claim_verdict(claim, {**sets, "students": []}, Cells(some), 0.95)["verdict"] == "not run"


def test_so_many_cannot_be_told_of_fewer() -> None:
    claim, sets = small("count(harm[s, ma] < 10 for s in qwen3) >= 2")
    assert at_least(claim.predicate) == 2
    found = claim_verdict(claim, sets, Cells({("s1", "ma", "harm"): np.array([9.0])}), 0.95)
    assert found["verdict"] == "not run"


def test_terms_and_conditions_compute_what_they_say() -> None:
    values = {("s1", "ma", "harm"): np.array([6.0]), ("s1", "initial", "harm"): np.array([9.0])}
    for holds, wanted in {
        "change(harm[s1, ma]) <= -3": "holds",
        "change(harm[s1, ma]) < -3": "fails",
        "abs(harm[s1, ma] - harm[s1, initial]) > 2.9": "holds",
        "2 * harm[s1, ma] + 1 > 12": "holds",
        "harm[s1, initial] / harm[s1, ma] >= 1.5": "holds",
        "5 < harm[s1, ma] < 7": "holds",
        "5 < harm[s1, ma] < 6": "fails",
        "harm[s1, ma] > 6 or harm[s1, ma] < 7": "holds",
        "any(harm[s1, ma] > 6, harm[s1, ma] > 7)": "fails",
        "all(harm[s1, ma] > 5, harm[s1, ma] > 7)": "fails",
        "count(harm[s1, ma] > 5, harm[s1, ma] > 7) >= 1": "holds",
        "mean(harm[s1, x] for x in [ma, initial]) >= 7.5": "holds",
        "mean(harm[s1, x] for x in [ma, initial]) > 7.5": "fails",
        "0 / 0 < 1": "fails",
    }.items():
        claim, sets = small(holds)
        assert claim_verdict(claim, sets, Cells(values), 0.95)["verdict"] == wanted, holds


def test_a_correlation_over_methods() -> None:
    holds = "rank_correlation((p1[s, x], r1[s, x]) for s in students for x in {}) < 0"
    claim, sets = small(holds.format("pair"))
    cells = {}
    for place, (student, method) in enumerate([("s1", "ma"), ("s1", "mb"), ("t1", "ma"), ("t1", "mb")]):
        cells[student, method, "p1"], cells[student, method, "r1"] = np.array([1.0 * place]), np.array([-2.0 * place])
    assert claim_verdict(claim, sets, Cells(cells), 0.95)["by_numbers"] == "holds"
    more, _ = small(holds.format("[ma, mb, mc]"))
    found = claim_verdict(more, sets, Cells(cells), 0.95)
    assert (found["by_numbers"], found["missing"]) == ("holds", [])  # it takes the points that there are
    cells.pop(("t1", "mb", "p1"))
    found = claim_verdict(claim, sets, Cells(cells), 0.95)
    assert (found["by_numbers"], found["missing"]) == ("not run", ["t1, mb, p1"])


def test_students_count_who_are_meant_to_have_every_method() -> None:
    """A student without a method by the config does not count; one whose cell should be there and is not, does."""
    claim, sets = small("harm[s, ma] < harm[s, initial] for s in students")
    own = {"students": ["s1", "t1"], "qwen3": ["s1"], "r1": ["t1"]}
    over = students_counted(claim.predicate, sets, own, lambda cell: cell[:2] != ("t1", "ma"))
    assert over == {"students": ["s1"]}
    one = {("s1", "ma", "harm"): np.array([1.0]), ("s1", "initial", "harm"): np.array([2.0])}
    assert claim_verdict(claim, sets | over, Cells(one), 0.95)["verdict"] == "holds"
    both = students_counted(claim.predicate, sets, own, lambda cell: True)
    assert both == {"students": ["s1", "t1"]}
    assert claim_verdict(claim, sets | both, Cells(one), 0.95)["verdict"] == "not run"
    nobody = students_counted(claim.predicate, sets, own, lambda cell: False)
    assert nobody == {"students": ["s1", "t1"]}  # and their cells missing
    named, _ = small("harm[s, ma] < 1 for s in [t1]")
    assert students_counted(named.predicate, sets, own, lambda cell: False) == {}


@pytest.mark.parametrize(
    "rule, margin, verdict",
    [
        ("{}", -1.0, "fails"),
        ("count({}) >= 1", 3.0, "holds"),
        ("share({}) > 0.5", -1.0, "fails"),
        ("share({}) > 0.4", 3.0, "holds"),
    ],
)
def test_a_margin_is_where_the_claim_is_decided(rule: str, margin: float, verdict: str) -> None:
    claim, sets = small(rule.format("harm[s1, x] < 10 for x in pair"))
    cells = {("s1", "ma", "harm"): np.array([7.0]), ("s1", "mb", "harm"): np.array([11.0])}
    found = claim_verdict(claim, sets, Cells(cells), 0.95)
    assert (found["margin"], found["verdict"], found["low"]) == (margin, verdict, None)


def test_a_margins_interval_says_what_the_verdict_says() -> None:
    claim, sets = small("harm[s1, ma] < 10")
    draws = np.arange(400.0)
    for below in (400, 381, 379, 200, 21, 19, 0):
        cells = Cells({("s1", "ma", "harm"): np.r_[9.0, np.where(draws < below, 9.0, 11.0)]})
        found = claim_verdict(claim, sets, cells, 0.95)
        said = "holds" if found["low"] > 0 else "fails" if found["high"] < 0 else "undecided"
        assert found["verdict"] == said, below
