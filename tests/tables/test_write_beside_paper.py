"""The paper's numbers beside ours."""

import pytest
import yaml

from scripts.tables.write_beside_paper import write_beside_paper
from thinksafe.analysis.paper_cells import DIFFERS, UNCLEAR
from thinksafe.intervals import wilson
from thinksafe.reporting.tables import read_csv, write_csv

SPEC = {
    "table": "1",
    "students": [("qwen3-0.6b", "Qwen3-0.6B"), ("qwen3-mini", "Qwen3-mini")],
    "methods": [("safechain", "SafeChain"), ("thinksafe", "ThinkSafe")],
    "labels": [("harmbench", "HarmBench"), ("safety_avg", "Safety average")],
    "confidence": 0.95,
    "min_effect": 5.0,
    "footnotes": yaml.safe_load(open("config/paper/footnotes.yaml", encoding="utf-8")),
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
