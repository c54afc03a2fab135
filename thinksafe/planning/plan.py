"""Count what a run would make, and what it costs: `make plan CONFIG=... TARGET=all GPUS=8`; `--json` for programs.

Counts come from Snakemake's own plan of all that is behind the target, made or not, so they are those of the rules;
numbers of prompts are those that config states (``rows``), as the data may not be here yet, and else those of a file of
the user's. Hours and bytes are estimates with a range (thinksafe/planning/cost.py), for everything and for what is not
there yet.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from thinksafe.data.sources import select, source_rows  # noqa: E402 - runs as a script, too
from thinksafe.planning import cost, dag  # noqa: E402
from thinksafe.planning.cost import number, ranged  # noqa: E402

Job = tuple[str, dict[str, str]]


def prompts_of(config: Mapping[str, Any], folder: Path = ROOT) -> dict[str, int]:
    """Return how many prompts each half has: as many as are taken, or are said to be there, or stand in a local file.

    0 where nothing tells. ``folder`` is the one that relative paths are from.
    """
    return {
        role: entry.get("take") or entry.get("rows") or entry.get("approx_rows") or _in_file(entry, folder, role)
        for role, entry in config["prompts"].items()
    }


def _in_file(entry: Mapping[str, Any], folder: Path, role: str) -> int:
    """Return how many prompts the job will find in a file of the user's, by its own reading of it."""
    source = entry["source"]
    if "file" not in source:
        return 0
    try:
        return len(select(source_rows(source, [str(folder / source["file"])]), entry, f"prompts.{role}"))
    except (OSError, ValueError) as error:
        sys.exit(f"prompts.{role}: {error}")


def count(jobs: Sequence[Job], config: dict[str, Any], prompts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of experiments.md: raw sets, training sets, adapters, variants, cells, responses, verdicts."""

    def of(rule: str, *names: str) -> set[tuple[str, ...]]:
        return {tuple(wildcards[name] for name in names) for kind, wildcards in jobs if kind == rule}

    def data_of(method: str) -> str:  # a set that two methods learn from counts once
        return json.dumps(config["methods"][method]["data"], sort_keys=True)

    rows = {name: entry.get("rows") or 0 for name, entry in config["benchmarks"].items()}
    cells = of("sample_answers", "student", "method", "replicate", "benchmark")
    verdicts = of("judge_answers", "student", "method", "replicate", "benchmark", "guard")
    judged = {key[:4] for key in verdicts if key[4] == config["benchmarks"][key[3]].get("guard")}
    again = of("judge_other_view", "student", "method", "replicate", "benchmark", "guard", "view")
    again |= {key for key in verdicts if key[4] != config["benchmarks"][key[3]].get("guard")}  # audits among them
    raw = of("sample_responses", "student", "steering", "draws", "replicate", "prompts")
    sets = {
        key
        for rule in ("filter_responses", "derive_training_set", "import_released")
        for key in of(rule, "student", "method", "replicate")
    }
    filtered = of("judge_responses", "guard", "student", "steering", "draws", "replicate", "prompts")
    return {
        "generation_jobs": len({key[:4] for key in raw if key[4] == "harmful"}),
        "training_sets": len({(student, data_of(method), n) for student, method, n in sets}),
        "adapters": sum(len(of(rule, "student", "method", "replicate")) for rule in ("train_student", "train_grpo")),
        "variants": len({cell[:3] for cell in cells}),
        "cells": len(cells),
        "responses": sum(rows[cell[3]] * config["benchmarks"][cell[3]]["samples"] for cell in cells),
        "verdicts": sum(rows[cell[3]] for cell in judged),
        "verdicts_of_other_judges": sum(rows[cell[3]] for cell in again),
        "training_responses": sum(prompts[key[4]] * int(key[2]) for key in raw),
        "filter_verdicts": sum(prompts[key[5]] * int(key[3]) for key in filtered),
        "jobs": len(jobs),
    }


def told(found: Mapping[str, Any]) -> list[str]:
    """Return the lines of a plan for people."""
    counts = {name: f"{value:,}" for name, value in found.items() if isinstance(value, int)}
    cost = found["cost"]
    lines = [
        f"{counts['jobs']} jobs: {counts['generation_jobs']} sets of responses, {counts['training_sets']} training "
        f"sets, {counts['adapters']} adapters, {counts['variants']} variants, {counts['cells']} cells",
        f"{counts['training_responses']} training responses and {counts['filter_verdicts']} verdicts on them; "
        f"{counts['responses']} answers and {counts['verdicts']} verdicts on them"
        + (f", {counts['verdicts_of_other_judges']} of other judges" if found["verdicts_of_other_judges"] else ""),
        *(
            f"how many prompts.{role} has is not known before they are read, and counted as none: give `approx_rows`"
            for role in found["prompts_not_counted"]
        ),
        "",
    ]
    if stages := cost["gpu_hours_by_stage"]:
        lines += _hours("GPU-hours", stages, cost["gpu_hours"])
        lines += ["", *_hours("by student", cost["gpu_hours_by_student"]), ""]
    lines += _rest(cost)
    if left := found.get("cost_of_what_is_left"):
        lines += ["", f"left to do: {left['jobs']:,} jobs, {ranged(left['gpu_hours'])} GPU-hours", *_rest(left)]
    if found["paper"]:
        lines.append("")
    for row in found["paper"]:
        lines.append(
            f"{row['method']} of {row['student']} on {row['gpus']} GPUs: {ranged(row['hours'])} h; in the paper "
            f"{row['paper_hours']:g} h ({row['paper_says']})"
        )
    return [*lines, "", f"how sure: {found['how_sure']}"]


def _hours(title: str, parts: Mapping[str, Mapping[str, float]], total: Mapping[str, float] | None = None) -> list[str]:
    """Return a table of hours: each part in the order of the stages, and the total."""
    order = {stage: place for place, stage in enumerate(dict.fromkeys(cost.STAGES.values()))}
    rows = sorted(parts.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))
    rows += [("all", total)] if total else []
    lines = [f"{title:<24}{'':>10}{'from':>10}{'to':>10}"]
    return lines + [
        f"  {name:<22}" + "".join(f"{number(hours[bound]):>10}" for bound in ("value", "low", "high"))
        for name, hours in rows
    ]


def _rest(cost: Mapping[str, Any]) -> list[str]:
    """Return the lines on wall time, hours without a GPU, disk, and what has no estimate."""
    wall, disk = cost["wall_hours"], cost["disk_gb"]
    parts = ", ".join(f"{name} {size:g}" for name, size in disk.items() if name != "total")
    unknown = cost["jobs_without_estimate"]
    return [
        f"wall time on {wall['gpus']} GPUs: {ranged(wall)} h, queues not counted",
        f"hours without a GPU: {ranged(cost['processor_hours'])}",
        f"disk: {disk['total']:g} GB ({parts})",
        *([f"without an estimate: {unknown:,} jobs"] if unknown else []),
    ]


def main() -> None:
    """Print counts and cost of one config and target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/config.yaml")
    parser.add_argument("--target", default="all")
    parser.add_argument("--gpus", type=int, default=8, help="how many GPUs the wall time is for")
    parser.add_argument("--folder", type=Path, default=ROOT, help="where results/ and .snakemake/ are")
    parser.add_argument("--json", action="store_true", help="one JSON object with every number")
    arguments = parser.parse_args()
    if arguments.gpus < 1:
        parser.error("--gpus: at least 1")
    config = dag.settings_of(arguments.config)
    jobs = dag.planned(arguments.config, arguments.target, arguments.folder)
    prompts = prompts_of(config, arguments.folder)
    model = cost.CostModel(config, prompts)
    model.calibrate(jobs, arguments.folder)
    found: dict[str, Any] = dict(count([(job.rule, job.wildcards) for job in jobs], config, prompts))
    found["prompts_not_counted"] = [role for role, there in prompts.items() if not there]
    found["cost"] = cost.cost(jobs, model, arguments.gpus)
    left = [job for job in jobs if job.stale]
    if len(left) < len(jobs):
        found["cost_of_what_is_left"] = {"jobs": len(left)} | cost.cost(left, model, arguments.gpus)
    found["paper"] = cost.against_the_paper(jobs, model)
    found["how_sure"] = cost.sure(model)
    print(json.dumps(found, indent=1) if arguments.json else "\n".join(told(found)))


if __name__ == "__main__":
    main()
