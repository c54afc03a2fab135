"""What a config takes from the hub: only what its selection uses, at the lock's commits."""

from pathlib import Path
from typing import Any

import pytest

from thinksafe.config import settings
from thinksafe.config.types import Config, plain
from thinksafe.hub.needed import pinned, remote_sources, used

PAPER = Path(__file__).parents[2] / "config/config.yaml"
A, B, C = "a" * 40, "b" * 40, "c" * 40


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that loads the paper's config with changes."""
    monkeypatch.chdir(PAPER.parents[1])
    return lambda changes: settings.load([PAPER], changes)


def model(hub: str, **more: Any) -> dict[str, Any]:
    return {"label": hub, "size": "1B", "family": "qwen3", "source": {"hub": hub, **more}}


def test_a_source_takes_its_own_commit_only(load: Any) -> None:
    config: Config = load(
        {
            "models": {"one": model("org/one"), "two": model("org/two", revision="v1")},
            "prompts": {"harmful": {"source": {"hub": "org/one", "split": "train"}}},
        }
    )
    lock = {"models": {"org/one": {"main": {"commit": A}}, "org/two": {"main": {"commit": B}, "v1": {"commit": C}}}}
    done = pinned(config, lock | {"datasets": {}})
    assert plain(done.models["one"].source) == {"hub": "org/one", "revision": A}
    assert plain(done.models["two"].source) == {"hub": "org/two", "revision": C}
    assert done.prompts == config.prompts and done.guards == config.guards  # a data set is no model
    assert config.models["one"].source.revision is None


def test_one_repository_is_asked_for_once_and_only_what_is_used(load: Any) -> None:
    prompts = {"hub": "org/prompts", "split": "train"}
    config = load(
        {
            "select": {
                "students": ["qwen3-0.6b"],
                "methods": ["initial", "thinksafe-from-qwen3-8b"],
                "benchmarks": ["xstest"],
            },
            "benchmarks": {"xstest": {"source": {"url": "http://x/y.csv", "sha256": "0" * 64}}},
            "prompts": {half: {"source": prompts | {"config": half}} for half in ("harmful", "benign")},
        }
    )
    found = remote_sources(used(config))
    assert [source.get("hub", source.get("url")) for source in found] == [
        *("Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B", "meta-llama/Llama-Guard-3-8B", "allenai/wildguard", "org/prompts"),
        "http://x/y.csv",
    ]
    assert found[-2] == {
        "hub": "org/prompts",
        "kind": "dataset",
        "paths": ["prompts.harmful.source", "prompts.benign.source"],
    }
