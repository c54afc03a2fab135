"""The world's prompt sets and benchmarks: apart from each other and from pre-training, and mixed as documented."""

import json
from collections import Counter

import pytest

from thinksafe.miniature import world
from thinksafe.miniature.rows import DEEDS, make_rows
from thinksafe.miniature.world import Deed

SETS = ("benign", *DEEDS, *world.LEVELS)
ROWS = {"harmful": 250, "benign": 250} | dict.fromkeys(
    [name for name in SETS if name not in ("harmful", "benign")], 100
)
TEMPLATES = {task: "{problem} Put it in \\boxed{}." for task in world.LEVELS}


def spec(seed: int) -> dict:
    return {"seed": seed, "rows": ROWS, "templates": TEMPLATES}


def key_of(row: dict) -> tuple:
    meta = json.loads(row["meta"])
    if meta["kind"] == "reasoning":
        return tuple(meta["key"])
    return Deed(meta["verb"], meta["thing"], owner=meta["owner"], setting=meta["setting"]).key()


def text_of(row: dict) -> str:
    return row.get("prompt") or row["problem"]


@pytest.mark.parametrize("seed", [0, 7])
def test_prompt_sets_are_apart_from_each_other_and_from_pretraining(seed):
    keys, texts = {}, {}
    for name in SETS:
        rows = make_rows(spec(seed), name)
        assert len(rows) == ROWS[name]
        keys[name] = {key_of(row) for row in rows}
        texts[name] = {text_of(row) for row in rows}
        pool = "safety" if name in ("harmful", "benign") else "evaluation"
        for key in keys[name]:
            if key[0] == "sum":
                assert world.pool_of(seed, key[:4]) == pool
            elif key[0] == "purchase" and len(key) == 3:
                assert pool == "safety" and world.pool_of(seed, key) == pool
            else:
                assert world.pool_of(seed, key) == pool
    for name in SETS:
        for other in SETS:
            if name < other:
                assert not keys[name] & keys[other], (name, other)
                assert not texts[name] & texts[other], (name, other)


def test_world_is_the_same_again_and_another_for_another_seed():
    assert make_rows(spec(1), "benign") == make_rows(spec(1), "benign")
    assert make_rows(spec(1), "benign") != make_rows(spec(2), "benign")
    assert world.prices(1) != world.prices(2)


def test_prompt_sets_mix_wordings_and_kinds():
    harmful = Counter(row["category"] for row in make_rows(spec(0), "harmful"))
    assert harmful == {"vanilla_harmful": 125, "adversarial_harmful": 125}
    kinds = Counter(json.loads(row["meta"])["kind"] for row in make_rows(spec(0), "benign"))
    assert min(kinds["scary"], kinds["nice"], kinds["reasoning"]) >= 70
    forms = {
        name: {json.loads(row["meta"])["form"] for row in make_rows(spec(0), name)}
        for name in ("harmbench", "strongreject", "wildjailbreak")
    }
    assert forms == {"harmbench": {"plain"}, "strongreject": {"plan"}, "wildjailbreak": {"wrapped"}}


def test_gpqa_rows_have_four_different_choices():
    for row in make_rows(spec(0), "gpqa"):
        assert len({row["correct"], row["incorrect_1"], row["incorrect_2"], row["incorrect_3"]}) == 4


def test_too_many_rows_are_refused_with_the_pool_size():
    with pytest.raises(ValueError, match="ask for fewer rows"):
        make_rows({"seed": 0, "rows": ROWS | {"harmful": 5000}}, "harmful")
