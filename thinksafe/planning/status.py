"""Show how far a run is, and what went wrong.

  thinksafe status                # the run that was started last
  thinksafe status miniature

Reads files only, so it is safe beside a running Snakemake: the list of jobs that Snakemake
left when it started (.snakemake/thinksafe/<run>.json), each job's log, its attempts, whose
file it touches while it runs, and its record (docs/jobs.md). Exit code 1: a job has failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from thinksafe.errors import UserError
from thinksafe.files import IDENTITY, RECORD
from thinksafe.jobs.log import duration
from thinksafe.study.stages import COSTS, stage_of

PLANS = ".snakemake/thinksafe"
FRESH = 30.0  # seconds within which a running job touches its file of attempts
STATES = ("done", "running", "queued", "failed")
TAIL = 12  # lines of a failed job's log


@dataclass
class Seen:
    """One planned job and what its files tell.

    Attributes
    ----------
    title : rule and wildcards as the job itself prints them
    spent : seconds that a running job has run in all its attempts, each of which continues the last
    here : seconds that the job has run since this Snakemake started
    """

    rule: str
    title: str
    wildcards: dict[str, str]
    log: Path
    state: str
    record: dict[str, Any]
    spent: float = 0.0
    here: float = 0.0


def time_of(path: Path) -> float:
    """Return when a file was written, 0 where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def read(path: Path) -> dict[str, Any]:
    """Return a JSON object; an empty one where it is missing, or just being written."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def look(job: Mapping[str, Any], since: float, now: float) -> Seen:
    """Return the state of one job of a plan that started at ``since``."""
    made, log = Path(job["identity"].removesuffix(IDENTITY)), Path(job["log"])
    path, attempts = made.with_name(made.name + RECORD), made.with_name(f".{made.name}.attempts.json")
    written, renewed = time_of(log), time_of(attempts)
    record: dict[str, Any] = {}
    ran: list[dict[str, Any]] = []
    spent = 0.0
    if time_of(path) >= since:
        state, record = "done", read(path)
        ran = record.get("attempts", [])
    elif now - renewed < FRESH or (written > renewed and now - written < FRESH):
        # A running job touches its attempts; before, while it waits for a GPU that another run holds, its log.
        state, ran = "running", read(attempts).get("attempts", []) if now - renewed < FRESH else []
        # The line that `jobs.run` ends a failed job's log with: the job has ended, and its file is not old yet.
        if now - renewed > FRESH / 3 and any("thinksafe: error in " in line for line in tail(log, 3)):
            state = "failed"
        if ran:
            ran[-1] = ran[-1] | {"wall_seconds": max(0.0, now - ran[-1]["began"])}
        spent = sum(attempt["wall_seconds"] for attempt in ran)
    else:
        state = "failed" if max(written, renewed) >= since else "queued"
    title = job.get("title", job["rule"])
    ends = [(attempt["wall_seconds"], attempt["began"] + attempt["wall_seconds"]) for attempt in ran]
    here = sum(max(0.0, min(seconds, end - since)) for seconds, end in ends)
    return Seen(job["rule"], title, job["wildcards"], log, state, record, spent, here)


def tail(path: Path, lines: int, size: int = 20_000) -> list[str]:
    """Return the last lines of a file without reading the rest."""
    try:
        with open(path, "rb") as handle:
            handle.seek(max(0, handle.seek(0, os.SEEK_END) - size))
            return handle.read().decode("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        return []


def progress_of(log: Path) -> str:
    """Return the last line in which a job's log tells how far it is."""
    words = [line for line in tail(log, 40) if " thinksafe: " in line and "/s" in line]
    return words[-1].partition(" thinksafe: ")[2].partition(" · ")[2] if words else "no progress logged yet"


def tokens_per_second(jobs: Sequence[Seen]) -> float | None:
    """Return the mean speed of finished sampling jobs; None before the first."""
    sampled = [job.record for job in jobs if job.record.get("tokens")]
    seconds = sum(record["wall_seconds"] for record in sampled)
    return sum(record["tokens"] for record in sampled) / seconds if seconds else None


def seconds_left(jobs: Sequence[Seen], elapsed: float) -> tuple[float, dict[str, int]] | None:
    """Return about how long the rest takes, and how many jobs by rule are not counted in it.

    Each job takes as long as others of its rule took, with as many at once as so far. Not counted are rules of which
    no job has ended: the mean of other rules says nothing about them.
    """
    taken: dict[Any, list[float]] = defaultdict(list)
    for job in jobs:
        if job.record:
            for key in ((job.rule, job.wildcards.get("student")), job.rule):
                taken[key].append(job.record["wall_seconds"])
    if not taken:
        return None
    waiting = [job for job in jobs if job.state in ("running", "queued")]
    rest = 0.0
    for job in waiting:
        if same := taken.get((job.rule, job.wildcards.get("student"))) or taken.get(job.rule):
            rest += max(0.0, fmean(same) - job.spent)
    busy = sum(job.here for job in jobs if job.state in ("done", "running"))
    unknown = Counter(job.rule for job in waiting if job.rule not in taken)
    return rest / max(busy / max(elapsed, 1.0), 0.5), dict(unknown.most_common())


def efficiency(records: Sequence[Mapping[str, Any]]) -> str:
    """Return how long the finished jobs of a rule took, and how much they used of what they held."""
    wall = max(sum(record["wall_seconds"] for record in records), 1e-9)
    told = [f"{len(records):,} jobs", duration(wall)]
    if busy := [record for record in records if "gpu_utilisation" in record]:
        used = sum(record["gpu_utilisation"] * record["wall_seconds"] for record in busy)
        told.append(f"GPU {used / max(sum(record['wall_seconds'] for record in busy), 1e-9):.0f} %")
        told.append(f"GPU memory up to {max(record.get('gpu_memory_mb', 0) for record in records) / 1024:.1f} GiB")
    else:
        told.append(f"processor {100 * sum(record['cpu_seconds'] for record in records) / wall:.0f} %")
    told.append(f"memory up to {max(record['peak_memory_mb'] for record in records) / 1024:.1f} GiB")
    if again := sum(len(record["attempts"]) - 1 for record in records):
        told.append(f"{again} attempts more than jobs")
    return " · ".join(told)


def report(plan: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return what there is to say about a run.

    Returns
    -------
    dict
        ``stages`` (counts of jobs by stage and state), ``left`` (seconds, and jobs by rule that are not in them),
        ``jobs`` (the running and failed ones), ``finished`` (efficiency by rule), and facts about the run
    """
    jobs = [look(job, plan["began"], now) for job in plan["jobs"]]
    local = plan["host"] == platform.node()
    alive = not local or Path(f"/proc/{plan['driver']}").exists()
    if not alive:  # no job waits any more; those that ran have stopped with Snakemake, except on a cluster
        gone = {"queued": "not begun"} | ({} if plan.get("elsewhere") else {"running": "failed"})
        for job in jobs:
            job.state = gone.get(job.state, job.state)
    states = (*STATES, *(["not begun"] if not alive else []))
    ended = now if alive else max([plan["began"], *(time_of(job.log) for job in jobs)])
    elapsed = max(0.0, ended - plan["began"])
    counts = Counter((stage_of(job.rule).cost, job.state) for job in jobs)
    stages = {stage: {state: counts[stage, state] for state in states} for stage in COSTS}
    total = {state: sum(found[state] for found in stages.values()) for state in states}
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for job in jobs:
        if job.record:
            groups[job.rule].append(job.record)
    longest = sorted(groups.items(), key=lambda item: -sum(record["device_seconds"] for record in item[1]))
    return {
        "run": plan["run"],
        "host": plan["host"],
        "local": local,
        "alive": alive,
        "elapsed_seconds": elapsed,
        "stages": {stage: found for stage, found in stages.items() if any(found.values())} | {"all": total},
        "tokens_per_second": tokens_per_second(jobs),
        "left": seconds_left(jobs, elapsed) if alive and total["done"] < len(jobs) else None,
        "jobs": [
            {"title": job.title, "state": job.state, "log": str(job.log)}
            | ({"progress": progress_of(job.log)} if job.state == "running" else {"tail": tail(job.log, TAIL)})
            for state in ("running", "failed")
            for job in jobs
            if job.state == state
        ],
        "finished": {rule: efficiency(records) for rule, records in longest},
    }


def render(found: Mapping[str, Any]) -> list[str]:
    """Return a report as lines for people."""
    alive, stages = found["alive"], found["stages"]
    lines = [f"{found['run']}: {'running for' if alive else 'ended after'} {duration(found['elapsed_seconds'])}"]
    lines.append(f"  {'':14}" + "".join(f"{state:>10}" for state in stages["all"]))
    for stage, counts in stages.items():
        name = "the rest" if stage == "processor" else stage
        lines.append(f"  {name:14}" + "".join(f"{count:>10,}" for count in counts.values()))
    if not found["local"]:
        lines.append(f"whether Snakemake still runs is known only on {found['host']}, where it was started")
    if not alive and stages["all"]["running"]:
        lines.append("Snakemake has ended; jobs that it had submitted go on without it (docs/slurm.md)")
    if (speed := found["tokens_per_second"]) is not None:
        lines.append(f"tokens per second and sampling job: {speed:,.0f}")
    if found["left"]:
        seconds, unknown = found["left"]
        kinds = ", ".join(f"{count:,} {rule.replace('_', ' ')}" for rule, count in list(unknown.items())[:4])
        kinds += ", ..." * (len(unknown) > 4)
        uncounted = f", not counting {kinds}: none of these has ended yet" if kinds else ""
        lines.append(f"time left: about {duration(seconds)}{uncounted}")
    for job in found["jobs"]:
        if job["state"] == "running":
            lines.append(f"running: {job['title']} · {job['progress']}")
        else:
            lines += [f"failed or stopped: {job['title']} ({job['log']})", *(f"    {line}" for line in job["tail"])]
    if found["finished"]:
        lines.append("finished so far:" if alive else "finished:")
    return lines + [f"  {rule:22} {told}" for rule, told in found["finished"].items()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", nargs="?", help="a run's name under results/ (default: the run that was started last)")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print how far a run is: the one that is named, or the one that was started last."""
    found = sorted(Path(PLANS).glob(f"{arguments.run or '*'}.json"), key=time_of)
    if not found or not (plan := read(found[-1])):
        raise UserError(f"no run{f' {arguments.run}' if arguments.run else ''} was started in this folder")
    told = report(plan, time.time())
    print(json.dumps(told, indent=1) if arguments.json else "\n".join(render(told)))
    return int(told["stages"]["all"]["failed"] > 0)
