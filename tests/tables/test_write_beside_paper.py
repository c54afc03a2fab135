"""The paper's numbers beside ours, and what can be said of the difference."""

import csv

import pytest
import yaml

from scripts.tables.write_beside_paper import write_beside_paper
from thinksafe.analysis.paper_cells import AGREES, DIFFERS, UNCLEAR, difference, needed, verdict
from thinksafe.intervals import Estimate, wilson
from thinksafe.reporting.tables import read_csv, write_csv

NOTES = yaml.safe_load(open("config/paper/footnotes.yaml", encoding="utf-8"))
SPEC = {
    "table": "1",
    "students": [("qwen3-0.6b", "Qwen3-0.6B"), ("qwen3-mini", "Qwen3-mini")],
    "methods": [("safechain", "SafeChain"), ("thinksafe", "ThinkSafe")],
    "labels": [("harmbench", "HarmBench"), ("safety_avg", "Safety average")],
    "confidence": 0.95,
    "min_effect": 5.0,
}


def beside(folder, cells, table="1", **changed):
    """Return the companion's rows by cell, and its text; ours has `cells` with n of 602."""
    columns = ["student", "method", "metric", "value", "low", "high", "n", "problems"]
    rows = []
    for (student, method, metric), count in cells.items():
        share = wilson(count, 602)
        numbers = {"value": share.value, "low": share.low, "high": share.high, "n": 602, "problems": 602}
        rows.append(dict(student=student, method=method, metric=metric) | numbers)
    write_csv(str(folder / "ours.csv"), columns, rows)
    paths = [str(folder / f"beside.{form}") for form in ("csv", "md")]
    arguments = (f"config/paper/table{table}.csv", "config/paper/sizes.csv", SPEC | {"table": table} | changed)
    write_beside_paper(str(folder / "ours.csv"), *arguments, *paths)
    found = {(row["student"], row["method"], row["metric"]): row for row in read_csv(paths[0])}
    return found, open(paths[1], encoding="utf-8").read()


def test_what_both_have_with_its_verdict_and_footnote(tmp_path) -> None:
    cells = {
        ("qwen3-0.6b", "thinksafe", "harmbench"): 243,  # 40.37, as printed
        ("qwen3-0.6b", "safechain", "harmbench"): 400,  # printed 58.64
        ("qwen3-0.6b", "safechain", "safety_avg"): 272,
        ("qwen3-mini", "thinksafe", "harmbench"): 100,  # a student that the paper has not
    }
    found, text = beside(tmp_path, cells)
    assert [key[1:] for key in found] == [
        ("safechain", "harmbench"),
        ("safechain", "safety_avg"),
        ("thinksafe", "harmbench"),
    ]
    same, other = found["qwen3-0.6b", "thinksafe", "harmbench"], found["qwen3-0.6b", "safechain", "harmbench"]
    assert (same["difference"], same["verdict"]) == (
        pytest.approx(0, abs=0.005),
        UNCLEAR,
    )  # 602 cannot exclude 5 points
    assert same["low"] == pytest.approx(-5.53, abs=0.02) and same["needed"] == pytest.approx(1500, rel=0.02)
    assert other["difference"] == pytest.approx(7.81, abs=0.01) and other["verdict"] == DIFFERS
    assert found["qwen3-0.6b", "safechain", "safety_avg"]["footnote"].startswith("Printed 45.20")
    assert "45.20 [1]" in text and "[1] Printed 45.20" in text and "1 differs" in text


def test_nothing_in_common(tmp_path) -> None:
    found, text = beside(tmp_path, {("qwen3-mini", "thinksafe", "harmbench"): 1})
    assert not found and "no cell in common" in text


def test_the_papers_shares_of_table_3_have_no_n(tmp_path) -> None:
    found, _ = beside(tmp_path, {("qwen3-0.6b", "thinksafe", "filtered_out_pct_harmful"): 60}, table="3")
    row = found["qwen3-0.6b", "thinksafe", "filtered_out_pct_harmful"]
    assert (row["paper"], row["paper_low"], row["paper_n"], row["verdict"]) == (4.84, 4.84, None, DIFFERS)


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
    assert verdict(Estimate(value, low, high, 100), 5.0) == said


def test_a_difference_is_of_independent_numbers() -> None:
    """Newcombe (1998), table II (a): 56/70 - 48/80 is 0.2, from 0.0524 to 0.3339."""
    change = difference(wilson(56, 70), wilson(48, 80))
    assert (change.value, change.low, change.high) == pytest.approx((20.0, 5.24, 33.39), abs=0.01)


def test_as_many_as_needed_tell_in_four_of_five_cases() -> None:
    """So many prompts of both, drawn anew from shares 8 points apart: about 80 % of the intervals exclude 0."""
    import numpy as np

    n = needed(difference(wilson(240, 600), wilson(192, 600)), 5.0, 0.95)
    random = np.random.default_rng(1)
    ours, theirs = random.binomial(n, 0.40, 400), random.binomial(n, 0.32, 400)
    told = [verdict(difference(wilson(a, n), wilson(b, n)), 5.0) == DIFFERS for a, b in zip(ours, theirs, strict=True)]
    assert np.mean(told) == pytest.approx(0.8, abs=0.06)
    assert needed(Estimate(5.0, 0.0, 10.0, 100), 5.0, 0.95) > 100
    assert needed(Estimate(-5.0 + 5.0, -9.0, 9.0, 100), 0.0, 0.95) is None


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
