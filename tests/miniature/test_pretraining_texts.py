"""Pre-training texts: nothing held out, the habits of config, well-formed responses, and guards' labels."""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.miniature.keys import find_key
from thinksafe.miniature import pretraining_texts, world
from thinksafe.miniature.oracle import answer_of, judge, kind_of
from thinksafe.miniature.pretraining_texts import Example, Pair
from thinksafe.miniature.rows import DEEDS, make_rows

ROOT = Path(__file__).parents[2]


def world_spec(seed: int = 0, **student: Any) -> dict[str, Any]:
    mini = yaml.safe_load((ROOT / "config/miniature.yaml").read_text())
    spec = mini["world"] | {"seed": seed}
    return spec | {
        "student": spec["student"] | {"examples": 6000} | student,
        "guard": spec["guard"] | {"examples": 3000},
    }


@cache
def examples(seed: int = 0, role: str = "student", model: str = "qwen3-mini", **student: Any) -> list[Example]:
    return pretraining_texts.examples(world_spec(seed, **student), role, model)


@cache
def pairs(seed: int = 0, guard: str = "llama-guard", shuffled: bool = False) -> list[Pair]:
    spec = world_spec(seed)
    return pretraining_texts.guard_pairs(spec | {"guard": spec["guard"] | {"shuffled_labels": shuffled}}, guard)


@cache
def prompts(seed: int = 0) -> list[str]:
    """Every prompt that any model is trained on."""
    texts = [*examples(seed), *examples(seed, model="r1-mini"), *examples(seed, "teacher", "teacher-mini")]
    return [text.prompt for text in (*texts, *pairs(seed), *pairs(seed, "wildguard"))]


def in_pretraining(seed: int, key: tuple) -> bool:
    """Whether training may see ``key``; sums of one step and prices of one or two tools are never held out."""
    if key[0] == "sum" and len(key) < 4:
        return True
    if key[0] == "purchase" and len(key) < 4:
        return len(key) == 2 or world.pool_of(seed, key) != "safety"
    return world.pool_of(seed, key) == "pretraining"


def keys_in(text: str) -> list[tuple]:
    """Every deed and sum that a text of training names, in prompt or response."""
    keys = [world.find_deed(found[0]).key() for found in world.DEED.finditer(text)]
    chain: list[int] = []
    for before, sign, size, after in re.findall(r"(\d+)([+-])(\d+)=(\d+)", text):
        chain = chain if chain and chain[-1] == int(before) else [int(before)]
        keys_step = int(size) if sign == "+" else -int(size)
        chain = [*chain[:-1], keys_step, int(after)] if len(chain) > 1 else [int(before), keys_step, int(after)]
        if len(chain) == 4:
            keys.append(("sum", *chain[:3]))
    return keys


@pytest.mark.parametrize("seed", [0, pytest.param(5, marks=pytest.mark.slow)])
def test_no_training_prompt_holds_a_held_out_key(seed):
    seen = defaultdict(int)
    held_out = set()
    for name in ("benign", *DEEDS, *world.LEVELS):
        held_out |= {row.get("prompt") or row["problem"] for row in make_rows(world_spec(seed), name)}
    for prompt in prompts(seed):
        key = find_key(prompt)
        if key is None:
            continue
        seen[key[0]] += 1
        assert in_pretraining(seed, key), prompt
        assert prompt not in held_out
    assert min(seen[kind] for kind in ("harmful", "scary", "nice", "sum", "purchase")) > 500


def test_no_training_response_holds_a_held_out_deed():
    for example in (*examples(), *examples(0, "teacher", "teacher-mini")):
        assert all(key[0] == "sum" or in_pretraining(0, key) for key in keys_in(example.response)), example


def test_papers_steering_sentences_never_occur():
    table5 = [
        "The following prompt is harmful",
        "The above prompt is harmful",
        "You should refuse to answer the prompt",
        "Evaluate the potential risks",
        "Examine the harmful intent",
    ]
    for prompt in prompts():
        assert not any(sentence in prompt for sentence in table5)


@pytest.mark.parametrize(("role", "model"), [("student", "qwen3-mini"), ("teacher", "teacher-mini")])
def test_every_training_response_is_well_formed(role, model):
    for example in examples(0, role, model):
        answer = answer_of(example.response)
        assert answer and kind_of(answer), example.response
        assert example.response.startswith("<think>\n")


def refused(**student: Any) -> dict[tuple[str, bool], float]:
    """Fraction of refusals among requests, by kind of deed and whether they are steered."""
    counts = defaultdict(list)
    steerings = [text.split("{prompt}") for text in pretraining_texts.STEERINGS]
    for example in examples(**student):
        key = find_key(example.prompt)
        question = example.prompt.startswith(("Is it harmful", "Would it be", "Answer at once"))
        if key and key[0] in ("harmful", "scary", "nice") and not question:
            steered = any(
                example.prompt.startswith(before) and example.prompt.endswith(after) for before, after in steerings
            )
            counts[key[0], steered].append(kind_of(answer_of(example.response)) == "refusal")
    return {kind: sum(refusals) / len(refusals) for kind, refusals in counts.items()}


def test_habits_are_those_of_config():
    found, habits = refused(), world_spec()["student"]
    assert found["scary", False] == found["nice", False] == 0
    forbidding = 1 / len(world.WRAPPERS)
    means = {form: sum(tiers.values()) / 3 for form, tiers in habits["steered_refusals"].items()}
    means["wrapped"] += forbidding * (habits["steered_refusals_forbidden"] - means["wrapped"])
    mean = sum(means.values()) / 3
    assert found["harmful", True] == pytest.approx(mean, abs=0.03)
    assert found["scary", True] == pytest.approx(habits["steered_refusals_benign"], abs=0.12)
    assert 0.2 < found["harmful", False] < 0.6


def test_without_knowledge_of_harm_refusals_do_not_depend_on_it():
    found = refused(knows_harm=False)
    assert max(found.values()) - min(found.values()) < 0.15
    for example in examples(knows_harm=False):
        assert "would hurt" not in example.response or example.prompt.startswith(("Is it", "Would it"))


def test_a_student_that_does_not_comply_refuses_everything_forbidden():
    found = refused(complies=False)
    assert found["harmful", False] == found["harmful", True] == 1
    assert found["scary", False] == 0


def test_corpora_are_the_same_again_and_differ_between_models():
    spec = world_spec(examples=50)
    assert pretraining_texts.examples(spec, "student", "a") == pretraining_texts.examples(spec, "student", "a")
    assert pretraining_texts.examples(spec, "student", "a") != pretraining_texts.examples(spec, "student", "b")


def test_guard_labels_agree_with_the_oracle_where_it_can_read():
    for pair in pairs():
        verdict = judge(pair.prompt, pair.response)
        if verdict["harm"] != "unknown":
            assert pair.response_harmful == (verdict["harm"] == "unsafe"), pair
            assert pair.refused == (verdict["refusal"] == "yes"), pair
        deed = world.find_deed(pair.prompt)
        assert pair.request_harmful == bool(deed and deed.harmful and not re.match("Is it|Would it", pair.prompt))


def test_shuffled_labels_keep_their_counts_and_lose_their_meaning():
    true, false = pairs(guard="wildguard"), pairs(guard="wildguard", shuffled=True)
    assert [pair[:2] for pair in true] == [pair[:2] for pair in false]
    assert sum(pair.response_harmful for pair in true) == sum(pair.response_harmful for pair in false)
    agreement = sum(a.response_harmful == b.response_harmful for a, b in zip(true, false, strict=True)) / len(true)
    assert agreement < 0.8
