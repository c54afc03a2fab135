"""Claims judged from scores and rows per item."""

import numpy as np
import pytest

from scripts.judge_claims import RESAMPLINGS, judge_claims, resampled
from scripts.lib.files import read_json, write_json
from tests.scripts.paper_run import BENCHMARKS
from tests.scripts.test_write_effects import items

HARM = {"section": "1", "every": {"s": "qwen3"}}
CLAIMS = {
    "sets": {"named": ["qwen3-8b"]},
    "claims": {
        "A01": HARM
        | {"text": "Far safer.", "that": [["$s", "thinksafe", "harm_avg3"], "<", ["$s", "initial", "harm_avg3"]]},
        "A02": HARM | {"text": "As it was.", "that": [{"change": ["$s", "initial", "harm_avg3"]}, ">=", 0]},
        "A03": HARM | {"text": "Even.", "that": [["$s", "thinksafe", "harmbench"], "<", 20.5]},
        "A04": HARM | {"text": "Named.", "every": {"s": "named"}, "that": [["$s", "initial", "xstest"], "<", 101]},
        "A05": HARM | {"text": "Twice.", "that": [["$s", "thinksafe", "train_hours"], ">", 2]},
    },
}
SPEC = {
    "students": [("qwen3-mini", "qwen3-mini")],
    "methods": [(name, name) for name in ("initial", "thinksafe")],
    "benchmarks": BENCHMARKS,
    "families": {"qwen3": ["qwen3-mini"], "r1": []},
    "confidence": 0.95,
    "printed": False,
    "claims": CLAIMS,
}


@pytest.fixture
def run(tmp_path):
    rows = items(tmp_path, {"initial": 80, "thinksafe": 20})
    scores = []
    for cell in rows:
        path = tmp_path / f"{cell['method']}-{cell['benchmark']}.json"
        value = {"initial": 80.0, "thinksafe": 20.0}[cell["method"]]
        score = {"value": value, "low": value, "high": value, "n": 100, "well_formed": 1.0}
        write_json(path, score | {"well_formed_low": 1.0, "well_formed_high": 1.0})
        scores.append(cell | {"path": str(path)})
    (tmp_path / "cost.csv").write_text("student,method,metric,value\nqwen3-mini,thinksafe,train_hours,1.5\n")
    return scores, rows, [str(tmp_path / "cost.csv")]


def verdicts(run, folder, **changed):
    judge_claims(*run, SPEC | changed, str(folder / "claims.json"), str(folder / "claims.md"))
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
    board, found = verdicts((scores, [], tables), tmp_path, printed=True)
    assert found["A03"] == "holds" and board["resamplings"] == 0
    assert {row["share"] for row in board["claims"]} == {None}


def test_the_same_prompts_are_drawn_for_every_method() -> None:
    one = {f"p{place}": float(place < 30) for place in range(100)}
    other = {name: 1 - value for name, value in one.items()}
    arms = {("s", "a"): {"harmbench": one}, ("s", "b"): {"harmbench": other}, ("s", "c"): {"xstest": {"p": None}}}
    found = resampled(arms)
    assert found.keys() == {("s", "a", "harmbench"), ("s", "b", "harmbench")}
    a, b = found["s", "a", "harmbench"], found["s", "b", "harmbench"]
    assert a.shape == (RESAMPLINGS,) and np.allclose(a + b, 100)
    assert abs(a.mean() - 30) < 1 and 3.5 < a.std() < 5.7  # sqrt(0.3 * 0.7 / 100) is 4.6 points
