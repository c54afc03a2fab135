"""Count what a run would make, as one JSON object: `make plan CONFIG=config/config.yaml TARGET=all`.

Counts come from Snakemake's own plan with everything forced, so they are those of the rules; numbers of prompts are
those that config states (``rows``), as the data may not be here yet.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

Job = tuple[str, dict[str, str]]


def planned_jobs(config: str, target: str, extra: Sequence[str] = ()) -> list[Job]:
    """Return rule and wildcards of every job that makes ``target`` from nothing."""
    command = [sys.executable, "-m", "snakemake", target, "--dry-run", "--forceall", "--quiet", "host", "reason"]
    command += ["--configfile", config, *extra] if config != "config/config.yaml" else list(extra)
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if found.returncode:
        sys.exit(found.stdout + found.stderr)
    jobs: list[Job] = []
    for line in found.stdout.splitlines():
        if match := re.match(r"(?:local)?rule (\w+):$", line):
            jobs.append((match[1], {}))
        elif match := re.match(r"    wildcards: (.+)$", line):
            jobs[-1][1].update(pair.split("=", 1) for pair in match[1].split(", "))
    return jobs


def prompts_of(config: dict[str, Any]) -> dict[str, int]:
    """Return how many prompts each half has: as many as are taken, or else as there are said to be."""
    return {
        role: entry.get("take") or entry.get("rows") or entry.get("about") or 0
        for role, entry in config["prompts"].items()
    }


def count(jobs: Sequence[Job], config: dict[str, Any]) -> dict[str, int]:
    """Return the counts of experiments.md: raw sets, training sets, adapters, variants, cells, responses, verdicts."""

    def of(rule: str, *names: str) -> set[tuple[str, ...]]:
        return {tuple(wildcards[name] for name in names) for kind, wildcards in jobs if kind == rule}

    def data_of(method: str) -> str:  # a set that two methods learn from counts once
        return json.dumps(config["methods"][method]["data"], sort_keys=True)

    rows = {name: entry.get("rows") or 0 for name, entry in config["benchmarks"].items()}
    prompts = prompts_of(config)
    cells = of("sample_answers", "student", "method", "replicate", "benchmark")
    judged = {
        cell
        for *cell, guard in of("judge_answers", "student", "method", "replicate", "benchmark", "guard")
        if guard == config["benchmarks"][cell[3]].get("guard")
        for cell in [tuple(cell)]
    }
    raw = of("sample_responses", "student", "steering", "draws", "replicate", "prompts")
    sets = {
        key
        for rule in ("filter_responses", "derive_training_set")
        for key in of(rule, "student", "method", "replicate")
    }
    filtered = of("judge_responses", "guard", "student", "steering", "draws", "replicate", "prompts")
    return {
        "generation_jobs": len({key[:4] for key in raw if key[4] == "harmful"}),
        "training_sets": len({(student, data_of(method), n) for student, method, n in sets}),
        "adapters": sum(len(of(rule, "student", "method", "replicate")) for rule in ("train_student", "train_grpo")),
        "variants": len({cell[:3] for cell in cells}),
        "cells": len(cells),
        "responses": sum(rows[cell[3]] * config["benchmarks"][cell[3]].get("draws", 1) for cell in cells),
        "verdicts": sum(rows[cell[3]] for cell in judged),
        "training_responses": sum(prompts[key[4]] * int(key[2]) for key in raw),
        "filter_verdicts": sum(prompts[key[5]] * int(key[3]) for key in filtered),
        "jobs": len(jobs),
    }


def main() -> None:
    """Print the counts of one config and target."""
    from scripts.lib import settings
    from scripts.tools import budget

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/config.yaml")
    parser.add_argument("--target", default="all")
    arguments = parser.parse_args()
    files = ["config/config.yaml"] + ([arguments.config] if arguments.config != "config/config.yaml" else [])
    config = settings.load([ROOT / file for file in files])
    jobs = planned_jobs(arguments.config, arguments.target)
    hours = budget.estimate(jobs, config, prompts_of(config))
    print(json.dumps(count(jobs, config) | ({"about_gpu_hours": hours} if hours else {}), indent=1))


if __name__ == "__main__":
    main()
