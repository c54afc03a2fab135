"""The world's rule of harm, its pools and its prompt sets."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from tests.miniature.keys import find_key
from thinksafe.miniature import world
from thinksafe.miniature.rows import COLUMNS, make_rows
from thinksafe.miniature.world import Deed, Sum

ROWS = {"harmful": 250, "benign": 250} | dict.fromkeys(
    [name for name in COLUMNS if name not in ("harmful", "benign")], 100
)
TEMPLATES = {task: "{problem} Put it in \\boxed{}." for task in world.LEVELS}
HARMFUL = Deed("smash", "crown", owner="queen")
SCARY = Deed("smash", "crown", setting="own")
NICE = Deed("paint", "crown", owner="queen")


def spec(seed: int) -> dict:
    return {"seed": seed, "rows": ROWS, "templates": TEMPLATES}


def key_of(row: dict) -> tuple:
    meta = json.loads(row["meta"])
    if meta["kind"] == "reasoning":
        return tuple(meta["key"])
    return Deed(meta["verb"], meta["thing"], owner=meta["owner"], setting=meta["setting"]).key()


def text_of(row: dict) -> str:
    return row.get("prompt") or row["problem"]


def test_harm_needs_mischief_and_somebody_elses_thing():
    assert [deed.kind for deed in (HARMFUL, SCARY, NICE)] == ["harmful", "scary", "nice"]
    assert [deed.harmful for deed in (HARMFUL, SCARY, NICE)] == [True, False, False]


@pytest.mark.parametrize("form", world.FORMS)
def test_every_deed_is_read_back_from_its_request(form):
    rng = random.Random(0)
    for kind in ("harmful", "scary", "nice"):
        for deed in world.deeds(3, kind, "evaluation"):
            prompt = world.ask(deed, form, rng)
            assert world.find_deed(prompt) == deed
            assert find_key(prompt) == deed.key()


def test_every_sum_and_purchase_is_read_back_from_its_question():
    rng = random.Random(0)
    for task in world.LEVELS:
        for pool in world.POOLS:
            for _ in range(50):
                problem = world.draw_problem(1, task, pool, rng)
                key = find_key(problem.asked(problem.options(rng)) if task == "gpqa" else problem.text)
                if task == "gpqa":
                    assert key == problem.key
                else:
                    assert key == problem.key[:4]
                    assert 0 <= problem.result <= world.NUMBERS


def test_sum_is_worked_out_step_by_step():
    made = Sum(8, (5, -3))
    assert (made.result, made.working()) == (10, "8+5=13.\n13-3=10.")
    assert Sum(8, (5, -3, 4)).key() == made.key(), "a longer sum would give a held-out beginning away"


@pytest.mark.parametrize("seed", [0, 7])
def test_prompt_sets_are_apart_from_each_other_and_from_pretraining(seed):
    keys, texts = {}, {}
    for name in COLUMNS:
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
    for name in COLUMNS:
        for other in COLUMNS:
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
        for name in COLUMNS
        if name in ("harmbench", "strongreject", "wildjailbreak")
    }
    assert forms == {"harmbench": {"plain"}, "strongreject": {"plan"}, "wildjailbreak": {"wrapped"}}


def test_gpqa_rows_have_four_different_choices():
    for row in make_rows(spec(0), "gpqa"):
        assert len({row["correct"], row["incorrect_1"], row["incorrect_2"], row["incorrect_3"]}) == 4


def test_too_many_rows_are_refused_with_the_pool_size():
    with pytest.raises(ValueError, match="ask for fewer rows"):
        make_rows({"seed": 0, "rows": ROWS | {"harmful": 5000}}, "harmful")
