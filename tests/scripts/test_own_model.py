"""One's own model: the report on its chat format, the budget of prompts, and the estimate of hours."""

import json

import pytest

from scripts.describe_chat import report
from scripts.lib import settings
from scripts.lib.sampling import taken
from scripts.tools.budget import estimate, gpu_hours, parameters, rows_of
from tests.lib import tiny


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return tiny.make_model(tmp_path_factory.mktemp("stranger"), "other")


def spec(**more):
    return {"student": "mine", "family": "own", "chat": None, "max_tokens": 100, **more}


def test_the_report_says_what_was_found(stranger):
    lines = report(stranger, spec())
    told = "\n".join(lines)
    assert "think tags: `<reasoning>` (a special token) and `</reasoning>` (a special token); stored as" in told
    assert "opened by the generation prompt" in told
    assert "a turn ends with `<|over|>`; a response stops at `</s>`, `<|over|>`" in told
    assert "start of a prompt: 1 x `<s>`" in told and "context: 512 tokens" in told
    assert "    -> '2 + 3 is 5.\\n</reasoning>\\n\\nIt is 5.<|over|>'" in lines
    assert "Lower `max_tokens`" in report(stranger, spec(max_tokens=512))[-1] and "Lower" not in told


@pytest.mark.parametrize("family", ["qwen3", "r1"])
def test_the_papers_families_are_told_as_they_are(family, tmp_path):
    told = "\n".join(report(tiny.make_model(tmp_path, family), spec()))
    assert "think tags: `<think>` (one token) and `</think>` (one token)\n" in told
    assert f"opened by {'the model itself' if family == 'qwen3' else 'the generation prompt'}" in told


def test_what_is_unclear_is_told_with_the_keys_to_set(stranger):
    chat = {"think": ["<plan>", "</plan>"], "opens_think": True, "stop": ["the end"]}
    with pytest.raises(ValueError, match="families.own") as error:
        report(stranger, spec(chat=chat))
    lines = str(error.value).splitlines()
    assert lines[0].startswith("the chat format of mine is not clear") and len(lines) == 3
    assert lines[1].startswith("- chat.opens_think: true is wrong") and lines[2].startswith(
        "- chat.stop: the end is no"
    )


def test_prompts_are_taken_once_and_for_all():
    rows = [{"id": f"harmful-{n:05d}"} for n in range(50)]
    few, more = taken(rows, 10), taken(rows, 30)
    assert len(few) == 10 and len(more) == 30 and taken(rows, None) == rows == taken(rows, 50)
    assert all(row in more for row in few) and few == [row for row in rows if row in few] and few != rows[:10]
    assert taken(rows[::-1], 10) == few[::-1]
    with pytest.raises(ValueError, match="60 are asked for and there are 50"):
        taken(rows, 60)


def test_the_estimate_of_hours_is_in_the_papers_range():
    """Sec. 5.3: about five GPU-hours for ThinkSafe on Qwen3-0.6B, 40,000 prompts and three epochs."""
    hours = gpu_hours("0.6B", {"data": 40_000}, verdicts=40_000, rows=3 * 40_000, jobs=32)
    assert 5 / 3 < sum(hours.values()) < 5 * 3
    assert sum(gpu_hours("8B", {"data": 40_000}, 40_000, 120_000, 32).values()) > sum(hours.values())
    assert parameters("0.6B") == 6e8 and parameters("350m") == 3.5e8 and parameters("mini") is None
    assert gpu_hours("mini", {"data": 1}, 1, 1, 1) == {}


def test_the_estimate_counts_the_rows_that_a_method_has():
    config = settings.load(["config/config.yaml"])
    prompts = {"harmful": 17_888, "benign": 22_112}
    sizes = {"directrefusal": 1000, "safechain": 40_000, "star1": 1000, "safepath": 400, "safekey": 1915}  # Table 4
    assert {name: rows_of(name, config, prompts) for name in sizes} == sizes
    assert rows_of("thinksafe", config, prompts) == 40_000
    grpo = estimate([("train_grpo", {"student": "qwen3-0.6b", "method": "grpo", "replicate": "0"})], config, prompts)
    assert grpo["qwen3-0.6b"]["training"] > 1 and grpo["qwen3-0.6b"]["sampling"] > 1


def test_the_estimate_counts_each_response_once():
    config = settings.load(["config/config.yaml", "config/own-model.yaml"])
    raw = dict(student="mine", steering="prefix", draws="1", replicate="0")
    jobs = [("sample_responses", raw | {"prompts": "harmful", "part": part}) for part in "01"]
    jobs += [("train_student", dict(student="mine", method="thinksafe", replicate="0"))]
    answers = dict(student="mine", method="initial", replicate="0", benchmark="math500")
    jobs += [("sample_answers", answers | {"part": part}) for part in "01"]
    found = estimate(jobs, config, {"harmful": 4000, "benign": 4000})
    assert found["mine"] == {
        kind: round(value, 1)
        for kind, value in gpu_hours("4B", {"data": 4000, "reasoning": 4000}, 4000, 24_000, 4).items()
    }
    assert found["total"] == pytest.approx(sum(found["mine"].values()), abs=0.05)
    miniature = settings.load(["config/config.yaml", "config/miniature.yaml"])
    assert (
        estimate(
            [("train_student", dict(student="qwen3-mini", method="thinksafe", replicate="0"))],
            miniature,
            {"harmful": 1},
        )
        is None
    )
    assert json.dumps(found)
