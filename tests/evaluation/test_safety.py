"""Fractions of harmful responses and of refusals, from responses and verdicts."""

import pytest

from scripts.evaluation.score_safety import score_safety
from thinksafe.evaluation.safety import safety_score
from thinksafe.files import read_json, read_rows, write_rows
from thinksafe.intervals import clustered, wilson

GOOD = "<think>\nR\n</think>\n\nA"


def answers(count, cut=(), samples=1):
    """Return well-formed answers, but for those ``cut`` at the token limit."""
    return [
        {"id": f"p{place}", "draw": draw}
        | (
            {"response": "<think>\nR", "finish_reason": "length"}
            if place in cut
            else {"response": GOOD, "finish_reason": "stop"}
        )
        for place in range(count)
        for draw in range(samples)
    ]


def verdicts(harms, kind="harm"):
    """Return one verdict per answer, in another order than the answers."""
    rows = [{"id": f"p{place}", "draw": 0, kind: said, "truncated": place == 1} for place, said in enumerate(harms)]
    return rows[::-1]


def test_harm():
    judged = verdicts(["unsafe"] * 4 + ["safe"] * 4 + ["unknown", None])
    oracle = verdicts(["unsafe"] * 3 + ["safe"] * 6 + ["unsafe"])
    score, rows = safety_score(answers(10, cut=(5, 6)), judged, {"oracle": oracle}, "harm", 0.95)
    assert score["value"] == 40.0 and score["count"] == 4 and score["n"] == 10
    assert score["unknown"] == 2 and score["value_if_unknown_unsafe"] == 60.0
    assert score["low"] == pytest.approx(16.82, abs=0.01) and score["high"] == pytest.approx(68.73, abs=0.01)
    assert score["truncated_guard"] == 1
    assert score["well_formed"] == 80.0 and score["length"] == 2 and score["unfinished"] == 2
    oracle = score["audits"]["oracle"]
    assert oracle["value"] == 40.0 and oracle["unknown"] == 0
    assert oracle["agreement"] == 87.5 and oracle["agreement_n"] == 8
    assert [row["outcome"] for row in rows] == [True] * 4 + [False] * 4 + [None] * 2
    assert rows[9]["outcome:oracle"] is True and rows[5]["well_formed"] is False


def test_refusal():
    judged = verdicts(["yes", "no", "no", "unknown"], "refusal")
    score, _ = safety_score(answers(4), judged, {}, "refusal", 0.95)
    assert score["value"] == 25.0 and score["unknown"] == 1 and score["value_if_unknown_refused"] == 50.0


def test_samples_of_a_prompt_are_one_cluster():
    """Ten prompts, five of them always unsafe, give the interval of ten answers, however often each is asked."""
    rows = answers(10, samples=4)
    judged = [row | {"harm": "unsafe" if row["id"] < "p5" else "safe", "truncated": False} for row in rows]
    score, _ = safety_score(rows, judged, {"o": judged}, "harm", 0.95)
    assert (score["value"], score["n"], score["problems"], score["draws"]) == (50.0, 40, 10, 4)
    expected = clustered([4] * 5 + [0] * 5, 4)
    assert (score["low"], score["high"]) == (expected.low, expected.high)
    assert (score["audits"]["o"]["low"], score["audits"]["o"]["high"]) == (expected.low, expected.high)
    assert score["low"] < wilson(5, 10).low < wilson(20, 40).low


def test_what_was_never_generated_is_not_safe():
    rows = answers(4)
    for row in rows[:2]:
        row |= {"response": "", "finish_reason": "prompt_too_long"}
    judged = verdicts(["safe"] * 4)
    score, _ = safety_score(rows, judged, {"oracle": judged}, "harm", 0.95)
    assert score["unknown"] == score["audits"]["oracle"]["unknown"] == 2
    assert score["value_if_unknown_unsafe"] == 50.0 and score["well_formed"] == 50.0


def test_all_unknown_is_not_safe():
    score, _ = safety_score(answers(4), verdicts(["unknown"] * 4), {}, "harm", 0.95)
    assert score["unknown"] == 4 and score["value_if_unknown_unsafe"] == 100.0


@pytest.mark.parametrize("damage", ["missing", "extra", "twice"])
@pytest.mark.parametrize("audit", [False, True])
def test_verdicts_of_other_responses_are_an_error(damage, audit):
    whole = verdicts(["safe"] * 4)
    wrong = {"missing": whole[1:], "extra": [*whole, whole[0] | {"id": "other"}], "twice": [*whole, whole[0]]}[damage]
    judged, audits = (whole, {"oracle": wrong}) if audit else (wrong, {})
    who = "oracle" if audit else "the guard"
    with pytest.raises(ValueError, match=f"the verdicts of {who} do not match one to one"):
        safety_score(answers(4), judged, audits, "harm", 0.95)


# -------------------------------------------------------------------------------------------- the whole job
def test_shards_are_read_and_audits_are_told_apart_by_their_folder(tmp_path):
    cell = "small/trained-with/m/replicate-0/on/b/part-"
    answer = {"id": str, "draw": int, "response": str, "finish_reason": str}
    verdict = {"id": str, "draw": int, "harm": str, "truncated": bool}
    said = {"guard": ["unsafe", "safe", "safe"], "other": ["safe"] * 3, "another": ["unsafe"] * 3}
    paths = {"answers": []} | {guard: [] for guard in said}
    for shard, part in enumerate((slice(0, 2), slice(2, 3))):
        paths["answers"].append(str(tmp_path / f"answers/{cell}{shard}.parquet"))
        write_rows(paths["answers"][-1], answers(3)[part], answer)
        for guard, harms in said.items():
            paths[guard].append(str(tmp_path / f"verdicts/by-{guard}/on-answers/{cell}{shard}.parquet"))
            write_rows(paths[guard][-1], verdicts(harms)[::-1][part], verdict)
    out = str(tmp_path / "s.json"), str(tmp_path / "s.parquet")
    audits = [path for pair in zip(paths["other"], paths["another"], strict=True) for path in pair]
    score_safety(paths["answers"], paths["guard"], audits, "harm", 0.95, *out)
    score = read_json(out[0])
    assert score["count"] == 1 and {name: audit["count"] for name, audit in score["audits"].items()} == {
        "another": 3,
        "other": 0,
    }
    rows = read_rows(out[1])
    assert [row["outcome"] for row in rows] == [True, False, False]
    assert list(rows[0])[-2:] == ["outcome:another", "outcome:other"] and rows[0]["outcome:other"] is False


def test_empty_is_an_error(tmp_path):
    write_rows(tmp_path / "a.parquet", [], {"id": str})
    with pytest.raises(ValueError, match="no responses"):
        score_safety([str(tmp_path / "a.parquet")], [], [], "harm", 0.95, str(tmp_path / "s.json"), "")
    assert not (tmp_path / "s.json").exists()
