"""The rehearsal plans what the paper plans: job for job, for all seven students and every method (docs/testing.md)."""

import json
from collections import Counter
from typing import Any

import pytest

from tests.workflow.dags import ROOT, plans
from thinksafe.config import settings
from thinksafe.config.types import plain

pytestmark = pytest.mark.slow  # the paper is planned three times

PAPER = plain(settings.load([ROOT / "config/config.yaml"]))
OVERLAY = [ROOT / "config/config.yaml", ROOT / "config/rehearsal.yaml"]
OWN = {"write_rehearsal_data", "build_tokenizer", "pretrain_model", "train_guard"}


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Return the jobs of the rehearsal, of its whole matrix, and of the paper's.

    The matrix has the paper's students, methods and shards; two benchmarks stand for the eight, by the same rules.
    """
    few = {"benchmarks": ["xstest", "gpqa"]}
    whole = {
        "select": {"methods": PAPER["select"]["methods"], **few},
        "shards": PAPER["shards"] | {"data": 2},
        "methods": {
            name: {"students": entry.get("students"), "families": entry.get("families")}
            for name, entry in PAPER["methods"].items()
            if name != "initial"
        },
    }
    configs = {
        "rehearsal": plain(settings.load(OVERLAY)),
        "whole": plain(settings.load(OVERLAY, whole)),
        "paper": plain(settings.validate(settings.merge([PAPER, {"select": few, "shards": {"data": 2}}]))),
    }
    found = plans([{"config": config} for config in configs.values()], tmp_path_factory.mktemp("plans"))
    for plan in found:
        assert "error" not in plan, plan["error"]
    return {name: plan["jobs"] for name, plan in zip(configs, found, strict=True)}


def counted(jobs: list[Any]) -> Counter[str]:
    """Return how often each rule with its wildcards is planned."""
    return Counter(json.dumps([rule, wildcards], sort_keys=True) for rule, wildcards, *_ in jobs)


def test_the_whole_matrix_is_the_papers(planned: dict[str, list[Any]]) -> None:
    ours, theirs = counted(planned["whole"]), counted(planned["paper"])
    more = ours - theirs
    assert not theirs - ours
    assert {json.loads(job)[0] for job in more} == OWN
    students = [json.loads(job)[1]["student"] for job in more if json.loads(job)[0] == "pretrain_model"]
    assert sorted(students) == sorted(PAPER["select"]["students"])


def test_every_rule_of_the_paper_really_runs(planned: dict[str, list[Any]]) -> None:
    """Figures 6, 11 and 12 are drawn by the rules of 5 and 4 for other students."""
    rules = {name: {rule for rule, *_ in jobs} for name, jobs in planned.items()}
    assert rules["rehearsal"] == rules["paper"] | OWN


def test_every_student_is_trained_and_every_kind_of_method_runs(planned: dict[str, list[Any]]) -> None:
    made = [(rule, wildcards) for rule, wildcards, *_ in planned["rehearsal"]]
    trained = {(w["student"], w["method"]) for rule, w in made if rule in ("train_student", "train_grpo")}
    assert {student for student, _ in trained} == set(PAPER["select"]["students"])
    assert len(trained) >= 8
    methods = [PAPER["methods"][method] for _, method in trained]
    assert {next(iter(entry.get("loss", {"nll": {}}))) for entry in methods} == {"nll", "primer", "safekey", "kl"}
    data = [entry.get("data", {}) for entry in methods]
    assert {entry.get("guard") for entry in data} == {None, "llama-guard-3", "wildguard"}
    assert {entry["harmful"]["samples"] for entry in data if "harmful" in entry} == {1, 5}
    corpora = {entry["data"]["corpus"] for entry in PAPER["methods"].values() if "corpus" in entry.get("data", {})}
    assert {entry["corpus"] for entry in data if "corpus" in entry} == corpora
    assert any("from" in entry for entry in data) and any("strip_reasoning" in entry for entry in data)
    tables = {w["table"] for rule, w in made if rule == "write_main_table"}
    assert tables == {"1", "2", "6", "7"}
