"""What a selection of the paper's config needs."""

from pathlib import Path
from typing import Any

import pytest

from thinksafe.config import settings
from thinksafe.config.selection import halves_of, methods_of, needs
from thinksafe.config.types import Config

PAPER = Path(__file__).parents[2] / "config/config.yaml"
SET = {"source": {"hub": "their/set", "split": "train"}, "columns": {"prompt": "q", "response": "a"}}
RELEASED = {"harmful": SET, "benign": SET}


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PAPER.parents[1])


def chosen(students: list[str], methods: list[str], benchmarks: list[str], **more: Any) -> Config:
    select = {"students": students, "methods": ["initial", *methods], "benchmarks": benchmarks}
    return settings.load([PAPER], {"select": select, **more})


def test_methods_are_those_of_a_students_family_and_name() -> None:
    config = settings.load([PAPER])
    assert "thinksafe-suffix" in methods_of(config, "qwen3-0.6b")
    assert "thinksafe-suffix" not in methods_of(config, "qwen3-1.7b")  # Figure 6 is about the smallest student
    assert "rejection" in methods_of(config, "qwen3-8b") and "rejection" not in methods_of(config, "r1-qwen-7b")
    assert methods_of(config, "no-such-model") == []


def test_a_set_of_a_teacher_is_the_teachers_but_for_the_students_own_half() -> None:
    config = settings.load([PAPER], {"methods": {"thinksafe-from-qwen3-8b": {"data": {"benign_half": "own"}}}})
    halves = halves_of(config, "qwen3-0.6b", "thinksafe-from-qwen3-8b")
    assert halves == {"harmful": ("qwen3-8b", "thinksafe"), "benign": ("qwen3-0.6b", "thinksafe")}
    assert halves_of(config, "qwen3-0.6b", "star1") == halves_of(config, "qwen3-0.6b", "initial") == {}


def test_what_is_needed_follows_the_methods_to_teachers_guards_and_corpora() -> None:
    needed = needs(chosen(["qwen3-0.6b"], ["thinksafe-from-qwen3-8b", "star1"], ["gsm8k"]))
    assert needed.models == ["qwen3-0.6b", "qwen3-8b"]
    assert needed.guards == ["llama-guard-3"] and needed.corpora == ["star1"] and needed.benchmarks == ["gsm8k"]
    assert needs(chosen(["qwen3-0.6b"], [], ["xstest"])).guards == ["wildguard"]


def test_a_method_for_other_students_needs_nothing() -> None:
    """By its families or by its students."""
    needed = needs(chosen(["r1-llama-8b"], ["rejection", "thinksafe-suffix"], ["gsm8k"]))
    assert (needed.models, needed.guards) == (["r1-llama-8b"], [])


def test_a_released_set_needs_no_guard() -> None:
    config = chosen(["qwen3-4b"], ["thinksafe"], ["gsm8k"], sources={"qwen3-4b": {"thinksafe": RELEASED}})
    assert needs(config).sources == [("qwen3-4b", "thinksafe")] and not needs(config).guards
    config = chosen(["qwen3-8b"], ["thinksafe"], ["gsm8k"], sources={"qwen3-4b": {"thinksafe": RELEASED}})
    assert needs(config).sources == [] and needs(config).guards == ["llama-guard-3"]
