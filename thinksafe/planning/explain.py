"""Explain what a run would make again: why, what that reaches and what it costs; run nothing.

  thinksafe explain --configfile config/miniature.yaml

Snakemake's record of each output has the settings, code and versions that it was made
with (docs/staleness.md). Compared with the present ones they name the leaf of the config,
the module or the version that has changed. Exit code 1: something would be made again.
"""

import argparse
import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from thinksafe.planning import cost, dag, plan
from thinksafe.provenance.digests import canonical, module_files
from thinksafe.reporting.show_results import by_number

NOTHING = object()
NOT_MADE = "not made yet"
LONGEST = 60  # characters of a value that are shown


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and the value of every leaf of nested mappings; a list is one leaf."""
    if isinstance(value, Mapping) and (value or not path):
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    else:
        yield ".".join(path), value


def shown(value: Any) -> str:
    """Return a value as JSON, shortened in the middle if it is long."""
    text = "nothing" if value is NOTHING else canonical(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}...{text[-LONGEST // 2 :]}"


def difference(kind: str, before: Any, after: Any) -> list[str]:
    """Return a line per leaf, module or version in which two values of one param differ."""
    old, new = dict(leaves(before)), dict(leaves(after))
    pairs = {path: (old.get(path, NOTHING), new.get(path, NOTHING)) for path in sorted({*old, *new})}
    pairs = {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}
    if kind == "code":
        verbs = {(True, True): "changed", (True, False): "no longer runs", (False, True): "runs now"}
        return [f"code: {' or '.join(module_files(name)) or name} {verbs[name in old, name in new]}" for name in pairs]
    title = "config" if kind == "spec" else "environment"
    return [f"{title}: {path}: {shown(was)} -> {shown(now)}" for path, (was, now) in pairs.items()]


def kind_of(value: Any) -> str:
    """Return which param a recorded value was: code, environment or spec; Snakemake keeps no names."""
    texts = isinstance(value, Mapping) and all(isinstance(part, str) for part in value.values())
    if texts and value and all(re.fullmatch("[0-9a-f]{16}", part) for part in value.values()):
        return "code"
    # Versions are text that begins with a digit; a spec never has only such values, and is never empty.
    if texts and all(part[:1].isdigit() for part in value.values()):
        return "environment"
    return "spec"


def recorded(texts: Sequence[str]) -> dict[str, Any]:
    """Return the changed params of a record, by name; each is stored as a Python string literal."""
    found: dict[str, Any] = {}
    for text in texts:
        value = json.loads(ast.literal_eval(text))
        found[kind_of(value)] = value
    return found


def causes(job: dag.Job) -> list[str]:
    """Return why a job is stale by itself, a line per reason; none if only its inputs are made again."""
    lines = []
    for kind, before in recorded(job.recorded).items():
        lines += difference(kind, before, json.loads(job.params[kind]))
    if "Missing output files" in job.reason:
        lines.append(NOT_MADE)
    if job.other_inputs:
        lines.append("inputs: another set of files")
    if "Updated input files" in job.reason:
        made = {path for need in job.needs if need.stale for path in need.outputs}
        updated = job.reason.partition("Updated input files:")[2].partition(";")[0].split(",")
        fresh = [path for path in map(str.strip, updated) if path and path not in made]
        lines += [f"input: {path} has other content" for path in fresh[:3]]
    if "Incomplete" in job.reason:
        lines.append("an earlier run was stopped while it was made")
    return lines


def explain(jobs: Sequence[dag.Job], model: cost.CostModel, gpus: int) -> dict[str, Any]:
    """Return what would be made again, and why.

    Returns
    -------
    dict
        ``jobs`` and ``stale`` (counts), and if some are stale: ``reasons`` (``reason``, ``rules`` that are stale
        because of it alone, and what it ``reaches``), ``not_made`` and ``follow`` (counts by rule), ``reaches``,
        ``cost``, ``how_sure``
    """
    jobs = [job for job in jobs if job.params]
    stale = [job for job in jobs if job.stale]
    found: dict[str, Any] = {"jobs": len(jobs), "stale": len(stale)}
    if not stale:
        return found
    by_reason: dict[str, list[dag.Job]] = defaultdict(list)
    for job in stale:
        for line in causes(job) or [""]:
            by_reason[line].append(job)
    missing, follow = by_reason.pop(NOT_MADE, []), by_reason.pop("", [])
    reasons = [
        {"reason": line, "rules": _rules(members), "reaches": _reach(dag.reached(jobs, members))}
        for line, members in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    found |= {"reasons": reasons, "not_made": _rules(missing), "follow": _rules(follow), "reaches": _reach(stale)}
    return found | {"cost": cost.cost(stale, model, gpus), "how_sure": cost.sure(model)}


def _rules(jobs: Iterable[dag.Job]) -> dict[str, int]:
    return dict(Counter(job.rule for job in jobs).most_common())


def _reach(jobs: Iterable[dag.Job]) -> dict[str, Any]:
    """Return how many jobs and cells of the tables these are, and the names of their tables and figures."""
    jobs = list(jobs)
    paths = [Path(path) for job in jobs for path in job.outputs]
    names = {path.name.split(".")[0] for path in paths if path.parent.name in ("tables", "figures")}
    cells = sum(job.rule in ("score_safety", "score_reasoning") for job in jobs)
    return {"jobs": len(jobs), "cells": cells, "results": sorted(names, key=by_number)}


def render(found: Mapping[str, Any]) -> list[str]:
    """Return an explanation as lines for people."""
    if not found["stale"]:
        return [f"nothing is stale: all of {found['jobs']:,} jobs are up to date"]

    def rules(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{count:,} {rule}" for rule, count in counts.items())

    def reach(part: Mapping[str, Any]) -> str:
        return f"{part['jobs']:,} jobs, {part['cells']:,} cells; {', '.join(part['results']) or 'no table or figure'}"

    lines = [f"{found['stale']:,} of {found['jobs']:,} jobs would run", ""]
    for reason in found["reasons"]:
        lines += [reason["reason"], f"    by itself: {rules(reason['rules'])}"]
        lines += [f"    with all that follows: {reach(reason['reaches'])}"]
    for title, counts in ((NOT_MADE, found["not_made"]), ("made from those", found["follow"])):
        lines += [f"{title}: {rules(counts)}"] if counts else []
    costs = found["cost"]
    stages = [f"{n} {cost.number(h['value'])}" for n, h in costs["gpu_hours_by_stage"].items() if h["value"]]
    lines += ["", f"in all: {reach(found['reaches'])}"]
    lines += [f"GPU-hours: {cost.ranged(costs['gpu_hours'])}" + (f": {', '.join(stages)}" if stages else "")]
    return [*lines, *plan.totals(costs), found["how_sure"]]


add_arguments = plan.add_arguments  # the same options


def run(arguments: argparse.Namespace) -> int:
    """Print what one config and target would run, and why."""
    found = explain(*plan.jobs_and_model(arguments), arguments.gpus)
    print(json.dumps(found, indent=1) if arguments.json else "\n".join(render(found)))
    return int(found["stale"] > 0)
