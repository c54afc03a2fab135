"""Values that do not fit their types: each is reported once, with its path and what it must be."""

from typing import Any

import pytest

from tests.config.overlays import nested, paths, problems
from thinksafe.config.types import schema

RELEASED = {"source": {"hub": "their/set", "split": "train"}, "columns": {"prompt": "q", "response": "a"}}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("training/learning_rte", 1e-4, "training.learning_rte: no such key; did you mean training.learning_rate?"),
        ("trainng", {}, "trainng: no such key; did you mean training?"),
        ("learning_rate", 1, "learning_rate: no such key; did you mean training.learning_rate?"),
        ("training/lora/Rank", 1, "training.lora.Rank: no such key; did you mean training.lora.rank?"),
        (
            "prompts/harmful/source",
            {"wrld": "x"},
            "no such key; did you mean prompts.harmful.source.world?",
        ),
        ("training/zzz", 1, "training.zzz: no such key; possible keys are lora, learning_rate"),
        ("training/learning_rate", "quick", "training.learning_rate: must be a number, not 'quick'"),
        ("training/learning_rate", "nan", "training.learning_rate: must be a number, not 'nan'"),
        ("training/batch_size", 1.5, "training.batch_size: must be a whole number, not 1.5"),
        ("training/warmup", 1, "training.warmup: must be less than 1, not 1.0"),
        ("scoring/confidence", 95, "scoring.confidence: must be less than 1, not 95.0"),
        ("sampling/data/top_p", 0, "sampling.data.top_p: must be more than 0, not 0.0"),
        ("engine/name", "vlm", "engine.name: must be one of vllm, transformers, not 'vlm'; did you mean vllm?"),
        ("shards/data", 0, "shards.data: must be at least 1, not 0"),
        ("run", "My Run", "run: 'My Run' is not of the form"),
        ("replicates", [], "replicates: must not be empty"),
        ("replicates", [-1], "replicates[0]: must be at least 0, not -1"),
        ("replicates", [0, 0], "replicates: 0 is listed more than once"),
        ("replicates", 3, "replicates: must be a list such as [3], not 3"),
        ("select/students", ["qwen3-4b", "qwen3-4b"], "select.students: qwen3-4b is listed more than once"),
        (
            "methods/thinksafe/data/harmful/samples",
            0,
            "methods.thinksafe.data.harmful.samples: must be at least 1, not 0",
        ),
        (
            "methods/star1/data/guard",
            "wildguard",
            "methods.star1.data: needs exactly one of guard, corpus, base_method, not guard and",
        ),
        (
            "methods/thinksafe/data/benign",
            None,
            "methods.thinksafe.data.harmful: needs benign, which is missing",
        ),
        (
            "methods/thinksafe/data",
            {"harmful": None, "benign": None},
            "methods.thinksafe.data.guard: needs harmful and benign, which are missing",
        ),
        ("methods/star1/loss", {"nll": {}, "primer": {"think": True}}, "needs exactly one of nll, primer, safekey"),
        ("methods/safekey/loss/safekey/theta", 2, "methods.safekey.loss.safekey.theta: must be at most 1, not 2"),
        ("methods/safekey/loss/safekey/last_epochs", None, "methods.safekey.loss.safekey: last_epochs is missing"),
        ("methods/star1/training", {"lr": 1}, "methods.star1.training.lr: no such key"),
        (
            "methods/star1/original",
            {"epoch": 1},
            "original.epoch: no such key; did you mean methods.star1.original.epochs?",
        ),
        ("baseline_settings", "paper", "baseline_settings: must be one of thinksafe, original, not 'paper'"),
        (
            "sources",
            {"qwen3-0.6b": {"thinksafe": {"harmful": RELEASED}}},
            "sources.qwen3-0.6b.thinksafe: benign is missing",
        ),
        ("methods/thinksfe", {"epochs": 4}, "methods.thinksfe: label is missing"),
        ("methods/Other", {"label": "x"}, "methods.Other: an id holds only a-z"),
        (
            "models/qwen3-4b/source",
            {"hub": "a/b", "folder": "c"},
            "needs exactly one of hub, folder, built, not hub",
        ),
        ("prompts/benign/source", {"url": "https://x.org/y"}, "source.url: needs sha256, which is missing"),
        ("prompts/benign/where", {"label": "x"}, "prompts.benign.where.label: must be a list such as [x], not 'x'"),
        ("benchmarks/gpqa/option_order", "random", "benchmarks.gpqa.option_order: must be one of row, skythought"),
        (
            "prompts/benign/where",
            {"label": [True]},
            "where.label[0]: must be text, and is read as True; put it",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_reported_once(path: str, value: Any, message: str, paper: dict[str, Any]) -> None:
    (found,) = problems(paper, nested(path, value))
    assert message in found


@pytest.mark.slow
def test_any_missing_section_is_reported(miniature: dict[str, Any]) -> None:
    for path in paths(miniature):
        if len(path) <= 3:
            overlay: Any = None
            for key in reversed(path):
                overlay = {key: overlay}
            problems(miniature, overlay)  # raises nothing but SettingsError
    for key in schema()["required"]:
        assert any(f"{key} is missing" in line for line in problems(miniature, {key: None})), key


def test_a_misspelt_key_of_a_source_is_reported_alone(paper: dict[str, Any]) -> None:
    """Without the key no kind of source is left, which follows from the misspelling."""
    found = problems(paper, nested("models/qwen3-4b/source", {"hubb": "a/b"}))
    assert found == ["config: models.qwen3-4b.source.hubb: no such key; did you mean models.qwen3-4b.source.hub?"]


def test_broken_sections_hide_no_contradiction_of_others(paper: dict[str, Any]) -> None:
    overlay = nested("models/qwen3-4b/source", {"hubb": "a/b"}) | {"audit": ["oracel"], "replicates": []}
    found = "\n".join(problems(paper, overlay))
    assert "source.hubb" in found and "audit: no guard is called 'oracel'" in found and "replicates: must" in found
