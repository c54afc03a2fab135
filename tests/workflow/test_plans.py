"""What every config that we ship plans: the paper's jobs, and those of an overlay."""

import contextlib
import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.dags import CONFIGS, ROOT, as_set_up, dry_run, plans, snakemake
from thinksafe.config import settings
from thinksafe.config.types import plain
from thinksafe.hub.needed import remote_sources, used
from thinksafe.planning.plan import render

PAPER = ROOT / "config/config.yaml"
FEW = {"students": ["qwen3-mini"], "benchmarks": ["harmbench", "gsm8k"]}
OVERLAYS = [path for path in CONFIGS if path != PAPER]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Return the jobs of every overlay that we ship."""
    folder = as_set_up(tmp_path_factory.mktemp("plans"))
    with contextlib.chdir(folder):
        configs = [{"config": plain(settings.load([PAPER, overlay]))} for overlay in OVERLAYS]
    found = plans(configs, folder)
    assert not [plan["error"] for plan in found if "error" in plan]
    return {overlay.stem: plan["jobs"] for overlay, plan in zip(OVERLAYS, found, strict=True)}


def test_every_overlay_plans(made: dict[str, list[Any]]) -> None:
    without = {name for name, jobs in made.items() if "sample_answers" not in {rule for rule, *_ in jobs}}
    assert without == {"printed"} and "write_printed_scores" in {rule for rule, *_ in made["printed"]}


def test_limits_follow_the_size_of_the_student(tmp_path: Path) -> None:
    own = ["--configfile", str(ROOT / "config/own-model.yaml"), "--config", "models={mine: {size: 30B-A3B}}"]
    (limits,) = re.findall(
        r"^rule train_student:.*?^    resources: (.*?)$", dry_run("adapter", *own, folder=tmp_path), re.M | re.S
    )
    found = dict(entry.split("=") for entry in limits.split(", "))
    assert (float(found["mem_mb"]), float(found["runtime"])) == (32_000 + 8_000 * 30, 240 + 150 * 30)


@pytest.fixture(scope="module")
def paper() -> dict[str, int]:
    """Return the counts of the paper's plan, made without network."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "thinksafe", "plan", "--json"],
        cwd=ROOT,
        env=os.environ | offline,
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_the_paper_plans_what_it_says(paper: dict[str, Any]) -> None:
    """All of the paper's tables and figures: seven methods and the set without reasoning for seven students, ...

    ... rejection for the four Qwen3, KL, GRPO and three more steering strategies for the smallest, nine teachers.
    """
    wanted = {"generation_jobs": 14, "training_sets": 28, "adapters": 74, "variants": 81, "cells": 648}
    wanted |= {"responses": 1_582_821, "verdicts": 256_365, "verdicts_of_other_judges": 0}
    assert {name: paper[name] for name in wanted} == wanted


def test_a_plan_reads_as_it_counts(paper: dict[str, Any]) -> None:
    """Every stage and student with its hours, the paper's own hours, and what is left where some is done."""
    text = "\n".join(render(paper))
    assert f"{paper['jobs']:,} jobs: 14 sets of responses, 28 training sets, 74 adapters, 81 variants" in text
    cost = paper["cost"]
    for name, hours in (cost["gpu_hours_by_stage"] | cost["gpu_hours_by_student"] | {"all": cost["gpu_hours"]}).items():
        (line,) = re.findall(rf"^  {re.escape(name)} +(\S+) +(\S+) +(\S+)$", text, re.M)
        assert [float(number.replace(",", "")) for number in line] == [hours[b] for b in ("value", "low", "high")]
    assert "grpo of qwen3-0.6b on 2 GPUs: " in text and "in the paper 21 h (over 21 hours)" in text
    assert f"disk: {cost['disk_gb']['total']:g} GB (" in text and text.endswith(paper["how_sure"])
    assert "left to do" not in text and "without an estimate" not in text
    text = "\n".join(render(paper | {"cost_of_what_is_left": {"jobs": 3} | cost}))
    assert f"left to do: 3 jobs, {paper['cost']['gpu_hours']['value']:g} (" in text


def test_every_script_gets_its_arguments(tmp_path: Path) -> None:
    """The parameters of its function are names of the rule's inputs, outputs and resources, and keys of its spec."""
    config = plain(settings.load([PAPER, ROOT / "config/miniature-full.yaml"], {"select": FEW}))
    targets = ["all", "chat", "report", "appendix", "judge_study", "claim_E05"]
    (made,) = plans([{"config": config, "targets": targets, "bind": True}], tmp_path)
    assert made.get("unbound") == [], made
    assert len({job[0] for job in made["jobs"]}) > 40


@pytest.mark.slow
def test_a_released_set_stands_in_for_sampling(tmp_path: Path) -> None:
    """Of one student and method alone; what needs the raw responses says nothing of it, and tables mark it."""
    part = {
        "source": {"hub": "their/set", "split": "train", "revision": "a" * 40},
        "columns": {"prompt": "q", "response": "a"},
    }
    entry = {"thinksafe": {"harmful": part, "benign": part}}
    chosen = {
        "students": ["qwen3-0.6b", "qwen3-1.7b"],
        "methods": ["initial", "thinksafe", "rejection", "thinksafe-noreason", "thinksafe-wildguard"],
    }
    moved = copy.deepcopy(entry)
    for half in moved["thinksafe"].values():
        half["source"]["revision"] = "b" * 40
    sources = ({}, {"qwen3-0.6b": entry}, {"qwen3-0.6b": moved})
    configs = [plain(settings.load([PAPER], {"select": chosen, "sources": source})) for source in sources]
    made = plans([{"config": config, "targets": ["all", "report"]} for config in configs], tmp_path)
    jobs = [{(job[0], *sorted(job[1].items())): job for job in plan["jobs"]} for plan in made]
    cell = (("method", "thinksafe"), ("replicate", "0"), ("student", "qwen3-0.6b"))
    (imported,) = jobs[1].keys() - jobs[0].keys()
    assert imported == ("import_released", *cell)
    assert json.loads(jobs[1][imported][2]["spec"])["harmful"]["source"]["hub"] == "their/set"
    gone = jobs[0].keys() - jobs[1].keys()
    assert ("filter_responses", *cell) in gone
    # Its steered responses are still sampled: ThinkSafe+WG, which is not released, filters them by another guard.
    assert {job[0] for job in gone} == {"filter_responses", "judge_responses"}
    assert all(dict(job[1:])["student"] == "qwen3-0.6b" for job in gone)
    specs = {job[0]: json.loads(job[2]["spec"]) for job in made[1]["jobs"] if job[2].get("spec") not in (None, "None")}
    own = [["qwen3-1.7b", "Qwen3-1.7B"]]
    assert specs["write_table3"]["students"] == specs["write_effects"]["students"] == own
    assert {job["student"] for job in specs["write_cost"]["jobs"] if job["method"] == "thinksafe"} == {"qwen3-1.7b"}
    assert {job["method"] for job in specs["write_cost"]["jobs"] if job["student"] == "qwen3-0.6b"} == {
        "rejection",
        "thinksafe-wildguard",
    }
    marked = [["qwen3-0.6b", "thinksafe"], ["qwen3-0.6b", "thinksafe-noreason"]]
    table1 = jobs[1]["write_main_table", ("table", "1")]
    assert json.loads(table1[2]["spec"])["released"] == marked[:1]
    assert "released" not in json.loads(jobs[0]["write_main_table", ("table", "1")][2]["spec"])
    data = {(cell["student"], cell["method"]): cell for cell in specs["write_table4"]["cells"]}
    assert data["qwen3-0.6b", "thinksafe"]["source"] == "their/set"
    assert data["qwen3-0.6b", "thinksafe-noreason"]["responses"] == "own (released)"
    # A changed revision changes the import's spec alone: the rest follows from its file.
    assert [key for key, job in jobs[1].items() if jobs[2][key][2].get("spec") != job[2].get("spec")] == [imported]


def test_the_papers_run_from_what_its_authors_released(made: dict[str, list[Any]]) -> None:
    config = settings.load([PAPER, ROOT / "config/released.yaml"])
    rules = [job[0] for job in made["released"]]
    assert rules.count("import_released") == rules.count("train_student") == 15  # 7 students, two guards; KL for one
    assert not {"sample_responses", "judge_responses", "filter_responses", "write_table3"} & set(rules)
    sets = {source["hub"] for source in remote_sources(used(config)) if "ThinkSafe" in source.get("hub", "")}
    assert len(sets) == 14 and {name.removesuffix("-WildGuard").rpartition("-")[2] for name in sets} == {
        *("0.6B", "1.7B", "4B", "8B", "1.5B", "7B")
    }
    some = settings.load(
        [PAPER, ROOT / "config/released.yaml"], {"students": ["qwen3-4b"], "methods": ["initial", "thinksafe"]}
    )
    assert [source["hub"] for source in remote_sources(used(some)) if "lee/" in source.get("hub", "")] == [
        "Seanie-lee/ThinkSafe-Qwen3-4B"
    ]


def test_a_claims_target_does_the_least_that_decides_it(tmp_path: Path) -> None:
    config = plain(settings.load([PAPER, ROOT / "config/miniature-full.yaml"]))
    wanted = [{"config": config, "targets": [f"claim_{name}"]} for name in ("A12", "A23", "E05")]
    named, a23, e05 = plans(wanted, tmp_path)
    assert "this run cannot decide it, as it lacks qwen3-8b" in named["error"]
    scored = {tuple(sorted(job[1].items())) for job in a23["jobs"] if job[0].startswith("score_")}
    students, methods, benchmarks = ({dict(one)[key] for one in scored} for key in ("student", "method", "benchmark"))
    assert students == {"qwen3-mini", "r1-mini"}  # the larger ones have no DirectRefusal
    assert methods == {"initial", "directrefusal"} and benchmarks == {"aime24", "gsm8k", "math500", "gpqa"}
    assert {job[0] for job in a23["jobs"]} & {"judge_answers", "write_main_table", "sample_responses"} == set()
    (verdict,) = [json.loads(job[2]["spec"]) for job in a23["jobs"] if job[0] == "judge_claim"]
    assert list(verdict["claims"]["claims"]) == ["A23"]
    assert verdict["over"] == {"A23": {"students": ["qwen3-mini", "r1-mini"]}}
    assert not {job[0] for job in e05["jobs"]} & {"train_student", "sample_answers", "filter_responses"}


def test_a_target_with_nothing_to_show_says_so(tmp_path: Path) -> None:
    arguments = ("--configfile", str(ROOT / "config/smoke.yaml"), "--dry-run")
    done = snakemake("figure13", *arguments, folder=tmp_path)
    assert done.returncode and "figure13: the selection has nothing for it" in done.stdout + done.stderr


def test_targets_that_the_readme_promises(tmp_path: Path) -> None:
    """Everything under results/ that the docs name with `snakemake` can be made."""
    texts = [
        path.read_text(encoding="utf-8")
        for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        if path.exists()
    ]
    named = {
        target
        for text in texts
        for line in re.findall(r"^.*snakemake .*$", text, re.M)
        for target in re.findall(r"results/(?:paper|miniature)/[\w./-]+\.\w+", line)
    }
    for run, overlay in (("paper", []), ("miniature", ["--configfile", str(ROOT / "config/miniature.yaml")])):
        if chosen := sorted(target for target in named if target.startswith(f"results/{run}/")):
            dry_run(*chosen, *overlay, "--quiet", "all", folder=tmp_path)


@pytest.mark.slow
def test_the_judge_study_is_planned_and_samples_nothing_of_its_own(tmp_path: Path) -> None:
    """Two guards and two views on the answers of the tables' methods; one of the four is there for the tables."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    done = subprocess.run(
        [sys.executable, "-m", "thinksafe", "plan", "judge_study", "--json"],
        cwd=tmp_path,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stdout + done.stderr
    made = json.loads(done.stdout)
    per_variant = 602 + 313 + 2000
    assert made["responses"] == made["verdicts"] == made["variants"] * per_variant
    assert made["verdicts_of_other_judges"] == 3 * made["verdicts"] and made["variants"] == 60
