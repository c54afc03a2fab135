"""One's own model: the report on its chat format."""

import pytest

from scripts.data.describe_chat import describe
from tests import tiny


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return tiny.make_model(tmp_path_factory.mktemp("stranger"), "other")


def spec(**more):
    return {"student": "mine", "family": "own", "chat": None, "max_tokens": 100, **more}


def test_the_report_says_what_was_found(stranger):
    lines = describe(stranger, spec())
    told = "\n".join(lines)
    assert "think tags: `<reasoning>` (a special token) and `</reasoning>` (a special token); stored as" in told
    assert "opened by the generation prompt" in told
    assert "a turn ends with `<|over|>`; a response stops at `</s>`, `<|over|>`" in told
    assert "start of a prompt: 1 x `<s>`" in told and "context: 512 tokens" in told
    assert lines[-5:] == [
        "    read   prompt    '<s><|user|>What is 2 + 3?<|over|>\\n<|model|><reasoning>'",
        "    learnt reasoning '2 + 3 is 5.'",
        "    learnt closes    '\\n</reasoning>\\n\\n'",
        "    learnt answer    'It is 5.'",
        "    learnt end       '<|over|>'",
    ]
    assert "Lower `max_tokens`" in describe(stranger, spec(max_tokens=512))[-1] and "Lower" not in told


@pytest.mark.parametrize("family", ["qwen3", "r1"])
def test_the_papers_families_are_told_as_they_are(family, tmp_path):
    told = "\n".join(describe(tiny.make_model(tmp_path, family), spec()))
    assert "think tags: `<think>` (one token) and `</think>` (one token)\n" in told
    assert f"opened by {'the model itself' if family == 'qwen3' else 'the generation prompt'}" in told


def test_what_is_unclear_is_reported_with_the_keys_to_set(stranger):
    chat = {"think": ["<plan>", "</plan>"], "opens_think": True, "stop": ["the end"]}
    with pytest.raises(ValueError, match="families.own") as error:
        describe(stranger, spec(chat=chat))
    lines = str(error.value).splitlines()
    assert lines[0].startswith("the chat format of mine is not clear") and len(lines) == 3
    assert lines[1].startswith("- chat.opens_think: true is wrong") and lines[2].startswith(
        "- chat.stop: the end is no"
    )
