"""How far a run is: `make status` or `make status RUN=miniature`. Reads files only, so it is safe beside the driver.

The driver leaves a list of what it means to do (``.snakemake/thinksafe/<run>.json``, rules/common.smk). A job leaves
its log, a file of attempts whose time is renewed while it runs, and at its end its record (docs/jobs.md).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from thinksafe.files import IDENTITY, RECORD  # noqa: E402 - runs as a script, too
from thinksafe.jobs.log import duration  # noqa: E402
from thinksafe.planning.cost import STAGES  # noqa: E402

PLANS = ".snakemake/thinksafe"
FRESH = 30.0  # seconds since a running job renewed its file of attempts, at most
STATES = ("done", "running", "queued", "failed")
TAIL = 12  # lines of a failed job's log


@dataclass
class Seen:
    """One planned job and what its files tell.

    Attributes
    ----------
    title : rule and wildcards as the job itself says them
    spent : seconds that a job that runs has run in all its attempts, which go on from one another
    here : seconds that the job has run since this driver began
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
    """Return a JSON object; nothing where it is missing, or just being written."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def look(job: dict[str, Any], since: float, now: float, folder: Path) -> Seen:
    """Return the state of one job of a plan that began at ``since``."""
    made = folder / job["identity"].removesuffix(IDENTITY)
    path, log = made.with_name(made.name + RECORD), folder / job["log"]
    attempts = made.with_name(f".{made.name}.attempts.json")
    written, renewed = time_of(log), time_of(attempts)
    record: dict[str, Any] = {}
    ran: list[dict[str, Any]] = []
    spent = 0.0
    if time_of(path) >= since:
        state, record = "done", read(path)
        ran = record.get("attempts", [])
    elif now - renewed < FRESH or (written > renewed and now - written < FRESH):
        # It renews its attempts while it runs; before, it may wait for a GPU that another run holds: it renews its log.
        state, ran = "running", read(attempts).get("attempts", []) if now - renewed < FRESH else []
        if error_in(log) and now - renewed > FRESH / 3:  # it has ended, and its file is not old yet
            state = "failed"
        if ran:
            ran[-1] = ran[-1] | {"wall_seconds": max(0.0, now - ran[-1]["began"])}
        spent = sum(attempt["wall_seconds"] for attempt in ran)
    else:
        state = "failed" if max(written, renewed) >= since else "queued"
    title, wildcards = job.get("title", job["rule"]), job["wildcards"]
    return Seen(job["rule"], title, wildcards, log, state, record, spent, _since(ran, since))


def _since(attempts: Sequence[dict[str, Any]], since: float) -> float:
    """Return how many of the seconds of some attempts came after a time."""
    ends = [(attempt["wall_seconds"], attempt["began"] + attempt["wall_seconds"]) for attempt in attempts]
    return sum(max(0.0, min(seconds, end - since)) for seconds, end in ends)


def tail(path: Path, lines: int, size: int = 20_000) -> list[str]:
    """Return the last lines of a file without reading the rest."""
    try:
        with open(path, "rb") as handle:
            handle.seek(max(0, handle.seek(0, os.SEEK_END) - size))
            return handle.read().decode("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        return []


def error_in(log: Path) -> bool:
    """Return whether a job's log ends with the line that tells of its failure."""
    return any("thinksafe: error in " in line for line in tail(log, 3))


def progress_of(seen: Seen) -> str:
    """Return the job's own last word on how far it is."""
    words = [line for line in tail(seen.log, 40) if " thinksafe: " in line and "/s" in line]
    return words[-1].partition(" thinksafe: ")[2].partition(" · ")[2] if words else "no word yet"


def tokens_per_second(jobs: Sequence[Seen]) -> float | None:
    """Return how fast finished sampling jobs were, one beside the other; None before the first."""
    sampled = [job.record for job in jobs if job.record.get("tokens")]
    seconds = sum(record["wall_seconds"] for record in sampled)
    return sum(record["tokens"] for record in sampled) / seconds if seconds else None


def seconds_left(jobs: Sequence[Seen], elapsed: float) -> tuple[float, list[Seen]] | None:
    """Return about how long the rest takes: as long as jobs of the same rule took, as many at once as so far.

    And the jobs that are not in it, as none of their rule has ended yet: a mean over other rules says nothing of them.
    """
    taken: dict[Any, list[float]] = defaultdict(list)
    for job in jobs:
        if job.record:
            for key in ((job.rule, job.wildcards.get("student")), job.rule):
                taken[key].append(job.record["wall_seconds"])
    if not taken:
        return None
    waiting = [job for job in jobs if job.state in ("running", "queued")]
    known = [job for job in waiting if job.rule in taken]

    def expected(job: Seen) -> float:
        return fmean(taken.get((job.rule, job.wildcards.get("student"))) or taken[job.rule])

    busy = sum(job.here for job in jobs if job.state in ("done", "running"))
    rest = sum(max(0.0, expected(job) - job.spent) for job in known)
    return rest / max(busy / max(elapsed, 1.0), 0.5), [job for job in waiting if job.rule not in taken]


def efficiency(jobs: Sequence[Seen]) -> list[str]:
    """Return a line per rule with finished jobs: their time, and how well they used what they held."""
    lines = []
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for job in jobs:
        if job.record:
            groups[job.rule].append(job.record)
    for rule, records in sorted(groups.items(), key=lambda item: -sum(r["device_seconds"] for r in item[1])):
        wall = sum(record["wall_seconds"] for record in records)
        told = [f"{len(records):,} jobs", duration(wall)]
        busy = [
            (record["gpu_utilisation"], record["wall_seconds"]) for record in records if "gpu_utilisation" in record
        ]
        if busy:
            told.append(f"GPU {sum(u * s for u, s in busy) / max(sum(s for _, s in busy), 1e-9):.0f} %")
            told.append(f"GPU memory up to {max(r.get('gpu_memory_mb', 0) for r in records) / 1024:.1f} GiB")
        else:
            told.append(f"processor {100 * sum(r['cpu_seconds'] for r in records) / max(wall, 1e-9):.0f} %")
        told.append(f"memory up to {max(record['peak_memory_mb'] for record in records) / 1024:.1f} GiB")
        if again := sum(len(record["attempts"]) - 1 for record in records):
            told.append(f"{again} attempts more than jobs")
        lines.append(f"  {rule:22} {' · '.join(told)}")
    return lines


def report(plan: dict[str, Any], folder: Path = ROOT, now: float | None = None) -> list[str]:
    """Return what there is to say about a run, as lines."""
    now = time.time() if now is None else now
    jobs = [look(job, plan["began"], now, folder) for job in plan["jobs"]]
    unseen = plan["host"] != platform.node()
    alive = unseen or Path(f"/proc/{plan['driver']}").exists()
    if not alive:  # nothing waits any more; what ran has stopped with its driver, but on a cluster
        gone = {"queued": "not begun"} | ({} if plan.get("elsewhere") else {"running": "failed"})
        for job in jobs:
            job.state = gone.get(job.state, job.state)
    states = (*STATES, *(["not begun"] if not alive else []))
    ended = max((time_of(job.log) for job in jobs), default=now)
    elapsed = max(0.0, (now if alive else max(ended, plan["began"])) - plan["began"])
    told = "running for" if alive else "ended after"
    lines = [f"{plan['run']}: {told} {duration(elapsed)}", f"  {'':14}" + "".join(f"{state:>10}" for state in states)]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for job in jobs:
        counts[STAGES.get(job.rule, "the rest")][job.state] += 1
    order = [stage for stage in dict.fromkeys([*STAGES.values(), "the rest"]) if stage in counts]
    for stage in order:
        lines.append(f"  {stage:14}" + "".join(f"{counts[stage][state]:>10,}" for state in states))
    total = sum(counts.values(), Counter())
    lines.append(f"  {'all':14}" + "".join(f"{total[state]:>10,}" for state in states))
    if unseen:
        lines.append(f"whether the driver still runs is known on {plan['host']} alone, where it was started")
    if not alive and total["running"]:
        lines.append("the driver is gone; jobs that it had submitted go on without it (docs/slurm.md)")
    if (speed := tokens_per_second(jobs)) is not None:
        lines.append(f"tokens per second and sampling job: {speed:,.0f}")
    if alive and (found := seconds_left(jobs, elapsed)) is not None and total["done"] < len(jobs):
        left, unknown = found
        rules = Counter(job.rule.replace("_", " ") for job in unknown)
        kinds = ", ".join(f"{count:,} {rule}" for rule, count in rules.most_common(4)) + (", ..." * (len(rules) > 4))
        lines.append(
            f"time left: about {duration(left)}"
            + (f", not counting {kinds}: none of these has ended yet" * bool(rules))
        )
    for job in jobs:
        if job.state == "running":
            lines.append(f"running: {job.title} · {progress_of(job)}")
    for job in jobs:
        if job.state == "failed":
            lines += [f"failed or stopped: {job.title} ({job.log.relative_to(folder)})"]
            lines += [f"    {line}" for line in tail(job.log, TAIL)]
    if told := efficiency(jobs):
        lines += ["finished so far:" if alive else "finished:", *told]
    return lines


def main() -> None:
    """Print how far a run is: the one that is named, or the one that was begun last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", help="its name under results/")
    parser.add_argument("--folder", type=Path, default=ROOT, help="where results/ and .snakemake/ are")
    arguments = parser.parse_args()
    found = sorted((arguments.folder / PLANS).glob("*.json"), key=time_of)
    if arguments.run:
        found = [path for path in found if path.stem == arguments.run]
    if not found or not (plan := read(found[-1])):
        sys.exit(f"status: no run{f' {arguments.run}' if arguments.run else ''} was begun here with jobs to do")
    print("\n".join(report(plan, arguments.folder)))


if __name__ == "__main__":
    main()
