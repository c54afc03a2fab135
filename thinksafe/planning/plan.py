"""Count what a run would make, and estimate its hours and disk; run nothing.

  thinksafe plan --gpus 8                                      # the paper's run
  thinksafe plan adapter --configfile config/own-model.yaml    # any target of Snakemake's

Counts come from Snakemake's plan of all jobs behind the target, made or not. Prompts are
counted as config states them (take, rows, approx_rows), or else in a file of yours. Hours and
bytes are estimates with a range, for all jobs and for those that are still to be made. For each
benchmark, the plan says how wide the interval of a score will be.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from thinksafe.data.sources import select, source_rows
from thinksafe.errors import UserError
from thinksafe.planning import cost, dag
from thinksafe.planning.cost import DEVICES, CostModel, number, ranged
from thinksafe.planning.dag import Job
from thinksafe.planning.precision import widths
from thinksafe.study.stages import COSTS

if TYPE_CHECKING:
    from thinksafe.config.types import Config


def prompts_of(config: "Config") -> dict[str, int]:
    """Return the number of prompts of each role: as taken, stated in config, or found in a local file; else 0."""
    from thinksafe.config.types import plain

    found = {}
    for role, entry in config.prompts:
        found[role] = entry.take or entry.rows or entry.approx_rows or 0
        if not found[role] and (file := entry.source.file):
            try:
                spec = plain(entry)
                found[role] = len(select(source_rows(spec["source"], [file]), spec, f"prompts.{role}"))
            except (OSError, ValueError) as error:
                raise UserError(f"prompts.{role}: {error}") from None
    return found


def jobs_and_model(arguments: argparse.Namespace) -> tuple[list[Job], CostModel]:
    """Return the jobs behind the target of a command line, and a cost model with the times of finished jobs."""
    overlay = dag.overlay_of(arguments)
    config = dag.settings_of(overlay)
    jobs = dag.planned(overlay, arguments.target)
    model = CostModel(config, prompts_of(config), getattr(arguments, "device", "h100"))
    model.calibrate(jobs)
    return jobs, model


def count(jobs: Sequence[Job], config: "Config", prompts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of raw sets, training sets, adapters, variants, cells, responses, verdicts and jobs."""

    def of(rules: str, *names: str) -> set[tuple[str, ...]]:
        return {tuple(job.wildcards[name] for name in names) for job in jobs if job.rule in rules.split()}

    def data_of(method: str) -> str:  # a set that two methods learn from counts once
        return repr(config.methods[method].data)

    variant = ("student", "method", "replicate")
    rows = {name: entry.asked or 0 for name, entry in config.benchmarks.items()}
    cells = of("sample_answers", *variant, "benchmark")
    verdicts = of("judge_answers", *variant, "benchmark", "guard")
    main = {key for key in verdicts if key[4] == config.benchmarks[key[3]].guard}  # others are audits
    others = (verdicts - main) | of("judge_other_view", *variant, "benchmark", "guard", "view")
    raw = of("sample_responses", "student", "steering", "samples", "replicate", "prompts")
    filtered = of("judge_responses", "guard", "student", "steering", "samples", "replicate", "prompts")
    sets = of("filter_responses derive_training_set import_released", *variant)
    return {
        "generation_jobs": len({key[:4] for key in raw if key[4] == "harmful"}),
        "training_sets": len({(student, data_of(method), replicate) for student, method, replicate in sets}),
        "adapters": sum(len(of(rule, *variant)) for rule in ("train_student", "train_grpo")),
        "variants": len({cell[:3] for cell in cells}),
        "cells": len(cells),
        "responses": sum(rows[cell[3]] * config.benchmarks[cell[3]].samples for cell in cells),
        "verdicts": sum(rows[cell[3]] for cell in {key[:4] for key in main}),
        "verdicts_of_other_judges": sum(rows[key[3]] for key in others),
        "training_responses": sum(prompts[key[4]] * int(key[2]) for key in raw),
        "filter_verdicts": sum(prompts[key[5]] * int(key[3]) for key in filtered),
        "jobs": len(jobs),
    }


def render(found: Mapping[str, Any]) -> list[str]:
    """Return a plan as lines for people."""
    counts = {name: f"{value:,}" for name, value in found.items() if isinstance(value, int)}
    costs = found["cost"]
    lines = [
        f"{counts['jobs']} jobs: {counts['generation_jobs']} sets of responses, {counts['training_sets']} training "
        f"sets, {counts['adapters']} adapters, {counts['variants']} variants, {counts['cells']} cells",
        f"{counts['training_responses']} training responses and {counts['filter_verdicts']} verdicts on them; "
        f"{counts['responses']} answers and {counts['verdicts']} verdicts on them"
        + (f", {counts['verdicts_of_other_judges']} of other judges" if found["verdicts_of_other_judges"] else ""),
        *(
            f"the number of prompts.{role} is not known before they are read, and is counted as 0: set `approx_rows`"
            for role in found["prompts_not_counted"]
        ),
        "",
    ]
    if stages := costs["gpu_hours_by_stage"]:
        lines += _hours("GPU-hours", stages | {"all": costs["gpu_hours"]})
        lines += ["", *_hours("by student", costs["gpu_hours_by_student"]), ""]
    lines += totals(costs)
    if left := found.get("cost_of_what_is_left"):
        lines += ["", f"left to do: {left['jobs']:,} jobs, {ranged(left['gpu_hours'])} GPU-hours", *totals(left)]
    if found["paper"]:
        lines.append("")
    lines += [
        f"{row['method']} of {row['student']} on {row['gpus']} GPUs: {ranged(row['hours'])} h; in the paper "
        f"{row['paper_hours']:g} h ({row['paper_says']})"
        for row in found["paper"]
    ]
    return [*lines, "", *_precision(found["intervals"]), f"how sure: {found['how_sure']}"]


def _precision(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table of how wide the intervals of scores will be."""
    if not rows:
        return []
    lines = [f"{'interval of a score':<24}{'items':>10}{'of':>10}{'samples':>10}   at 50 %, the widest"]
    for row in rows:
        counts = "".join(f"{row.get(name) or '':>10}" for name in ("items", "of", "samples"))
        low, high = (f"{row[bound]:.1f}" for bound in ("low", "high"))
        lines.append(f"  {row['column']:<22}{counts}   ±{low if low == high else f'{low} to {high}'} points")
    return [*lines, ""]


def _hours(title: str, parts: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a table of hours, stages in their order and the rest by name."""
    order = [*COSTS, *sorted(parts)]
    return [f"{title:<24}{'':>10}{'from':>10}{'to':>10}"] + [
        f"  {name:<22}" + "".join(f"{number(parts[name][bound]):>10}" for bound in ("value", "low", "high"))
        for name in sorted(parts, key=lambda name: (name == "all", order.index(name)))
    ]


def totals(costs: Mapping[str, Any]) -> list[str]:
    """Return lines on wall time, hours without a GPU, disk, and jobs without an estimate."""
    wall, disk = costs["wall_hours"], costs["disk_gb"]
    parts = ", ".join(f"{name} {size:g}" for name, size in disk.items() if name != "total")
    unknown = costs["jobs_without_estimate"]
    return [
        f"wall time on {wall['gpus']} GPUs: {ranged(wall)} h, queues not counted",
        f"hours without a GPU: {ranged(costs['processor_hours'])}",
        f"disk: {disk['total']:g} GB ({parts})",
        *([f"without an estimate: {unknown:,} jobs"] if unknown else []),
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    dag.add_arguments(parser, target="what to plan for: a target of Snakemake's, such as table1")
    parser.add_argument("--gpus", type=positive, default=8, metavar="N", help="GPUs for the wall time (default: 8)")
    parser.add_argument("--device", choices=DEVICES, default="h100", help="GPU that is assumed (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object with every number")


def positive(text: str) -> int:
    """Return a number that is at least 1."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Print counts and cost of one config and target."""
    jobs, model = jobs_and_model(arguments)
    found: dict[str, Any] = dict(count(jobs, model.config, model.prompts))
    found["prompts_not_counted"] = [role for role, there in model.prompts.items() if not there]
    found["cost"] = cost.cost(jobs, model, arguments.gpus)
    left = [job for job in jobs if job.stale]
    if len(left) < len(jobs):
        found["cost_of_what_is_left"] = {"jobs": len(left)} | cost.cost(left, model, arguments.gpus)
    whole = arguments.device == "h100" and not any(part.take for _, part in model.config.prompts)
    found["paper"] = cost.against_the_paper(jobs, model) if whole else []
    asked = {job.wildcards["benchmark"] for job in jobs if job.rule == "sample_answers"}
    found["intervals"] = widths(model.config, [name for name in model.config.select.benchmarks if name in asked])
    found["how_sure"] = cost.sure(model)
    print(json.dumps(found, indent=1) if arguments.json else "\n".join(render(found)))
    return 0
