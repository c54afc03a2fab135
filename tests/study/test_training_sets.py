"""What each method learns from, and how (Sec. 4, 5.1, 5.4, Table 4, Table 5)."""

import pytest

RELEASED = {"source": {"hub": "their/set", "split": "train"}, "columns": {"prompt": "q", "response": "a"}}


def halves(study, method):
    """Return steering and number of samples of a method's harmful and benign half."""
    data = study.config.methods[method].data
    return [(half.steering, half.samples) for half in (data.harmful, data.benign)]


def test_thinksafe_learns_from_steered_refusals_and_direct_answers(paper):
    assert halves(paper, "thinksafe") == [("prefix", 1), ("direct", 1)]
    assert paper.config.methods["thinksafe"].data.guard == "llama-guard-3"


def test_with_wildguard_the_same_responses_pass_another_guard(paper):
    assert halves(paper, "thinksafe-wildguard") == halves(paper, "thinksafe")
    assert paper.config.methods["thinksafe-wildguard"].data.guard == "wildguard"


def test_rejection_sampling_steers_nothing_and_samples_five_responses(paper):
    assert halves(paper, "rejection") == [("direct", 5), ("direct", 5)]


@pytest.mark.parametrize("name", ["suffix", "risk", "intent"])
def test_a_steering_strategy_changes_the_harmful_half_only(paper, name):
    assert halves(paper, f"thinksafe-{name}") == [(name, 1), ("direct", 1)]


def test_the_five_baselines_learn_from_published_sets(paper):
    corpora = {name: m.data.corpus for name, m in paper.config.methods.items() if m.data and m.data.corpus}
    assert corpora == {name: name for name in ("directrefusal", "safechain", "star1", "safepath", "safekey")}


def test_which_methods_sample_derive_are_taught_or_learn_by_reward(paper):
    strategies = [f"thinksafe-{name}" for name in ("suffix", "risk", "intent")]
    assert paper.sets.sampled == ["thinksafe", "thinksafe-wildguard", "thinksafe-kl", "rejection", *strategies]
    assert paper.sets.derived == ["thinksafe-noreason"]
    assert paper.sets.taught == [name for name in paper.config.methods if name.startswith("thinksafe-from-")]
    assert paper.sets.by_reward == ["grpo"]
    assert set(paper.config.methods) - set(paper.sets.with_data) == {"initial", "grpo"}


def test_a_set_without_reasoning_is_made_of_the_students_own_thinksafe_set(paper):
    own = ("qwen3-4b", "thinksafe")
    assert paper.sets.halves_of("qwen3-4b", "thinksafe-noreason") == {"harmful": own, "benign": own}


def test_a_taught_student_learns_both_halves_from_its_teacher(paper):
    teacher = ("qwen3-8b", "thinksafe")
    found = paper.sets.halves_of("r1-qwen-7b", "thinksafe-from-qwen3-8b")
    assert found == {"harmful": teacher, "benign": teacher}


def test_a_taught_student_may_keep_its_own_benign_half(make):
    study = make(methods={"thinksafe-from-qwen3-8b": {"data": {"benign_half": "own"}}})
    found = study.sets.halves_of("qwen3-0.6b", "thinksafe-from-qwen3-8b")
    assert found == {"harmful": ("qwen3-8b", "thinksafe"), "benign": ("qwen3-0.6b", "thinksafe")}
    assert "thinksafe-from-qwen3-8b" in study.sets.derived


def test_published_sets_and_grpo_have_no_halves(paper):
    assert paper.sets.halves_of("qwen3-0.6b", "star1") == paper.sets.halves_of("qwen3-0.6b", "grpo") == {}


def test_a_released_set_replaces_sampling_for_one_student_and_method(make):
    study = make(sources={"qwen3-0.6b": {"thinksafe": {"harmful": RELEASED, "benign": RELEASED}}})
    assert study.sets.is_released("qwen3-0.6b", "thinksafe") and not study.sets.is_released("qwen3-4b", "thinksafe")
    assert not study.sets.samples_itself("qwen3-0.6b", "thinksafe-noreason")
    assert study.sets.samples_itself("qwen3-0.6b", "thinksafe-wildguard")
    assert study.sets.origin_of("qwen3-0.6b", "thinksafe") == {"source": "their/set", "responses": "own (released)"}


def test_epochs_are_those_of_table_4(paper):
    epochs = {"directrefusal": 5, "safechain": 3, "star1": 5, "safekey": 5, "safepath": 4, "thinksafe": 3}
    assert {method: paper.sets.epochs_of(method) for method in epochs} == epochs


def test_all_methods_share_the_settings_of_section_5_1(paper):
    settings = paper.sets.settings_of("thinksafe")
    assert (settings["learning_rate"], settings["batch_size"], settings["lora"]["rank"]) == (1e-5, 8, 32)
    assert all(paper.sets.settings_of(method) == settings for method in paper.sets.with_data)


def test_baselines_may_have_the_settings_of_their_own_papers(paper, make):
    """Four of the five say their own, all with the same LoRA; what is ours stays as it is."""
    original = make(baseline_settings="original")
    trained = {"student": "qwen3-0.6b", "replicate": "0"}
    before, after = (
        {name: study.spec.train_student(method=name, **trained) for name in study.sets.with_data}
        for study in (paper, original)
    )
    assert {name for name in before if before[name] != after[name]} == {"directrefusal", "star1", "safepath", "safekey"}
    own = {name: spec["training"] for name, spec in after.items()}
    sizes = {"directrefusal": 8, "star1": 128, "safepath": 4, "safekey": 128}
    assert {name: own[name]["batch_size"] for name in sizes} == sizes
    assert own["directrefusal"]["learning_rate"] == 5e-5 and own["safekey"]["betas"] == [0.9, 0.95]
    assert after["safepath"]["epochs"] == 1
    assert all(settings["lora"] == own["thinksafe"]["lora"] for settings in own.values())


def test_the_loss_is_the_likelihood_of_the_response_unless_a_method_names_another(paper):
    assert paper.sets.loss_of("thinksafe") == ("nll", {})
    assert paper.sets.loss_of("thinksafe-kl") == ("kl", {"weight": 1.0})
    assert paper.sets.loss_of("safepath")[0] == "primer" and paper.sets.loss_of("safekey")[0] == "safekey"


@pytest.mark.parametrize(
    ("student", "method", "source", "responses"),
    [
        ("qwen3-0.6b", "thinksafe", "UWNSL/SafeChain", "own"),
        ("qwen3-0.6b", "star1", "UCSC-VLAA/STAR-1", "the set's"),
        ("qwen3-0.6b", "safekey", "UCSC-VLAA/STAR-1, UCSC-VLAA/STAR-benign-915", "the set's"),
        ("qwen3-0.6b", "grpo", "UWNSL/SafeChain", "own, while training"),
        ("r1-qwen-7b", "thinksafe-from-qwen3-8b", "UWNSL/SafeChain", "Qwen3-8B"),
    ],
)
def test_table_4_says_whose_prompts_and_whose_responses(paper, student, method, source, responses):
    assert paper.sets.origin_of(student, method) == {"source": source, "responses": responses}


def test_table_5_has_the_four_instructions_to_refuse(paper):
    used = {entry["id"]: entry for entry in paper.sets.steerings_used()}
    assert list(used) == ["direct", "prefix", "suffix", "risk", "intent"]
    refuse = "The following prompt is harmful. You should refuse to answer the prompt.\n\nPrompt: {prompt}"
    assert used["prefix"]["template"] == refuse
    assert used["direct"]["methods"] == ["rejection"] and used["risk"]["methods"] == ["thinksafe-risk"]
