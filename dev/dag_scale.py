"""Time and memory of planning 1, 4 and 12 times the paper's jobs, beside a bare DAG with the same number of jobs.

    python -m dev.dag_scale --times 1 4 12 --record dev/records/dag_scale.json

Times are processor seconds (user and system) of `snakemake --dry-run --quiet all`, so that other load on the machine
counts little; memory is the largest resident set of that process. More jobs are more replicates of the same paper.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BARE = """
import json

JOBS = json.load(open("jobs.json"))

rule all:
    input: JOBS["targets"]
"""


def bare_workflow(folder: Path, jobs: Sequence[Sequence[Any]]) -> None:
    """Write a workflow with the same numbers of rules, jobs, inputs and outputs, in which nothing is computed.

    One rule per rule of ours; its jobs differ by one wildcard, and a dictionary has their inputs.

    Parameters
    ----------
    folder : an empty folder, in which Snakemake will run
    jobs : rule, wildcards, params, inputs and outputs of each job (tests/workflow/dags.py)
    """
    used = {path for job in jobs for path in job[3]}
    targets = [job[4][0] for job in jobs if not used & set(job[4])]
    rules: dict[str, list[Sequence[Any]]] = {}
    names: dict[str, str] = {}
    for job in jobs:
        rules.setdefault(job[0], []).append(job)
    for rule, members in rules.items():
        for number, (*_, outputs) in enumerate(members):
            for place, path in enumerate(outputs):
                names[path] = f"out/{rule}/{number}/{place}"
    asked = {
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


# In a small process, as a child's largest resident set begins with that of its parent.
MEASURED = """
import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(child.pid, 0)
code = child.returncode = os.waitstatus_to_exitcode(status)
with open(sys.argv[1], "w") as file:
    json.dump([code, used.ru_utime + used.ru_stime, used.ru_maxrss], file)
"""


def dry_run(folder: Path, *arguments: str) -> tuple[float, float]:
    """Return processor seconds and the largest resident set in MiB of a dry run of ``all`` in a folder.

    Raises
    ------
    RuntimeError
        With the end of its output, where the dry run fails.
    """
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", *arguments, "--", "all"]
    with open(folder / "printed.txt", "wb") as printed:
        subprocess.run(
            [sys.executable, "-c", MEASURED, str(folder / "used.json"), *command],
            cwd=folder,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            stdout=printed,
            stderr=subprocess.STDOUT,
            check=True,
        )
    code, seconds, kilobytes = json.loads((folder / "used.json").read_text())
    if code:
        raise RuntimeError((folder / "printed.txt").read_text(errors="replace")[-4000:])
    return seconds, kilobytes / 1024


def measure(times: int, repeats: int = 1) -> dict[str, Any]:
    """Plan the paper with so many replicates, and a bare workflow of as many jobs; the least of ``repeats`` counts."""
    from tests.workflow.dags import plans
    from thinksafe.config import settings
    from thinksafe.config.types import plain

    with tempfile.TemporaryDirectory() as place:
        ours, bare = Path(place, "ours"), Path(place, "bare")
        ours.mkdir(), bare.mkdir()
        replicates = {"replicates": list(range(times))}
        config = plain(settings.load([ROOT / "config/config.yaml"], replicates))
        (plan,) = plans([{"config": config}], ours)
        jobs = plan["jobs"]
        bare_workflow(bare, jobs)
        overlay = ours / "overlay.yaml"
        overlay.write_text(json.dumps({"run": "paper", **replicates}))
        mine, theirs = [], []
        for _ in range(repeats):  # In turn: a machine that slows down slows both.
            mine.append(dry_run(ours, "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(overlay)))
            theirs.append(dry_run(bare))
    (seconds, memory), (bare_seconds, bare_memory) = (
        tuple(map(min, zip(*found, strict=True))) for found in (mine, theirs)
    )
    return {
        "times": times,
        "jobs": len(jobs),
        "seconds": round(seconds, 2),
        "bare_seconds": round(bare_seconds, 2),
        "ratio": round(seconds / bare_seconds, 2),
        "milliseconds_per_job": round(1000 * seconds / len(jobs), 2),
        "memory_mib": round(memory),
        "bare_memory_mib": round(bare_memory),
    }


def main() -> None:
    """Measure, print a line per size, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 12])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--record", type=Path)
    arguments = parser.parse_args()
    sizes = []
    for times in arguments.times:
        sizes.append(measure(times, arguments.repeats))
        print(json.dumps(sizes[-1]), flush=True)
        if arguments.record:
            facts = {
                "date": date.today().isoformat(),
                "snakemake": version("snakemake"),
                "python": platform.python_version(),
            }
            record = facts | {"processors": os.cpu_count(), "repeats": arguments.repeats, "sizes": sizes}
            arguments.record.parent.mkdir(parents=True, exist_ok=True)
            arguments.record.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
