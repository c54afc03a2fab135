"""Training sets made of filtered ones: refusals without reasoning, a teacher's refusals with one's own benign half."""

import pytest

from scripts.generation.derive_training_set import derive_training_set
from tests.tiny import make_tokenizer
from thinksafe.files import read_rows, write_rows
from thinksafe.generation.filter import COLUMNS
from thinksafe.models.chat import completion_tokens


def row(name, role, response):
    return {"id": name, "role": role, "prompt": f"{name}?", "response": response, "draw": 0, "tokens": 9}


@pytest.fixture
def sets(tmp_path):
    """Return a student's and a teacher's training set."""
    for who in ("own", "teacher"):
        rows = [row(f"{who}-h{n}", "harmful", f"<think>\nThis is bad {n}.\n</think>\n\nNo, {who}.") for n in range(2)]
        rows.append(row(f"{who}-b", "benign", f"<think>\nEasy.\n</think>\n\nYes, {who}."))
        write_rows(tmp_path / f"{who}.parquet", rows, COLUMNS)
    return {who: str(tmp_path / f"{who}.parquet") for who in ("own", "teacher")}


def test_refusals_lose_their_reasoning_and_nothing_else(sets, tmp_path):
    output = str(tmp_path / "out.parquet")
    derive_training_set(sets["own"], sets["own"], True, output)
    before, after = read_rows(sets["own"]), read_rows(output)
    assert [r["response"] for r in after[:2]] == ["<think>\n\n</think>\n\nNo, own."] * 2
    assert [r["tokens"] for r in after] == [None, None, 9]
    assert after[2] == before[2]
    assert [{**r, "response": 0, "tokens": 0} for r in after] == [{**r, "response": 0, "tokens": 0} for r in before]


def test_halves_come_from_where_they_should(sets, tmp_path):
    output = str(tmp_path / "out.parquet")
    derive_training_set(sets["teacher"], sets["own"], False, output)
    assert [r["id"] for r in read_rows(output)] == ["teacher-h0", "teacher-h1", "own-b"]
    assert read_rows(output)[:2] == read_rows(sets["teacher"])[:2]


def test_a_refusal_without_an_answer_is_an_error(tmp_path):
    path = str(tmp_path / "broken.parquet")
    write_rows(path, [row("h", "harmful", "<think>\nOn and on")], COLUMNS)
    with pytest.raises(ValueError, match="h: a kept refusal has no answer"):
        derive_training_set(path, path, True, str(tmp_path / "out.parquet"))


@pytest.mark.parametrize("family", ["qwen3", "r1"])
def test_the_empty_block_is_learnt_in_both_families(family):
    tokenizer = make_tokenizer(family)
    ids = completion_tokens(tokenizer, "<think>\n\n</think>\n\nNo.")
    text = tokenizer.decode(ids)
    assert text.removeprefix("<think>\n").startswith("\n</think>\n\nNo.")
    assert text.startswith("<think>") == (family == "qwen3")
