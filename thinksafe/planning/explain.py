"""What a run would make again, why, what that reaches and what it costs; runs nothing: `make explain CONFIG= TARGET=`.

Snakemake's record of each output has the canonical params that it was made with (docs/staleness.md). Held against the
present ones they name the leaf of the job's share of the config, the module or the version that has changed.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from thinksafe.planning import cost, dag  # noqa: E402
from thinksafe.planning.plan import prompts_of  # noqa: E402
from thinksafe.provenance.digests import canonical  # noqa: E402 - runs as a script, too

NOTHING = object()
NOT_MADE = "not made yet"
LONGEST = 60  # characters of a value that are shown


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and the value of every leaf of nested mappings; a list is one."""
    if isinstance(value, Mapping) and (value or not path):
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    else:
        yield ".".join(path), value


def shown(value: Any) -> str:
    """Return a value as it is told: its JSON, cut in the middle where it is long."""
    if value is NOTHING:
        return "nothing"
    text = canonical(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}...{text[-LONGEST // 2 :]}"


def difference(kind: str, before: Any, after: Any) -> list[str]:
    """Return a line per leaf, module or version in which two values of one param differ."""
    old, new = dict(leaves(before)), dict(leaves(after))
    if kind == "code":
        verbs = {(True, True): "changed", (True, False): "no longer runs", (False, True): "runs now"}
        return [
            f"code: {path} {verbs[path in old, path in new]}" for path in _differing(_modules(before), _modules(after))
        ]
    name = "config" if kind == "spec" else "environment"
    return [
        f"{name}: {path}: {shown(old.get(path, NOTHING))} -> {shown(new.get(path, NOTHING))}"
        for path in _differing(old, new)
    ]


def _modules(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return sorted(path for path in {*old, *new} if old.get(path, NOTHING) != new.get(path, NOTHING))


def kind_of(value: Any) -> str:
    """Tell from a recorded param, whose name Snakemake does not keep, which of the three it was."""
    texts = isinstance(value, Mapping) and all(isinstance(part, str) for part in value.values())
    if texts and value and all(re.fullmatch("[0-9a-f]{16}", part) for part in value.values()):
        return "code"
    # Versions are text that begins with a figure; a share of the config is never only that, and never empty.
    if texts and all(part[:1].isdigit() for part in value.values()):
        return "environment"
    return "spec"


def recorded(texts: Sequence[str]) -> dict[str, Any]:
    """Return the changed params of a record, by name; they are stored as Python writes a string."""
    found: dict[str, Any] = {}
    for text in texts:
        try:
            value = json.loads(ast.literal_eval(text))
        except (ValueError, SyntaxError, TypeError):
            continue  # a param of an older workflow
        found[kind_of(value)] = value
    return found


def causes(job: dag.Job) -> list[str]:
    """Return why a job is stale by itself: a line per reason, none where only what it is made from is made again."""
    lines = []
    for kind, before in recorded(job.recorded).items():
        lines += difference(kind, before, json.loads(job.params[kind]))
    if job.recorded and not lines:
        lines.append("params: an older workflow recorded them in another form")
    if "Missing output files" in job.reason:
        lines.append(NOT_MADE)
    if job.other_inputs:
        lines.append("inputs: another set of files")
    made = {path for need in job.needs if need.stale for path in need.outputs}
    if "Updated input files" in job.reason:
        told = job.reason.partition("Updated input files:")[2].partition(";")[0]
        fresh = [path.strip() for path in told.split(",") if path.strip() and path.strip() not in made]
        lines += [f"input: {path} has other content" for path in fresh[:3]]
    if "Incomplete" in job.reason:
        lines.append("an earlier run was stopped while it was made")
    return lines


def explain(jobs: Sequence[dag.Job], model: cost.CostModel, gpus: int) -> list[str]:
    """Return the story of a plan as lines."""
    stale = [job for job in jobs if job.stale and job.params]
    if not stale:
        return [f"nothing is stale: all of {sum(bool(job.params) for job in jobs):,} jobs are up to date"]
    missing, why, follows = [], defaultdict(list), []
    for job in stale:
        found = causes(job)
        for line in found:
            (missing if line == NOT_MADE else why[line]).append(job)
        if not found:
            follows.append(job)
    total = sum(bool(job.params) for job in jobs)
    lines = [f"{len(stale):,} of {total:,} jobs would run", ""]
    for line, members in sorted(why.items(), key=lambda item: (-len(item[1]), item[0])):
        lines += [line, f"    by itself: {_told(members)}"]
        lines += [f"    with all that follows: {_reach([job for job in dag.reached(jobs, members) if job.params])}"]
    if missing:
        lines += [f"{NOT_MADE}: {_told(missing)}"]
    if follows:
        lines += [f"made from those: {_told(follows)}"]
    lines += ["", f"in all: {_reach(stale)}"]
    found = cost.cost(stale, model, gpus)
    lines.append(f"GPU-hours: {cost.ranged(found['gpu_hours'])}" + _stages(found["gpu_hours_by_stage"]))
    lines.append(f"hours without a GPU: {cost.ranged(found['processor_hours'])}")
    lines.append(f"wall time on {gpus} GPUs: {cost.ranged(found['wall_hours'])} h")
    if found["jobs_without_estimate"]:
        lines.append(f"{found['jobs_without_estimate']:,} jobs are not in these: nothing tells how long they take")
    lines.append(cost.sure(model))
    return lines


def _reach(jobs: Sequence[dag.Job]) -> str:
    """Return how many jobs and cells of the tables these are, and the names of their tables and figures."""
    cells = sum(job.rule in ("score_safety", "score_reasoning") for job in jobs)
    results = [Path(path) for job in jobs for path in job.outputs]
    names = {path.name.split(".")[0] for path in results if path.parent.name in ("tables", "figures")}
    return f"{len(jobs):,} jobs, {cells:,} cells; {', '.join(sorted(names, key=_by_number)) or 'no table or figure'}"


def _told(jobs: Sequence[dag.Job]) -> str:
    return ", ".join(f"{count:,} {rule}" for rule, count in Counter(job.rule for job in jobs).most_common())


def _stages(stages: Mapping[str, Mapping[str, float]]) -> str:
    told = [f"{name} {cost.number(hours['value'])}" for name, hours in stages.items() if hours["value"]]
    return f": {', '.join(told)}" if told else ""


def _by_number(name: str) -> tuple[str, int]:
    letters = name.rstrip("0123456789")
    return letters, int(name[len(letters) :] or 0)


def main() -> None:
    """Print what one config and target would run, and why."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/config.yaml")
    parser.add_argument("--target", default="all")
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--folder", type=Path, default=ROOT, help="where results/ and .snakemake/ are")
    arguments = parser.parse_args()
    config = dag.settings_of(arguments.config)
    jobs = dag.planned(arguments.config, arguments.target, arguments.folder)
    model = cost.CostModel(config, prompts_of(config, arguments.folder))
    model.calibrate(jobs, arguments.folder)
    print("\n".join(explain(jobs, model, arguments.gpus)))


if __name__ == "__main__":
    main()
