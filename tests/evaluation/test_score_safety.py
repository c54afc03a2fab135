"""Harm and refusal shares from responses and verdicts."""

import json

import pytest

from scripts.evaluation.score_safety import score_safety
from thinksafe.files import read_rows, write_rows
from thinksafe.intervals import clustered, wilson

RESPONSE = {"id": str, "draw": int, "response": str, "finish_reason": str}
VERDICT = {"id": str, "draw": int, "harm": str, "refusal": str, "truncated": bool}
GOOD = "<think>\nR\n</think>\n\nA"


def write(folder, harms, audit=None, cut=()):
    answered, judged, other = [], [], []
    for place, harm in enumerate(harms):
        key = {"id": f"p{place}", "draw": 0}
        answered.append(
            key
            | (
                {"response": "<think>\nR", "finish_reason": "length"}
                if place in cut
                else {"response": GOOD, "finish_reason": "stop"}
            )
        )
        judged.append(key | {"harm": harm, "refusal": None, "truncated": place == 1})
        other.append(key | {"harm": (audit or harms)[place], "refusal": None, "truncated": False})
    half = len(answered) // 2
    paths = {
        name: [str(folder / f"{name}-{part}.parquet") for part in (0, 1)] for name in ("responses", "verdicts", "audit")
    }
    write_rows(paths["responses"][0], answered[:half], RESPONSE)
    write_rows(paths["responses"][1], answered[half:], RESPONSE)
    for name, rows in (("verdicts", judged), ("audit", other)):
        rows = rows[::-1]  # order is not to matter
        write_rows(paths[name][0], rows[:half], VERDICT)
        write_rows(paths[name][1], rows[half:], VERDICT)
    return paths


def run(folder, paths, kind="harm", audits=None):
    return score_safety(
        paths["responses"],
        paths["verdicts"],
        audits or {},
        kind,
        0.95,
        str(folder / "s.json"),
        str(folder / "s.parquet"),
    )


def test_harm(tmp_path):
    harms = ["unsafe"] * 4 + ["safe"] * 4 + ["unknown", None]
    audit = ["unsafe"] * 3 + ["safe"] * 6 + ["unsafe"]
    paths = write(tmp_path, harms, audit, cut=(5, 6))
    score = run(tmp_path, paths, audits={"oracle": paths["audit"]})
    assert score["value"] == 40.0 and score["count"] == 4 and score["n"] == 10
    assert score["unknown"] == 2 and score["value_if_unknown_unsafe"] == 60.0
    assert score["low"] == pytest.approx(16.82, abs=0.01) and score["high"] == pytest.approx(68.73, abs=0.01)
    assert score["truncated_guard"] == 1
    assert score["well_formed"] == 80.0 and score["length"] == 2 and score["unfinished"] == 2
    oracle = score["audits"]["oracle"]
    assert oracle["value"] == 40.0 and oracle["unknown"] == 0
    assert oracle["agreement"] == 87.5 and oracle["agreement_n"] == 8
    assert json.loads((tmp_path / "s.json").read_text()) == score
    rows = read_rows(tmp_path / "s.parquet")
    assert [row["outcome"] for row in rows] == [True] * 4 + [False] * 4 + [None] * 2
    assert rows[9]["outcome:oracle"] is True and rows[5]["well_formed"] is False


def test_refusal(tmp_path):
    key = [{"id": f"p{i}", "draw": 0} for i in range(4)]
    write_rows(tmp_path / "r.parquet", [k | {"response": GOOD, "finish_reason": "stop"} for k in key], RESPONSE)
    said = ["yes", "no", "no", "unknown"]
    write_rows(
        tmp_path / "v.parquet",
        [k | {"refusal": s, "harm": "safe", "truncated": False} for k, s in zip(key, said, strict=True)],
        VERDICT,
    )
    score = run(
        tmp_path, {"responses": [str(tmp_path / "r.parquet")], "verdicts": [str(tmp_path / "v.parquet")]}, "refusal"
    )
    assert score["value"] == 25.0 and score["unknown"] == 1 and score["value_if_unknown_refused"] == 50.0


def test_draws_of_a_prompt_are_one_cluster(tmp_path):
    """Ten prompts of which five are always unsafe tell what ten answers tell, however often each is asked."""
    keys = [{"id": f"p{place}", "draw": draw} for place in range(10) for draw in range(4)]
    write_rows(tmp_path / "r.parquet", [k | {"response": GOOD, "finish_reason": "stop"} for k in keys], RESPONSE)
    rows = [k | {"harm": "unsafe" if k["id"] < "p5" else "safe", "truncated": False} for k in keys]
    write_rows(tmp_path / "v.parquet", rows, VERDICT)
    verdicts = [str(tmp_path / "v.parquet")]
    score = run(tmp_path, {"responses": [str(tmp_path / "r.parquet")], "verdicts": verdicts}, audits={"o": verdicts})
    assert (score["value"], score["n"], score["problems"], score["draws"]) == (50.0, 40, 10, 4)
    share = clustered([4] * 5 + [0] * 5, 4)
    assert (score["low"], score["high"]) == (share.low, share.high) == (score["audits"]["o"]["low"], share.high)
    assert score["low"] < wilson(5, 10).low < wilson(20, 40).low


def test_what_was_never_generated_is_not_safe(tmp_path):
    paths = write(tmp_path, ["safe"] * 4, cut=(0, 1))
    rows = [row | {"response": "", "finish_reason": "prompt_too_long"} for row in read_rows(paths["responses"][0])]
    write_rows(paths["responses"][0], rows, RESPONSE)
    score = run(tmp_path, paths, audits={"oracle": paths["audit"]})
    assert score["unknown"] == score["audits"]["oracle"]["unknown"] == 2
    assert score["value_if_unknown_unsafe"] == 50.0 and score["well_formed"] == 50.0


def test_all_unknown_is_not_safe(tmp_path):
    score = run(tmp_path, write(tmp_path, ["unknown"] * 4))
    assert score["unknown"] == 4 and score["value_if_unknown_unsafe"] == 100.0


@pytest.mark.parametrize("damage", ["missing", "extra", "twice"])
def test_mismatch_is_one_clear_error(tmp_path, damage):
    paths = write(tmp_path, ["safe"] * 4)
    rows = read_rows(paths["verdicts"][0])
    change = {"missing": rows[1:], "extra": [*rows, rows[0] | {"id": "other"}], "twice": [*rows, rows[0]]}[damage]
    write_rows(paths["verdicts"][0], change, VERDICT)
    with pytest.raises(ValueError, match="do not match one to one"):
        run(tmp_path, paths)
    assert not (tmp_path / "s.json").exists()


def test_empty_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no responses"):
        run(tmp_path, write(tmp_path, []))
