"""Show how far a run is, and what went wrong.

  thinksafe status                # the run that was started last
  thinksafe status miniature

Reads files only, so it is safe beside a running Snakemake: the list of jobs that Snakemake
left when it started (.snakemake/thinksafe/<run>.json), each job's log, its attempts, whose
file it touches while it runs, and its record (docs/jobs.md). Exit code 1: a job has failed.
"""

import argparse
import json
import os
import platform
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from thinksafe.errors import UserError
from thinksafe.files import IDENTITY, RECORD, read_json
from thinksafe.jobs.log import duration
from thinksafe.study.stages import COSTS, stage_of

FRESH = 30.0  # seconds within which a running job touches its file of attempts
STATES = ("done", "running", "queued", "failed")
TAIL = 12  # lines of a failed job's log


@dataclass
class Seen:
    """One planned job and what its files say."""

    rule: str
    title: str  # rule and wildcards as the job itself prints them
    wildcards: dict[str, str]
    log: Path
    state: str
    record: dict[str, Any] = field(default_factory=dict)  # of a finished job
    spent: float = 0.0  # seconds that a running job has run in all its attempts
    here: float = 0.0  # seconds that the job has run since this Snakemake started


def time_of(path: Path) -> float:
    """Return when a file was written, 0 if there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def read(path: Path) -> dict[str, Any]:
    """Return a JSON object; an empty one if it is missing or incomplete."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}


def look(job: Mapping[str, Any], since: float, now: float) -> Seen:
    """Return the state of one job of a plan that started at ``since``."""
    made = Path(job["identity"].removesuffix(IDENTITY))
    path, attempts = made.with_name(made.name + RECORD), made.with_name(f".{made.name}.attempts.json")
    seen = Seen(job["rule"], job["title"], job["wildcards"], Path(job["log"]), "queued")
    written, renewed = time_of(seen.log), time_of(attempts)
    ran: list[dict[str, Any]] = []
    if time_of(path) >= since:
        seen.state, seen.record = "done", read(path)
        ran = seen.record.get("attempts", [])
    elif now - renewed < FRESH or (written > renewed and now - written < FRESH):
        # A running job touches its attempts; before, while it waits for a GPU that another run holds, its log.
        seen.state, ran = "running", read(attempts).get("attempts", []) if now - renewed < FRESH else []
        # A failed job's log ends with a line of `jobs.run`; its file of attempts is not old at once.
        if now - renewed > FRESH / 3 and any("thinksafe: error in " in line for line in tail(seen.log, 3)):
            seen.state = "failed"
        if ran:
            ran[-1] = ran[-1] | {"wall_seconds": max(0.0, now - ran[-1]["began"])}
        seen.spent = sum(attempt["wall_seconds"] for attempt in ran)
    elif max(written, renewed) >= since:
        seen.state = "failed"
    ends = [(attempt["wall_seconds"], attempt["began"] + attempt["wall_seconds"]) for attempt in ran]
    seen.here = sum(max(0.0, min(seconds, end - since)) for seconds, end in ends)
    return seen


def tail(path: Path, lines: int, size: int = 20_000) -> list[str]:
    """Return the last lines of a file, from its last ``size`` bytes."""
    try:
        with open(path, "rb") as handle:
            handle.seek(max(0, handle.seek(0, os.SEEK_END) - size))
            return handle.read().decode("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        return []


def progress_of(log: Path) -> str:
    """Return the last progress line of a job's log."""
    lines = [line for line in tail(log, 40) if " thinksafe: " in line and "/s" in line]
    return lines[-1].partition(" thinksafe: ")[2].partition(" · ")[2] if lines else "no progress logged yet"


def tokens_per_second(jobs: Sequence[Seen]) -> float | None:
    """Return the mean speed of finished sampling jobs; None before the first."""
    sampled = [job.record for job in jobs if job.record.get("tokens")]
    seconds = sum(record["wall_seconds"] for record in sampled)
    return sum(record["tokens"] for record in sampled) / seconds if seconds else None


def seconds_left(jobs: Sequence[Seen], elapsed: float) -> tuple[float, dict[str, int]] | None:
    """Return about how long the rest takes, and the number of jobs by rule that are not counted in it.

    Each job takes as long as others of its rule took, with as many at once as so far. Rules without a finished job are
    not counted: the mean of other rules says nothing about them.
    """
    took: dict[Any, list[float]] = defaultdict(list)
    for job in jobs:
        if job.record:
            for key in ((job.rule, job.wildcards.get("student")), job.rule):
                took[key].append(job.record["wall_seconds"])
    if not took:
        return None
    waiting = [job for job in jobs if job.state in ("running", "queued")]
    rest = 0.0
    for job in waiting:
        if same := took.get((job.rule, job.wildcards.get("student"))) or took.get(job.rule):
            rest += max(0.0, fmean(same) - job.spent)
    busy = sum(job.here for job in jobs if job.state in ("done", "running"))
    unknown = Counter(job.rule for job in waiting if job.rule not in took)
    return rest / max(busy / max(elapsed, 1.0), 0.5), dict(unknown.most_common())


def efficiency(records: Sequence[Mapping[str, Any]]) -> str:
    """Return how long the finished jobs of a rule took, and how much they used of what they held."""
    wall = max(sum(record["wall_seconds"] for record in records), 1e-9)
    parts = [f"{len(records):,} jobs", duration(wall)]
    if busy := [record for record in records if "gpu_utilisation" in record]:
        used = sum(record["gpu_utilisation"] * record["wall_seconds"] for record in busy)
        parts.append(f"GPU {used / max(sum(record['wall_seconds'] for record in busy), 1e-9):.0f} %")
        parts.append(f"GPU memory up to {max(record.get('gpu_memory_mb', 0) for record in records) / 1024:.1f} GiB")
    else:
        parts.append(f"processor {100 * sum(record['cpu_seconds'] for record in records) / wall:.0f} %")
    parts.append(f"memory up to {max(record['peak_memory_mb'] for record in records) / 1024:.1f} GiB")
    if again := sum(len(record["attempts"]) - 1 for record in records):
        parts.append(f"{again} attempts more than jobs")
    return " · ".join(parts)


def report(plan: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return the state of a run.

    Returns
    -------
    dict
        ``stages`` (counts of jobs by stage and state), ``left`` (seconds, and jobs by rule that are not in them),
        ``jobs`` (the running and failed ones), ``finished`` (efficiency by rule), and facts about the run
    """
    jobs = [look(job, plan["began"], now) for job in plan["jobs"]]
    local = plan["host"] == platform.node()
    alive = not local or Path(f"/proc/{plan['driver']}").exists()
    states, ended = STATES, now
    if not alive:  # no job waits any more; those that ran have stopped with Snakemake, except on a cluster
        gone = {"queued": "not begun"} | ({} if plan["elsewhere"] else {"running": "failed"})
        for job in jobs:
            job.state = gone.get(job.state, job.state)
        states, ended = (*STATES, "not begun"), max([plan["began"], *(time_of(job.log) for job in jobs)])
    elapsed = max(0.0, ended - plan["began"])
    counts = Counter((stage, job.state) for job in jobs for stage in (stage_of(job.rule).cost, "all"))
    stages = {stage: {state: counts[stage, state] for state in states} for stage in (*COSTS, "all")}
    records: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for job in jobs:
        if job.record:
            records[job.rule].append(job.record)
    longest = sorted(records, key=lambda rule: -sum(record["device_seconds"] for record in records[rule]))
    return {
        "run": plan["run"],
        "host": plan["host"],
        "local": local,
        "alive": alive,
        "elapsed_seconds": elapsed,
        "stages": {stage: found for stage, found in stages.items() if stage == "all" or any(found.values())},
        "tokens_per_second": tokens_per_second(jobs),
        "left": seconds_left(jobs, elapsed) if alive and stages["all"]["done"] < len(jobs) else None,
        "jobs": [
            {"title": job.title, "state": job.state, "log": str(job.log)}
            | ({"progress": progress_of(job.log)} if job.state == "running" else {"tail": tail(job.log, TAIL)})
            for job in sorted(jobs, key=lambda job: job.state != "running")
            if job.state in ("running", "failed")
        ],
        "finished": {rule: efficiency(records[rule]) for rule in longest},
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
    return lines + [f"  {rule:22} {text}" for rule, text in found["finished"].items()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", nargs="?", help="a run's name under results/ (default: the run that was started last)")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print how far a run is: the named one, or the one that was started last."""
    plans = sorted(Path(".snakemake/thinksafe").glob(f"{arguments.run or '*'}.json"), key=time_of)
    if not plans or not (plan := read(plans[-1])):
        raise UserError(f"no run{f' {arguments.run}' if arguments.run else ''} was started in this folder")
    found = report(plan, time.time())
    print(json.dumps(found, indent=1) if arguments.json else "\n".join(render(found)))
    return int(found["stages"]["all"]["failed"] > 0)
