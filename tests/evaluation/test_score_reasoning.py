"""pass@1 from sampled responses."""

import pytest

from scripts.evaluation.score_reasoning import score_reasoning
from thinksafe.files import read_rows, write_rows

pytest.importorskip("skythought.evals.util.math_parsing_util")
RESPONSE = {"id": str, "draw": int, "response": str, "finish_reason": str}


def answer(text, thought="R"):
    return f"<think>\n{thought}\n</think>\n\n{text}"


def run(folder, rows, golds, task="gsm8k", seconds=10):
    write_rows(folder / "part-0.parquet", rows[:3], RESPONSE)
    write_rows(folder / "part-1.parquet", rows[3:], RESPONSE)
    write_rows(
        folder / "prompts.parquet", [{"id": k, "answer": v} for k, v in golds.items()], {"id": str, "answer": str}
    )
    return score_reasoning(
        [str(folder / "part-0.parquet"), str(folder / "part-1.parquet")],
        str(folder / "prompts.parquet"), task, seconds, 0.95, str(folder / "s.json"), str(folder / "s.parquet"),
    )  # fmt: skip


def test_scores(tmp_path):
    texts = {
        "a": [answer("The final answer is 5."), answer("The final answer is 6."), answer(r"\boxed{7}"), answer("4")],
        "b": [answer("The final answer is 70,000.")] * 2 + [answer("70000")] * 2,
        "c": ["<think>\nso it is 9", answer("8"), answer("8"), answer("")],
    }
    rows = [
        {"id": name, "draw": draw, "response": text, "finish_reason": "length" if "</think>" not in text else "stop"}
        for name, given in texts.items()
        for draw, text in enumerate(given)
    ]
    score = run(tmp_path, rows, {"a": "5", "b": "70000", "c": "9"})
    assert (score["count"], score["n"], score["problems"], score["draws"]) == (4, 12, 3, 4)
    assert score["value"] == pytest.approx(100 / 3)
    assert score["pass_at"]["1"] == pytest.approx(score["value"])
    assert score["pass_at"]["4"] == 100.0
    assert score["pass_at"]["2"] == pytest.approx(100 * (1 / 2 + 5 / 6 + 1 / 2) / 3)
    assert "8" not in score["pass_at"]
    assert score["strict"]["count"] == 5  # the two with a comma are right, the unfinished one is not
    assert score["unfinished"] == 1 and score["length"] == 1 and score["well_formed"] == pytest.approx(100 * 10 / 12)
    assert score["timeouts"] == 0 and score["errors"] == 0
    assert 0 <= score["low"] < score["value"] < score["high"] <= 100
    found = read_rows(tmp_path / "s.parquet")
    assert [row["correct"] for row in found if row["id"] == "a"] == [True, False, False, False]
    assert [row["strict"] for row in found if row["id"] == "b"] == [True] * 4
    assert found[0]["extracted"] == "5"


def test_pass_at_k_is_skythoughts(tmp_path):
    """Eight draws, of which 1, 8 and 0 are right: the estimator over all draws, as SkyThought's own metrics have it."""
    from skythought.evals.util.metrics import pass_at_k

    right = {"a": 1, "b": 8, "c": 0}
    rows = [
        {"id": name, "draw": draw, "response": answer("5" if draw < count else "6"), "finish_reason": "stop"}
        for name, count in right.items()
        for draw in range(8)
    ]
    score = run(tmp_path, rows, dict.fromkeys(right, "5"))
    theirs = pass_at_k(8, {name: [1] * count + [0] * (8 - count) for name, count in right.items()})
    assert {f"k={k}": round(value, 3) for k, value in score["pass_at"].items()} == theirs
    assert (theirs["k=1"], theirs["k=8"]) == (37.5, 66.667) and (score["count"], score["n"]) == (9, 24)


def test_timeouts_are_wrong_and_counted(tmp_path):
    rows = [
        {"id": "a", "draw": draw, "response": answer(rf"\boxed{{{text}}}"), "finish_reason": "stop"}
        for draw, text in enumerate(["10**(10**8)", "5x", "x \\cdot 5", "x"])
    ]
    score = run(tmp_path, rows, {"a": "5x"}, task="math500", seconds=1)
    assert score["timeouts"] == 1 and score["count"] == 2


@pytest.mark.parametrize(
    ("rows", "golds", "message"),
    [
        ([], {"a": "1"}, "nothing to score"),
        ([("a", 0), ("a", 1), ("b", 0)], {"a": "1", "b": "2"}, "draws 0 to"),
        ([("a", 0), ("a", 0)], {"a": "1"}, "draws 0 to"),
        ([("a", 0)], {"a": "1", "b": "2"}, "draws 0 to"),
        ([("c", 0)], {"a": "1"}, "no problem of this benchmark"),
        ([("a", 0)], {"a": None}, "no answer"),
    ],
)
def test_incomplete_samples_are_an_error(tmp_path, rows, golds, message):
    rows = [{"id": name, "draw": draw, "response": answer("1"), "finish_reason": "stop"} for name, draw in rows]
    with pytest.raises(ValueError, match=message):
        run(tmp_path, rows, golds)
