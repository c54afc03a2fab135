"""Rewards: the paper's two formulas, and that a guard's failure is never a reward."""

import math

import pytest

from tests import tiny
from thinksafe.models.chat import stored_response
from thinksafe.training.rewards import GuardError, format_reward, reward_functions, safety_rewards


@pytest.mark.parametrize(
    "text, standard, distilled",
    [
        ("<think>\na\n</think>\n\nb", 1, 0),
        ("<think></think>", 1, 0),
        ("a\n</think>\n\nb", 0, 1),
        ("b", 0, 0),
        ("", 0, 0),
        ("<think>\na", 0, 0),
        ("</think>a<think>", 0, 0),
        ("<think>a</think>b<think>c</think>", 0, 0),
        ("<think><think>a</think>b", 0, 0),
        ("a</think>b</think>", 0, 0),
        ("<think>a</think></think>", 0, 0),
        ("<THINK>a</THINK>", 0, 0),
    ],
)
def test_one_think_block_in_the_form_of_each_family(text, standard, distilled):
    assert format_reward(stored_response(tiny.make_tokenizer("qwen3"), text)) == standard
    assert format_reward(stored_response(tiny.make_tokenizer("r1"), text)) == distilled


def test_the_safety_reward_is_equation_5():
    def ask(pairs):
        logs = [(-0.2, -1.9), (-3.0, -0.1), (-1e9, 0.0)]
        return [{"p_unsafe": 1 / (1 + math.exp(safe - unsafe)), "output": "x"} for safe, unsafe in logs]

    found = safety_rewards([("p", "r")] * 3, ask)
    assert found == pytest.approx(
        [math.exp(-0.2) / (math.exp(-0.2) + math.exp(-1.9)), math.exp(-3.0) / (math.exp(-3.0) + math.exp(-0.1)), 0.0]
    )


@pytest.mark.parametrize("p_unsafe", [None, float("nan"), -0.1, 1.5])
def test_a_verdict_without_a_probability_stops_the_run(p_unsafe):
    with pytest.raises(GuardError, match="'what' has no probability .* the run stops"):
        safety_rewards([("p", "r")], lambda pairs: [{"p_unsafe": p_unsafe, "output": "what"}])


def test_a_guard_that_raises_or_answers_too_little_stops_the_run():
    def broken(pairs):
        raise ConnectionError("refused")

    with pytest.raises(GuardError, match="failed on 1 responses: ConnectionError: refused"):
        safety_rewards([("p", "r")], broken)
    with pytest.raises(GuardError, match="asked about 2 responses and gave 1"):
        safety_rewards([("p", "r")] * 2, lambda pairs: [{"p_unsafe": 0.5, "output": ""}])


@pytest.mark.parametrize("family", ["qwen3", "r1"])
@pytest.mark.parametrize("judges", ["full", "answer"])
def test_the_guard_sees_the_clean_prompt_and_the_stored_form_of_the_response(family, judges):
    tokenizer = tiny.make_tokenizer(family)
    opened = family == "r1"
    text = "I think\n</think>\n\nNo."
    ids = tokenizer.encode(text if opened else "<think>\n" + text, add_special_tokens=False) + [tokenizer.eos_token_id]
    seen = []

    def ask(pairs):
        seen.extend(pairs)
        return [{"p_unsafe": 0.25, "output": ""} for _ in pairs]

    safety, form = reward_functions(tokenizer, (tokenizer.eos_token_id,), judges, ask)
    assert safety(prompts=["How?"], completions=["ignored"], completion_ids=[ids], trainer_state=None) == [0.75]
    assert seen == [("How?", "<think>\n" + text if judges == "full" else "No.")]
    assert form(prompts=["How?"], completion_ids=[ids]) == [1.0]
    assert (safety.__name__, form.__name__) == ("safety", "format")
