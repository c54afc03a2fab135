"""The rehearsal plans what the paper plans: job for job, for all seven students and every method (docs/testing.md)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from scripts.lib import settings
from tests.workflow.dags import ROOT, plans

PAPER = settings.load([ROOT / "config/config.yaml"])
OVERLAY = [ROOT / "config/config.yaml", ROOT / "config/rehearsal.yaml"]
OWN = {"write_rehearsal_data", "build_tokenizer", "pretrain_model", "train_guard"}


def jobs(plan: dict[str, Any]) -> Counter[str]:
    """Return how often each rule with its wildcards is planned."""
    assert "error" not in plan, plan["error"]
    return Counter(json.dumps([rule, wildcards], sort_keys=True) for rule, wildcards, *_ in plan["jobs"])


def test_the_whole_matrix_is_the_papers(tmp_path: Path) -> None:
    """With the paper's students, methods and shards; two benchmarks stand for the eight, whose rules are the same."""
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
    paper = settings.validate(settings.merge([PAPER, {"select": few, "shards": {"data": 2}}]))
    ours, theirs = (
        jobs(plan) for plan in plans([{"config": settings.load(OVERLAY, whole)}, {"config": paper}], tmp_path)
    )
    more = ours - theirs
    assert not theirs - ours
    assert {json.loads(job)[0] for job in more} == OWN
    students = [json.loads(job)[1]["student"] for job in more if json.loads(job)[0] == "pretrain_model"]
    assert sorted(students) == sorted(PAPER["select"]["students"])


def test_every_student_is_trained_and_every_kind_of_method_runs(tmp_path: Path) -> None:
    (plan,) = plans([{"config": settings.load(OVERLAY)}], tmp_path)
    made = [json.loads(job) for job in jobs(plan)]
    trained = {(w["student"], w["method"]) for rule, w in made if rule in ("train_student", "train_grpo")}
    assert {student for student, _ in trained} == set(PAPER["select"]["students"])
    methods = [PAPER["methods"][method] for _, method in trained]
    assert {next(iter(entry.get("loss", {"nll": {}}))) for entry in methods} == {"nll", "primer", "safekey", "kl"}
    assert {entry.get("data", {}).get("guard") for entry in methods} == {None, "llama-guard-3", "wildguard"}
    tables = {w["table"] for rule, w in made if rule == "write_table1"}
    assert tables == {"1", "2", "6", "7"}
