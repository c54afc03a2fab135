"""What a job depends on besides its inputs, and what it needs of the machine."""

import json
import re
from types import SimpleNamespace

import pytest

from thinksafe.study.study import Study, one_of

CELL = {"student": "qwen3-0.6b", "method": "thinksafe", "replicate": "0"}
VERDICTS = CELL | {"benchmark": "harmbench", "shard": "0"}


def modules(study, rule, wildcards):
    """Return the names of the modules that a job runs."""
    return {name.rpartition("/")[2].removesuffix(".py") for name in json.loads(study.code_of(rule, wildcards))}


# ---------------------------------------------------------------- what a job depends on
def test_a_rule_carries_spec_code_and_environment(paper):
    params = paper.depends("score_reasoning", "scripts/evaluation/score_reasoning.py")
    wildcards = CELL | {"benchmark": "gsm8k"}
    assert {name: param(wildcards) for name, param in params.items()} == {
        "spec": paper.spec_of("score_reasoning", wildcards),
        "code": paper.code_of("score_reasoning", wildcards),
        "environment": paper.environment_of("score_reasoning", wildcards),
    }


def test_a_rule_depends_on_the_script_that_it_runs(paper):
    paper.depends("judge_answers", "../scripts/generation/judge_responses.py")
    with pytest.raises(ValueError, match="rule judge_answers runs sample_answers.py, and depends on judge_resp"):
        paper.depends("judge_answers", "sample_answers.py")


def test_only_the_engine_of_the_config_counts(paper, miniature):
    wildcards = VERDICTS | {"guard": "llama-guard-3"}
    assert {"vllm_engine", "transformers_engine"} & modules(paper, "judge_answers", wildcards) == {"vllm_engine"}
    found = {"vllm_engine", "transformers_engine"} & modules(miniature, "judge_answers", wildcards)
    assert found == {"transformers_engine"}


def test_an_oracle_knows_the_world_and_runs_no_engine(miniature):
    found = modules(miniature, "judge_answers", VERDICTS | {"guard": "oracle"})
    assert "world" in found and not {"vllm_engine", "transformers_engine"} & found
    assert "world" not in modules(miniature, "judge_answers", VERDICTS | {"guard": "llama-guard-3"})


def test_only_the_loss_of_the_method_counts(paper):
    assert {"kl", "nll", "safekey"} & modules(paper, "train_student", CELL | {"method": "thinksafe-kl"}) == {"kl"}


def test_a_table_depends_on_no_engine_and_no_loss(paper):
    found = modules(paper, "write_main_table", {"table": "1"})
    assert not {"vllm_engine", "transformers_engine", "world", "kl"} & found


@pytest.mark.parametrize(
    ("name", "wildcards", "package"),
    [
        ("sample_answers", CELL | {"benchmark": "gsm8k", "shard": "0"}, "vllm"),
        ("train_student", CELL, "torch"),
        ("prepare_benchmark", {"benchmark": "gsm8k"}, "datasets"),
        ("write_table5", {}, "numpy"),
    ],
)
def test_versions_count_where_they_can_change_numbers(paper, name, wildcards, package):
    assert package in json.loads(paper.environment_of(name, wildcards))


@pytest.mark.parametrize(
    ("name", "wildcards"),
    [
        ("filter_responses", CELL),
        ("judge_answers", VERDICTS | {"guard": "oracle"}),
        ("prepare_prompts", {"prompts": "benign"}),
    ],
)
def test_versions_do_not_count_where_they_cannot(miniature, name, wildcards):
    assert json.loads(miniature.environment_of(name, wildcards)) == {}


def test_what_comes_from_the_hub_is_taken_at_the_locks_commit(paper):
    lock = {"models": {"Qwen/Qwen3-0.6B": {"main": {"commit": "a" * 40}}}, "datasets": {}}
    study = Study(paper.config, paper.claims.all, lock)
    assert study.config.models["qwen3-0.6b"].source.revision == "a" * 40
    assert study.config.models["qwen3-4b"] == paper.config.models["qwen3-4b"]


# ---------------------------------------------------------------- what rules ask
def test_every_table_figure_and_claim_has_a_name(paper):
    names = paper.named_targets()
    assert {"table1", "figure13", "ablation_guard", "claims", "judge_study", "claim_A01"} <= set(names)
    assert names["claim_A01"] == "Claim A01: ThinkSafe makes every student safer on average."
    assert names["figure12"] == "Teachers of the other family, larger students (Figure 12)."


def test_a_name_is_looked_up_when_somebody_asks_for_it(paper, make):
    assert paper.target("claim_A01")(None) == ["<results>/claims/A01.json"]
    assert paper.target("figure12")(None) == ["<results>/figures/figure12.png"]
    make(select={"methods": ["initial", "thinksafe"]}).target("figure12")  # nothing is asked yet


def test_released_sets_are_known_by_student_and_method(make):
    part = {"source": {"hub": "their/set", "split": "train"}, "columns": {"prompt": "q", "response": "a"}}
    study = make(sources={"qwen3-4b": {"thinksafe": {"harmful": part, "benign": part}}})
    pattern = re.compile(f"(?P<student>{study.students_with_released_sets()})/for/(?P<method>.+)")
    assert pattern.match("qwen3-4b/for/thinksafe/replicate-0")
    assert not pattern.match("qwen3-4b/for/rejection/") and not pattern.match("qwen3-8b/for/thinksafe/")
    assert study.released("qwen3-4b", "thinksafe", "0").harmful.source.hub == "their/set"


def test_a_pattern_of_names_matches_exactly_these():
    pattern = re.compile(one_of(["qwen3-0.6b", "star1"]))
    assert pattern.fullmatch("qwen3-0.6b") and not pattern.fullmatch("qwen3-0x6b")
    assert not re.compile(one_of([])).fullmatch("")


# ---------------------------------------------------------------- the machine
def test_the_paper_runs_on_gpus_and_the_miniature_on_processors(paper, miniature):
    assert (paper.gpus(1), miniature.gpus(1)) == (1, 0)
    assert (paper.grpo_gpus("grpo"), miniature.grpo_gpus("grpo")) == (2, 0)  # the policy and the guard


def test_time_and_memory_follow_the_students_size_and_grow_at_each_attempt(paper):
    small, large = SimpleNamespace(student="qwen3-0.6b"), SimpleNamespace(student="qwen3-8b")
    minutes, memory = paper.minutes(240, per_billion=150), paper.megabytes(32000, per_billion=8000)
    assert [minutes(small, 1), minutes(large, 1), minutes(large, 2)] == [330, 1440, 2880]
    assert [memory(small, 1), memory(large, 1), memory(large, 3)] == [36800, 96000, 192000]
    assert paper.minutes(30)(SimpleNamespace(), 2) == 60


def test_a_built_model_is_trained_on_its_whole_batch_at_once(paper, miniature):
    assert paper.rows_per_device("qwen3-0.6b", "thinksafe") == 1
    assert miniature.rows_per_device("qwen3-mini", "thinksafe") == miniature.config.training.batch_size
