"""Claims judged from scores and rows per item."""

import pytest

from scripts.tables.judge_claims import judge_claims
from tests.paper_run import BENCHMARKS, cells, files, write_items
from thinksafe.files import read_json, write_json
from thinksafe.layout import SCORE

HOLDS = {
    "A01": ("Far safer.", "harm_avg3[s, thinksafe] < harm_avg3[s, initial] for s in qwen3"),
    "A02": ("As it was.", "change(harm_avg3[s, initial]) >= 0 for s in qwen3"),
    "A03": ("Even.", "harmbench[s, thinksafe] < 20.5 for s in qwen3"),
    "A04": ("Named.", "xstest[s, initial] < 101 for s in named"),
    "A05": ("Twice.", "train_hours[s, thinksafe] > 2 for s in qwen3"),
}


CLAIMS = {
    "sets": {"named": ["qwen3-8b"]},
    "claims": {name: {"section": "1", "text": text, "holds": holds} for name, (text, holds) in HOLDS.items()},
}


SPEC = {
    "students": [("qwen3-mini", "qwen3-mini")],
    "methods": [(name, name) for name in ("initial", "thinksafe")],
    "benchmarks": BENCHMARKS,
    "families": {"qwen3": ["qwen3-mini"], "r1": []},
    "confidence": 0.95,
    "use_paper_scores": False,
    "claims": CLAIMS,
    "over": {},
}


@pytest.fixture
def run(tmp_path):
    rows = write_items(tmp_path, {"initial": 80, "thinksafe": 20})
    scores = []
    for cell in rows:
        path = tmp_path / f"{SCORE(cell, kind='any')}.json"
        value = {"initial": 80.0, "thinksafe": 20.0}[cell["method"]]
        score = {"value": value, "low": value, "high": value, "n": 100, "well_formed": 1.0}
        write_json(path, score | {"well_formed_low": 1.0, "well_formed_high": 1.0})
        scores.append(cell | {"path": str(path)})
    (tmp_path / "cost.csv").write_text("student,method,metric,value\nqwen3-mini,thinksafe,train_hours,1.5\n")
    return scores, rows, [str(tmp_path / "cost.csv")]


def verdicts(run, folder, **changed):
    scores, rows, tables = run
    outputs = [str(folder / "claims.json"), str(folder / "claims.md")]
    judge_claims(files(scores), files(rows), tables, SPEC | cells(scores) | changed, *outputs)
    board = read_json(folder / "claims.json")
    return board, {row["id"]: row["verdict"] for row in board["claims"]}


def test_a_board(run, tmp_path) -> None:
    write_json(tmp_path / "claims.fixed.json", {"claims": CLAIMS})
    board, found = verdicts(run, tmp_path)
    assert found == {"A01": "holds", "A02": "holds", "A03": "undecided", "A04": "not run", "A05": "fails"}
    assert board["counts"] == {"holds": 2, "fails": 1, "undecided": 1, "not run": 1}
    assert board["claims"][3]["missing"] == ["qwen3-8b, initial, xstest"]
    assert board["changed_since_start"] is False and "has changed" not in (tmp_path / "claims.md").read_text()
    first = (tmp_path / "claims.json").read_bytes()
    verdicts(run, tmp_path)
    assert (tmp_path / "claims.json").read_bytes() == first


def test_a_board_of_changed_claims_says_so(run, tmp_path) -> None:
    write_json(tmp_path / "claims.fixed.json", {"claims": {}})
    assert verdicts(run, tmp_path)[0]["changed_since_start"] is True
    assert "has changed since" in (tmp_path / "claims.md").read_text()


def test_printed_numbers_are_not_resampled(run, tmp_path) -> None:
    scores, _, tables = run
    board, found = verdicts((scores, [], tables), tmp_path, use_paper_scores=True)
    assert found["A03"] == "holds" and board["resamplings"] == 0
    assert {row["share"] for row in board["claims"]} == {None}


def test_a_claim_alone_has_the_verdict_that_it_has_on_the_board(run, tmp_path) -> None:
    board, _ = verdicts(run, tmp_path)
    scores, rows, tables = run
    least = [[cell for cell in cells_ if cell["benchmark"] == "harmbench"] for cells_ in (scores, rows)]
    alone = {**CLAIMS, "claims": {"A03": CLAIMS["claims"]["A03"]}}
    (tmp_path / "claims").mkdir()
    write_json(tmp_path / "claims.fixed.json", {"claims": CLAIMS})
    one, _ = verdicts((*least, tables), tmp_path / "claims", claims=alone)
    assert one["claims"] == [board["claims"][2]] and one["changed_since_start"] is False
    changed = {**alone, "claims": {"A03": alone["claims"]["A03"] | {"text": "Odd."}}}
    assert verdicts((*least, tables), tmp_path / "claims", claims=changed)[0]["changed_since_start"] is True


def test_the_board_says_over_which_students_how_surely_and_of_how_many_prompts(run, tmp_path) -> None:
    over = {"A01": {"qwen3": ["qwen3-mini"]}}
    families = {"qwen3": ["qwen3-mini", "qwen3-midi"], "r1": []}
    board, _ = verdicts(run, tmp_path, families=families, over=over)
    row = board["claims"][0]
    assert row["over"] == {"qwen3": {"students": ["qwen3-mini"], "of": 2}} and row["verdict"] == "holds"
    assert row["margin"] == 60 and 50 < row["low"] < 60 < row["high"] < 70 and row["n"] == 300
    assert "| 1 of 2: qwen3-mini | 60.00 (" in (tmp_path / "claims.md").read_text()
