"""Contradictions between values that are each valid, and names that nothing defines."""

from typing import Any

import pytest

from tests.config.overlays import nested, problems

RELEASED = {"source": {"hub": "their/set", "split": "train"}, "columns": {"prompt": "q", "response": "a"}}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sampling/data/top_k", {"qwen": 3}, "sampling.data.top_k: no family is called 'qwen'; did you mean qwen3?"),
        ("sampling/data/top_k/r1", None, "sampling.data.top_k: r1 is missing"),
        ("shards/reasoning", 31, "shards.reasoning: 31 jobs for the 30 rows of aime24"),
        ("select/students", ["qwen3-06b"], "select.students: no model is called 'qwen3-06b'; did you mean qwen3-0.6b?"),
        ("select/methods", ["initial", "thinksfe"], "no method is called 'thinksfe'; did you mean thinksafe?"),
        ("select/methods", ["thinksafe"], "select.methods: initial is missing"),
        ("select/benchmarks", ["gsm8"], "select.benchmarks: no benchmark is called 'gsm8'; did you mean gsm8k?"),
        ("audit", ["oracel"], "audit: no guard is called 'oracel'; defined are llama-guard-3, wildguard"),
        ("models/qwen3-4b/family", "qwen", "models.qwen3-4b.family: no family is called 'qwen'; did you mean qwen3?"),
        ("families/r1/table", 1, "families.qwen3.table: 1 is the table of r1 too"),
        ("methods/thinksafe/data/guard", "llama", "methods.thinksafe.data.guard: no guard is called 'llama'"),
        ("methods/thinksafe/data/harmful/steering", "prefx", "no steering is called 'prefx'; did you mean prefix?"),
        ("methods/grpo/grpo/guard", "llama", "methods.grpo.grpo.guard: no guard is called 'llama'"),
        ("methods/grpo/grpo/prompts", "filtered", "methods.grpo.grpo.prompts: filtered needs a sampled training set"),
        ("methods/grpo/data", {"corpus": "star1"}, "methods.grpo.data: grpo does not use it"),
        ("methods/grpo/loss", {"nll": {}}, "methods.grpo.loss: grpo does not use it; drop it"),
        ("methods/grpo/epochs", None, "methods.grpo: epochs missing"),
        ("engine/name", "transformers", "methods.grpo.grpo.sampler: colocate needs vllm"),
        ("methods/thinksafe-kl/students", ["qwen3-06b"], "methods.thinksafe-kl.students: no model is called"),
        ("methods/star1/loss", {"kl": {"weight": 1}}, "methods.star1.loss: kl learns from harmful and benign rows"),
        ("methods/initial/epochs", 1, "methods.initial.epochs: initial is the untrained student"),
        (
            "methods/star1/data/corpus",
            "star-1",
            "methods.star1.data.corpus: no corpus is called 'star-1'; did you mean",
        ),
        (
            "methods/star1/loss",
            {"primer": {"think": True}},
            "primer learns from a corpus of format safepath, not from star1",
        ),
        ("methods/thinksafe/loss", {"primer": {"think": True}}, "of format safepath, not from responses"),
        ("methods/safepath/loss", None, "methods.safepath.loss: nll would teach to stop after the primer; set primer"),
        ("sources", {"qwen3-06b": {}}, "sources: no model is called 'qwen3-06b'; did you mean qwen3-0.6b?"),
        (
            "sources",
            {"qwen3-0.6b": {"star1": {"harmful": RELEASED, "benign": RELEASED}}},
            "sources.qwen3-0.6b.star1: star1 samples no training set that a released set could replace",
        ),
        (
            "sources",
            {"qwen3-0.6b": {"thinksafe": {"harmful": RELEASED | {"columns": {"prompt": "q"}}, "benign": RELEASED}}},
            "sources.qwen3-0.6b.thinksafe.harmful.columns: needs prompt, response, and has prompt",
        ),
        ("benchmarks/gpqa/take", 199, "benchmarks.gpqa.take: 199 is more than the 198 rows there are; lower it"),
        ("training/lora/rank", 513, "training.lora.rank: vllm serves ranks up to 512, not 513; lower it, or name: tr"),
        ("corpora/star1/harmful", None, "corpora.star1: has no rows; give harmful, benign, or both"),
        ("corpora/star1/thought", "Hm.", "corpora.star1.thought: format star1 does not use it; drop it"),
        (
            "corpora/safepath/primer",
            None,
            "corpora.safepath.primer: missing, and format safepath needs it: The",
        ),
        ("corpora/star1/harmful/columns", {"prompt": "q"}, "columns: star1 needs prompt, response, and has prompt"),
        (
            "corpora/safekey/harmful/columns",
            {"prompt": "q", "response": "r", "key_end": "k"},
            "safekey needs prompt, response, or these with key_end and query_end, and has key_end, prompt, response",
        ),
        (
            "corpora/star1/harmful/source",
            {"file": "no.json"},
            "corpora.star1.harmful.source.file: there is no file no.json",
        ),
        ("methods/other", {"label": "x"}, "methods.other: data and epochs missing"),
        ("steerings/prefix", "Refuse.", "steerings.prefix: holds {prompt} 0 times; it must hold it exactly once"),
        ("steerings/prefix", "{prompt}{prompt}", "steerings.prefix: holds {prompt} 2 times"),
        ("benchmarks/gsm8k/template", "Solve.", "benchmarks.gsm8k.template: holds {problem} 0 times"),
        (
            "benchmarks/gsm8k/template",
            None,
            "benchmarks.gsm8k.template: missing, and kind reasoning needs it: The",
        ),
        ("benchmarks/gsm8k/guard", "wildguard", "benchmarks.gsm8k.guard: kind reasoning does not use it; drop it"),
        ("benchmarks/gsm8k/columns", {"prompt": "q"}, "benchmarks.gsm8k.columns: needs problem with answer"),
        (
            "benchmarks/gpqa/task",
            "math500",
            "benchmarks.gpqa.columns: task math500 has no choices; map the column answer",
        ),
        (
            "benchmarks/xstest/guard",
            "llama-guard-3",
            "a llama-guard guard does not judge refusal; choose one of",
        ),
        (
            "guards/wildguard/format",
            None,
            "wildguard.format: missing, and kind wildguard needs it: File with the guard",
        ),
        ("guards/wildguard/format", "no.txt", "guards.wildguard.format: there is no file no.txt"),
        ("guards/llama-guard-3/format", "x.txt", "guards.llama-guard-3.format: kind llama-guard does not use it"),
        ("models/qwen3-4b/source", {"folder": "no"}, "models.qwen3-4b.source.folder: there is no folder no"),
        ("models/qwen3-4b/source", {"built": "student"}, "models.qwen3-4b.source: needs a synthetic world"),
        ("prompts/benign/source", {"file": "no.json"}, "prompts.benign.source.file: there is no file no.json"),
        ("prompts/benign/source", {"world": "benign"}, "prompts.benign.source: needs a synthetic world"),
        ("prompts/benign/leave_out", {"kind": ["x"]}, "prompts.benign.leave_out.kind: where has no kind"),
        (
            "prompts/benign/leave_out",
            {"label": ["vanilla_benign"]},
            "prompts.benign.leave_out.label: where keeps vanilla_benign too; leave it in one of them",
        ),
        (
            "prompts/benign/where",
            {"label": ["vanilla_harmful", "vanilla_benign"]},
            "prompts: label vanilla_harmful is harmful and benign; leave it in one `where` only",
        ),
        (
            "benchmarks/xstest/source_rows",
            249,
            "benchmarks.xstest.source_rows: 249 rows before filtering are fewer than 250 after it",
        ),
        ("benchmarks/gsm8k/option_order", "row", "benchmarks.gsm8k.option_order: there are no options"),
        ("models/qwen3-4b/source", {"folder": "docs"}, "source.folder: docs holds no model (config.json is missing)"),
    ],
)
def test_a_contradiction_is_reported_once(path: str, value: Any, message: str, paper: dict[str, Any]) -> None:
    (found,) = problems(paper, nested(path, value))
    assert message in found


def test_transformers_does_not_split_a_model(paper: dict[str, Any]) -> None:
    overlay = nested("methods/grpo/grpo/sampler", "trainer") | {
        "engine": {"name": "transformers", "tensor_parallel": 2}
    }
    (found,) = problems(paper, overlay)
    assert "engine.tensor_parallel: transformers does not split a model" in found


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("world", None, "prompts.harmful.source: needs a synthetic world, and there is no `world:`"),
        (
            "world/rows/gsm8k",
            90,
            "benchmarks.gsm8k.rows: is 100, and world.rows.gsm8k makes 90 rows; set both alike",
        ),
        ("benchmarks/gsm8k/source", {"world": "gsm8"}, "no set of the world is called 'gsm8'; did you mean gsm8k?"),
        ("world/student/mixx", 1, "world.student.mixx: no such key; did you mean world.student.mix?"),
        ("world/student/mix/quik", 1, "world.student.mix.quik: no such key; did you mean world.student.mix.quick?"),
        ("world/teacher/refusals/plan/mid", 1.5, "world.teacher.refusals.plan.mid: must be at most 1, not 1.5"),
        ("world/templates/gpqa", "Choose.", "world.templates.gpqa: holds {problem} 0 times"),
        ("models/teacher-mini/family", "r2", "models.teacher-mini.family: no family is called 'r2'"),
        (
            "models/qwen3-mini/source",
            {"built": "teacher"},
            "models.qwen3-mini: a built teacher is trained on",
        ),
        ("models/qwen3-mini/source", {"built": "guard"}, "models.qwen3-mini.source.built: a guard cannot be used here"),
        (
            "guards/wildguard/source",
            {"built": "teacher"},
            "wildguard.source.built: a teacher cannot be used here",
        ),
        ("guards/wildguard/format", "LICENSE", "guards.wildguard.format: LICENSE holds {prompt} 0 times"),
        ("guards/wildguard/kind", "oracle", "guards.wildguard.source: kind oracle does not use it; drop it"),
    ],
)
def test_a_contradiction_in_the_miniature(path: str, value: Any, message: str, miniature: dict[str, Any]) -> None:
    assert any(message in line for line in problems(miniature, nested(path, value)))


def test_unused_definitions_need_no_files(paper: dict[str, Any]) -> None:
    assert not problems(
        paper, nested("models/mine", {**paper["models"]["qwen3-4b"], "source": {"folder": "elsewhere"}})
    )


def test_families_that_no_student_has_are_fine(paper: dict[str, Any]) -> None:
    assert not problems(paper, {"select": {"students": ["r1-llama-8b"]}})


def test_all_problems_come_together_and_those_after_ten_are_counted(paper: dict[str, Any]) -> None:
    found = problems(paper, {"training": {"warmup": 2}}, {"select": {"students": ["x"]}}, {"engine": {"nme": 1}})
    assert {line.split(":")[1].strip() for line in found} == {"training.warmup", "engine.nme", "select.students"}
    many = problems(paper, {f"key{number}": 1 for number in range(13)})
    assert len(many) == 11 and many[-1] == "config: and 3 more"


# ---------------------------------------------------------------- models that do not think
NO_THINK = {"families": {"qwen3": {"chat": {"think": "none"}}}}


@pytest.mark.parametrize(
    "method", ["directrefusal", "safechain", "star1", "safepath", "safekey", "thinksafe-noreason", "grpo"]
)
def test_what_needs_a_trace_is_refused_by_name_where_a_model_does_not_think(paper, method):
    change = NO_THINK | {"select": {"students": ["qwen3-0.6b"], "methods": ["initial", method]}}
    found = [text for text in problems(paper, change) if f"methods.{method}: does not fit qwen3-0.6b" in text]
    assert len(found) == 1 and "(families.qwen3.chat.think: none)" in found[0] and "select.methods" in found[0]


def test_a_model_that_does_not_think_is_aligned_by_its_own_responses(paper):
    chosen = {"students": ["qwen3-0.6b"], "methods": ["initial", "thinksafe", "rejection", "thinksafe-kl"]}
    assert not problems(paper, NO_THINK | {"select": chosen})
    taught = {"students": ["qwen3-1.7b"], "methods": ["initial", "thinksafe-from-r1-qwen-1.5b"]}
    assert "only one of it and its teacher r1-qwen-1.5b thinks" in "\n".join(
        problems(paper, NO_THINK | {"select": taught})
    )
