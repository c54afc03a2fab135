"""What each job depends on from config: its spec changes with what it uses, and with nothing else."""

import json

import pytest

CELL = {"student": "qwen3-0.6b", "method": "thinksafe", "replicate": "0"}
ANSWERS = CELL | {"benchmark": "gsm8k", "shard": "0"}
RAW = {
    "student": "qwen3-0.6b",
    "steering": "prefix",
    "samples": "1",
    "replicate": "0",
    "prompts": "harmful",
    "shard": "0",
}
VERDICTS = CELL | {"benchmark": "harmbench", "guard": "llama-guard-3", "shard": "0"}
JOBS = {
    "prepare_prompts": {"prompts": "harmful"},
    "prepare_benchmark": {"benchmark": "gsm8k"},
    "prepare_corpus": {"corpus": "star1"},
    "sample_responses": RAW,
    "judge_responses": RAW | {"guard": "llama-guard-3"},
    "filter_responses": CELL,
    "derive_training_set": CELL | {"method": "thinksafe-noreason"},
    "train_student": CELL,
    "train_grpo": CELL | {"method": "grpo"},
    "sample_answers": ANSWERS,
    "judge_answers": VERDICTS,
    "score_safety": CELL | {"benchmark": "harmbench"},
    "score_reasoning": CELL | {"benchmark": "gsm8k"},
    "score_perplexity": CELL,
    "write_main_table": {"table": "1"},
    "write_table3": {},
    "write_gains": {"figure": "12"},
    "plot_gains": {"figure": "12"},
    "judge_claims": {},
}


def specs(study):
    """Return the spec of each of those jobs."""
    return {rule: study.spec_of(rule, wildcards) for rule, wildcards in JOBS.items()}


@pytest.mark.parametrize(
    ("changes", "stale"),
    [
        ({"steerings": {"prefix": "Refuse this: {prompt}"}}, {"sample_responses"}),
        ({"steerings": {"risk": "Mind the risk: {prompt}"}}, set()),  # another method's
        ({"sampling": {"reasoning": {"max_tokens": 1000}}}, {"sample_answers"}),
        ({"sampling": {"data": {"temperature": 1.0}}}, {"sample_responses"}),
        ({"sampling": {"data": {"top_k": {"r1": 1}}}}, set()),  # another family's
        ({"training": {"learning_rate": 1e-4}}, {"train_student", "train_grpo"}),
        ({"training": {"checkpoint_steps": 7}}, set()),  # no result depends on it
        ({"training": {"batch_size": 16}}, {"train_student"}),
        ({"methods": {"thinksafe": {"epochs": 9}}}, {"train_student"}),
        ({"methods": {"grpo": {"grpo": {"beta": 0.5}}}}, {"train_grpo"}),
        ({"methods": {"star1": {"epochs": 9}}}, set()),
        ({"guards": {"llama-guard-3": {"batch_size": 1}}}, {"judge_responses", "judge_answers", "train_grpo"}),
        ({"guards": {"wildguard": {"batch_size": 1}}}, set()),
        ({"benchmarks": {"gsm8k": {"samples": 4}}}, {"sample_answers"}),
        ({"scoring": {"timeout_seconds": 99}}, {"score_reasoning"}),
        ({"seeds": {"training": 1}}, {"train_student", "train_grpo"}),
        ({"seeds": {"data": 1}}, {"sample_responses", "filter_responses"}),
        ({"seeds": {"evaluation": 1}}, {"sample_answers"}),
        (
            {"models": {"qwen3-8b": {"label": "Large"}}},
            {"write_main_table", "write_table3", "write_gains", "plot_gains"},
        ),
        ({"report": {"public": True}}, set()),
    ],
    ids=lambda part: str(part if isinstance(part, dict) else sorted(part)),
)
def test_a_change_of_the_config_concerns_only_what_uses_it(paper, make, changes, stale):
    before, after = specs(paper), specs(make(**changes))
    assert {rule for rule in JOBS if before[rule] != after[rule]} == stale


def test_a_new_replicate_concerns_no_job_of_the_others(paper, make):
    before, after = specs(paper), specs(make(replicates=[0, 1]))
    changed = {rule for rule in JOBS if before[rule] != after[rule]}
    assert changed == {"write_main_table", "write_table3", "write_gains", "judge_claims"}


def test_responses_are_sampled_as_appendix_a_1_says(paper):
    spec = paper.spec.sample_responses(**RAW)
    assert spec["sampling"] == {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "max_tokens": 16384}
    assert (
        spec["steering"]
        == "The following prompt is harmful. You should refuse to answer the prompt.\n\nPrompt: {prompt}"
    )
    assert paper.spec.sample_responses(**RAW | {"student": "r1-qwen-7b"})["sampling"]["top_k"] == 0


def test_answers_to_reasoning_benchmarks_are_sampled_as_appendix_b_says(paper):
    spec = paper.spec.sample_answers(**ANSWERS)
    assert spec["samples"] == 8 and spec["sampling"]["max_tokens"] == 32768 and spec["steering"] == "{prompt}"


def test_every_method_answers_with_the_same_seeds(paper):
    assert paper.spec.sample_answers(**ANSWERS) == paper.spec.sample_answers(**ANSWERS | {"method": "star1"})


def test_a_taught_student_trains_as_any_other_and_the_rows_alone_differ(paper):
    taught = paper.spec.train_student(**CELL | {"method": "thinksafe-from-qwen3-8b"})
    assert taught == paper.spec.train_student(**CELL)


def test_lora_has_rank_32_and_alpha_16(paper):
    lora = paper.spec.train_student(**CELL)["training"]["lora"]
    assert lora == {"rank": 32, "alpha": 16, "dropout": 0.05, "targets": ["q_proj", "v_proj"]}


def test_grpo_samples_eight_responses_with_beta_0_04(paper):
    grpo = paper.spec.train_grpo(**CELL | {"method": "grpo"})["grpo"]
    assert (grpo["rollouts"], grpo["beta"], grpo["epsilon"]) == (8, 0.04, 0.2)


def test_grpo_takes_as_many_prompts_as_are_sampled_to(make):
    few = make(prompts={"harmful": {"take": 7}})
    assert few.spec.train_grpo(**CELL | {"method": "grpo"})["take"] == [7, None]


def test_perplexity_depends_on_the_tokens_that_are_learnt_and_not_on_how(paper):
    spec = paper.spec.score_perplexity(**CELL | {"method": "safepath"})
    assert spec["loss"] == {"primer": {"think": True}} and "seed" not in spec
    assert paper.spec.score_perplexity(**CELL | {"method": "safekey"})["loss"] == {"safekey": {}}


def test_the_other_view_of_a_guard_is_another_spec(paper):
    own, other = (paper.spec.judge_responses(**VERDICTS, **view) for view in ({}, {"view": "answer"}))
    assert (own["guard"].pop("judged_text"), other["guard"].pop("judged_text")) == ("full", "answer")
    assert own == other


def test_an_oracle_needs_no_engine(miniature):
    assert miniature.spec.judge_responses("oracle")["engine"] is None


def test_a_source_on_this_machine_comes_with_the_digest_of_its_content(make, tmp_path):
    file = tmp_path / "prompts.jsonl"
    found = []
    for text in ("one", "two"):
        file.write_text(json.dumps({"prompt": text}))
        study = make(prompts={"harmful": {"source": {"file": str(file)}, "columns": {"prompt": "prompt"}}})
        found.append(json.loads(study.spec_of("prepare_prompts", {"prompts": "harmful"}))["source"])
    assert found[0]["file"] == found[1]["file"] and found[0]["content"] != found[1]["content"]


def test_a_table_of_a_claim_is_of_the_claims_own_arms(paper):
    own, all_arms = paper.spec.write_figure8_table(claim="F02"), paper.spec.write_figure8_table()
    assert [(cell["student"], cell["method"]) for cell in own["cells"]] == [
        ("qwen3-1.7b", "star1"),
        ("qwen3-1.7b", "thinksafe"),
    ]
    assert len(all_arms["cells"]) > len(own["cells"])


def test_figure_12_names_the_teacher_whom_each_method_learns_from(paper):
    spec = paper.spec.plot_gains("12")
    assert spec["students"] == [["qwen3-8b", "Qwen3-8B"], ["r1-qwen-7b", "R1-Distill-Qwen-7B"]]
    assert dict(spec["sources"]) == {
        "thinksafe": "Self",
        "thinksafe-from-qwen3-8b": "Qwen3-8B",
        "thinksafe-from-r1-qwen-7b": "R1-Distill-Qwen-7B",
    }
    assert spec["metrics"] == ["safety_gain", "reasoning_gain"]


def test_figure_5_shows_the_ratio_of_the_gains(paper):
    assert paper.spec.plot_gains("5")["metrics"] == ["gain_ratio"]


def test_table_4_tells_epochs_sets_and_sources(paper):
    cells = {(cell["student"], cell["method"]): cell for cell in paper.spec.write_table4()["cells"]}
    star1 = cells["qwen3-0.6b", "star1"]
    assert (star1["epochs"], star1["sets"], star1["source"]) == (5, ["corpora/star1.parquet"], "UCSC-VLAA/STAR-1")
    assert cells["qwen3-0.6b", "grpo"]["take"] == [None, None]


def test_a_table_marks_cells_that_rest_on_released_sets(make, paper):
    part = {"source": {"hub": "their/set", "split": "train"}, "columns": {"prompt": "q", "response": "a"}}
    study = make(sources={"qwen3-0.6b": {"thinksafe": {"harmful": part, "benign": part}}})
    assert study.spec.write_main_table("1")["released"] == [["qwen3-0.6b", "thinksafe"]]
    assert "released" not in paper.spec.write_main_table("1")


def test_the_hub_fetches_what_is_selected_and_locks_all_that_is_defined(make):
    study = make(select={"students": ["qwen3-0.6b"], "methods": ["initial"], "benchmarks": ["gsm8k"]})
    fetched, locked = ({s.get("hub") for s in spec["sources"]} for spec in (study.spec.fetch(), study.spec.lock_hub()))
    assert "Qwen/Qwen3-0.6B" in fetched and "Qwen/Qwen3-8B" not in fetched
    assert fetched < locked and "Qwen/Qwen3-8B" in locked
