"""Claims: the vocabulary, the verdicts, and the paper's own numbers as the golden test of both."""

import csv

import numpy as np
import pytest
import yaml

from thinksafe.analysis.claim_verdicts import Cells, judge
from thinksafe.analysis.claims import ClaimError, asked, check_metrics, counted, read_claims

QWEN3 = ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b"]
R1 = ["r1-qwen-1.5b", "r1-qwen-7b", "r1-llama-8b"]
FAMILIES = ("qwen3", "r1")
RUN = {"students": QWEN3 + R1, "qwen3": QWEN3, "r1": R1}
# The text's 22.6 % loss of Qwen3-1.7B is a cell here, read as relative; the check by hand counts it as not printed.
READ_AS_RELATIVE = {"D08": "holds"}


def ours() -> tuple:
    with open("config/claims.yaml", encoding="utf-8") as handle:
        return read_claims(yaml.safe_load(handle), FAMILIES)


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
    found = {claim.id: judge(claim, sets | RUN, cells, 0.95)["by_numbers"] for claim in claims}
    with open("tests/analysis/paper_verdicts.yaml", encoding="utf-8") as handle:
        wanted = {name: verdict for verdict, names in yaml.safe_load(handle).items() for name in names}
    assert len(wanted) == 77
    assert {name: found[name] for name in wanted} == wanted | READ_AS_RELATIVE
    assert {name: found[name] for name in found.keys() - wanted.keys()} == {"T01": "not run", "T02": "not run"}


def small(predicate: dict) -> tuple:
    entry = {"section": "1", "text": "Something.", **predicate}
    claims, sets = read_claims({"sets": {"pair": ["a", "b"]}, "claims": {"A01": entry}}, FAMILIES)
    return claims[0], sets | {"students": ["s", "t"], "qwen3": ["s"], "r1": ["t"]}


@pytest.mark.parametrize(
    "predicate, message",
    [
        ({"that": "__import__('os')"}, "A01.that: no condition"),
        ({"that": [1, "==", 2]}, r"A01.that: \[term, one of"),
        ({"that": [["s", "m", "$x"], "<", 1]}, r"A01.that\[0\]: nothing says what \$x"),
        ({"every": {"s": "nobody"}, "that": [1, "<", 2]}, "A01.every.s: no set 'nobody'"),
        ({"that": [{"power": [2, 3]}, "<", 1]}, "A01.that.0.: no term"),
        ({"that": [{"minus": [2]}, "<", 1]}, "minus: 2 terms"),
        ({"at_least": True, "of": {"s": "pair"}, "that": [1, "<", 2]}, "A01.at_least: a number"),
    ],
)
def test_what_no_claim_can_say(predicate: dict, message: str) -> None:
    with pytest.raises(ClaimError, match=message):
        small(predicate)


def test_a_misspelt_metric_is_told() -> None:
    """It would be a claim that is never run."""
    claims = {"A01": {"every": {"s": "r1", "b": "pair"}, "that": [["$s", "m", "$b"], "<", ["$s", "m", "saftey_avg"]]}}
    given = {"sets": {"pair": ["harmbench", "xstest"]}, "claims": claims}
    with pytest.raises(ClaimError, match="A01: no metric is 'saftey_avg'; did you mean 'safety_avg'"):
        check_metrics(given, ["r1"], ["harmbench", "xstest", "safety_avg"])
    with pytest.raises(ClaimError, match="A01: no metric is 'xstest'; there are harmbench, saftey_avg"):
        check_metrics(given, ["r1"], ["harmbench", "saftey_avg"])


def test_resamplings_decide() -> None:
    claim, sets = small({"every": {"s": "qwen3"}, "that": [["$s", "m", "harm"], "<", 10]})
    draws = np.arange(100.0)

    def verdict(below: int) -> dict:
        return judge(claim, sets, Cells({("s", "m", "harm"): np.r_[9.0, np.where(draws < below, 9.0, 11.0)]}), 0.95)

    assert [verdict(n)["verdict"] for n in (100, 95, 94, 6, 5)] == ["holds", "holds", "undecided", "undecided", "fails"]
    found = verdict(94)
    assert (found["by_numbers"], found["share"], found["missing"]) == ("holds", 0.94, [])


@pytest.mark.parametrize("rule", [{"every": {}}, {"at_least": 1, "of": {}}, {"more_than": 0.4, "of": {}}])
def test_a_claim_wants_all_of_its_cells(rule: dict) -> None:
    over = {key: value if key in ("at_least", "more_than") else {"s": "students"} for key, value in rule.items()}
    claim, sets = small({**over, "that": [["$s", "m", "harm"], "<", 10]})
    some = {("s", "m", "harm"): np.array([9.0])}
    found = judge(claim, sets, Cells(some), 0.95)
    assert (found["verdict"], found["by_numbers"], found["missing"]) == ("not run", "not run", ["t, m, harm"])
    assert found["parts"]["s"]["by_numbers"] == "holds" and found["parts"]["t"]["by_numbers"] == "not run"
    assert judge(claim, sets, Cells(some, partial=True), 0.95)["verdict"] == "holds"
    assert judge(claim, {**sets, "students": ["s"]}, Cells(some), 0.95)["verdict"] == "holds"  # the run's students
    assert judge(claim, {**sets, "students": []}, Cells(some), 0.95)["verdict"] == "not run"


def test_so_many_cannot_be_told_of_fewer() -> None:
    claim, sets = small({"at_least": 2, "of": {"s": "qwen3"}, "that": [["$s", "m", "harm"], "<", 10]})
    assert judge(claim, sets, Cells({("s", "m", "harm"): np.array([9.0])}), 0.95)["verdict"] == "not run"


def test_a_correlation_over_methods() -> None:
    claim, sets = small(
        {
            "that": [
                {"rank_correlation": [["$s", "$x", "p"], ["$s", "$x", "r"]], "of": {"s": "students", "x": "pair"}},
                "<",
                0,
            ]
        }
    )
    cells = {}
    for place, (student, method) in enumerate([("s", "a"), ("s", "b"), ("t", "a"), ("t", "b")]):
        cells[student, method, "p"], cells[student, method, "r"] = np.array([1.0 * place]), np.array([-2.0 * place])
    assert judge(claim, sets, Cells(cells), 0.95)["by_numbers"] == "holds"
    more, _ = small({"that": [claim.predicate["that"][0] | {"of": {"s": "students", "x": ["a", "b", "c"]}}, "<", 0]})
    found = judge(more, sets, Cells(cells), 0.95)
    assert (found["by_numbers"], found["missing"]) == ("holds", [])  # it takes the points that there are
    cells.pop(("t", "b", "p"))
    found = judge(claim, sets, Cells(cells), 0.95)
    assert (found["by_numbers"], found["missing"]) == ("not run", ["t, b, p"])


def test_what_a_claim_asks_for() -> None:
    change = {"change": ["$s", "$x", "harm"]}
    claim, sets = small({"every": {"s": "students", "x": "pair"}, "that": {"all": [[change, "<", 0], [1, "<", 2]]}})
    found = set(asked(claim.predicate, sets))
    assert found == {(s, m, "harm") for s in ("s", "t") for m in ("a", "b", "initial")}
    term = {"rank_correlation": [["$s", "a", "p"], ["$s", "a", "r"]], "of": {"s": "qwen3"}}
    correlation, _ = small({"that": [term, "<", 0]})
    assert not set(asked(correlation.predicate, sets))
    assert set(asked(correlation.predicate, sets, correlated=True)) == {("s", "a", "p"), ("s", "a", "r")}


def test_every_claim_asks_for_cells() -> None:
    claims, sets = ours()
    for claim in claims:
        assert set(asked(claim.predicate, sets | RUN, correlated=True)), claim.id


def test_students_count_who_are_meant_to_have_every_method() -> None:
    """A student without a method by the config does not count; one whose cell should be there and is not, does."""
    claim, sets = small({"every": {"s": "students"}, "that": [["$s", "m", "harm"], "<", ["$s", "initial", "harm"]]})
    own = {"students": ["s", "t"], "qwen3": ["s"], "r1": ["t"]}
    over = counted(claim.predicate, sets, own, lambda cell: cell[:2] != ("t", "m"))
    assert over == {"students": ["s"]}
    one = {("s", "m", "harm"): np.array([1.0]), ("s", "initial", "harm"): np.array([2.0])}
    assert judge(claim, sets | over, Cells(one), 0.95)["verdict"] == "holds"
    both = counted(claim.predicate, sets, own, lambda cell: True)
    assert both == {"students": ["s", "t"]} and judge(claim, sets | both, Cells(one), 0.95)["verdict"] == "not run"
    assert counted(claim.predicate, sets, own, lambda cell: False) == {
        "students": ["s", "t"]
    }  # and their cells missing
    named, _ = small({"every": {"s": ["t"]}, "that": [["$s", "m", "harm"], "<", 1]})
    assert counted(named.predicate, sets, own, lambda cell: False) == {}


@pytest.mark.parametrize(
    "rule, margin, verdict",
    [
        ({"every": {"x": "pair"}}, -1.0, "fails"),
        ({"at_least": 1, "of": {"x": "pair"}}, 3.0, "holds"),
        ({"more_than": 0.5, "of": {"x": "pair"}}, -1.0, "fails"),
        ({"more_than": 0.4, "of": {"x": "pair"}}, 3.0, "holds"),
    ],
)
def test_a_margin_is_where_the_claim_is_decided(rule: dict, margin: float, verdict: str) -> None:
    claim, sets = small({**rule, "that": [["s", "$x", "harm"], "<", 10]})
    cells = {("s", "a", "harm"): np.array([7.0]), ("s", "b", "harm"): np.array([11.0])}
    found = judge(claim, sets, Cells(cells), 0.95)
    assert (found["margin"], found["verdict"], found["low"]) == (margin, verdict, None)


def test_a_margins_interval_says_what_the_verdict_says() -> None:
    claim, sets = small({"that": [["s", "m", "harm"], "<", 10]})
    draws = np.arange(400.0)
    for below in (400, 381, 379, 200, 21, 19, 0):
        cells = Cells({("s", "m", "harm"): np.r_[9.0, np.where(draws < below, 9.0, 11.0)]})
        found = judge(claim, sets, cells, 0.95)
        said = "holds" if found["low"] > 0 else "fails" if found["high"] < 0 else "undecided"
        assert found["verdict"] == said, below
