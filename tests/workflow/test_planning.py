"""Planning is cheap: a dry run of the paper costs little more than Snakemake's own work on as many jobs."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from scripts.lib import settings
from tests.workflow.dags import ROOT, plans

FACTOR = 1.5
BARE = """
import json

JOBS = json.load(open("jobs.json"))

rule all:
    input: JOBS["targets"]
"""


def bare_workflow(folder: Path, jobs: list[list], targets: list[str]) -> None:
    """Write a workflow of as many rules, jobs, inputs and outputs, in which nothing is looked up.

    One rule per rule of ours; its jobs differ by one wildcard, whose inputs a dictionary tells.
    """
    rules: dict[str, list[list]] = {}
    names: dict[str, str] = {}
    for job in jobs:
        rules.setdefault(job[0], []).append(job)
    for rule, members in rules.items():
        for number, (*_, outputs) in enumerate(members):
            for place, path in enumerate(outputs):
                names[path] = f"out/{rule}/{number}/{place}"
    asked: dict[str, dict[int, list[str]]] = {
        rule: {n: [names[path] for path in job[3] if path in names] for n, job in enumerate(members)}
        for rule, members in rules.items()
    }
    (folder / "jobs.json").write_text(json.dumps({"inputs": asked, "targets": [names[path] for path in targets]}))
    text = BARE
    for rule, members in rules.items():
        outputs = [f"out/{rule}/{{n}}/{place}" for place in range(len(members[0][4]))]
        text += f"\nrule {rule}:\n    input: lambda w: JOBS['inputs'][{rule!r}][w.n]\n"
        text += f"    output: {', '.join(map(repr, outputs))}\n    log: 'logs/{rule}/{{n}}.log'\n"
        text += "    wildcard_constraints: n=r'\\d+'\n"
        text += "    params: spec=lambda w: 'x' + w.n, code='y', environment='z'\n    script: 'nothing.py'\n"
    (folder / "Snakefile").write_text(text)
    (folder / "nothing.py").write_text("")


def seconds(command: list[str], folder: Path) -> float:
    """Return the processor time that a command and what it starts use."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", *command],
        cwd=folder,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.slow
def test_planning_the_paper_is_cheap(tmp_path: Path) -> None:
    ours, bare = tmp_path / "ours", tmp_path / "bare"
    ours.mkdir(), bare.mkdir()
    jobs = plans([{"config": settings.load([ROOT / "config/config.yaml"])}], ours)[0]["jobs"]
    used = {path for job in jobs for path in job[3]}
    targets = [job[4][0] for job in jobs if not used & set(job[4])]
    bare_workflow(bare, jobs, targets)
    times = [(seconds(["--snakefile", str(ROOT / "Snakefile"), "all"], ours), seconds(["all"], bare)) for _ in range(3)]
    mine, theirs = median(first for first, _ in times), median(second for _, second in times)
    assert mine <= FACTOR * theirs, f"{mine:.2f} s for {len(jobs)} jobs, {theirs:.2f} s for as many bare ones"
    print(f"{mine:.2f} s for {len(jobs)} jobs, {theirs:.2f} s for as many bare ones")
