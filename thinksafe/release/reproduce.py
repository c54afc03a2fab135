"""Make the results above a tier again, and compare each number with the bundle's.

  thinksafe reproduce scores.tar.gz --configfile config/miniature.yaml          # tables and figures from scores
  thinksafe reproduce all.tar.gz --tier datasets --dry-run                      # adapters and all after them

Only the bundle's files up to the tier are placed; Snakemake makes the rest with the same rules.
Each number is then identical, within the bundle's interval, or different (docs/reproducing.md);
results/<run>/reproduction-<tier>.md and .json list them. Exit code 1: something does not fit,
cannot be made, or is different.
"""

import argparse
import csv
import io
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, RECORD, read_json, write_json, write_text
from thinksafe.planning import dag
from thinksafe.provenance.digests import ROOT
from thinksafe.provenance.identity import file_digest
from thinksafe.provenance.lineage import device_of
from thinksafe.release import archive, restore
from thinksafe.release.archive import TIERS, Bundle, ReleaseError
from thinksafe.release.snakemake_records import Fit
from thinksafe.reporting.templates import fill
from thinksafe.study.stages import LEVELS, stage_of

IDENTICAL, WITHIN, DIFFERENT = "identical", "within the interval", "different"
# The columns that name a row of a table.
KEYS = ("student", "method", "metric", "question", "against", "role", "replicate", "steering")
TIMED = ("cost", "figure3-cost")  # hours, which differ between any two runs


def jobs_above(bundle: Bundle, fit: Fit, tier: str) -> tuple[set[int], set[int]]:
    """Return the jobs above a tier that can be made again, and those whose inputs the bundle lacks."""
    makers = {output: number for number, job in fit.jobs.items() for output in job.outputs}
    again: set[int] = set()
    kept: set[int] = set()

    def is_there(path: str) -> bool:
        maker = makers.get(path)
        return maker is None or maker in again or all(map(bundle.holds, {path, *fit.jobs[maker].folders}))

    for number, job in fit.jobs.items():  # each after those that it needs
        if stage_of(job.rule).depth > LEVELS.index(tier):
            (again if all(map(is_there, job.inputs)) else kept).add(number)
    return again, kept


def prepare(
    overlay: dag.Overlay, bundle: Bundle, tier: str, dry_run: bool = False
) -> tuple[list[str], dict[str, int], list[str]]:
    """Place the files from which the results above a tier are made; none of these results may be here already.

    Returns Snakemake's targets, which are the identities of those jobs that no other one needs; how many jobs of each
    rule are made again; and the titles of those above the tier that are not.
    """
    if TIERS[bundle.manifest["tier"]] > TIERS[tier]:
        raise ReleaseError(
            f"{bundle.path}: begins with {bundle.manifest['tier']}; --tier {tier} needs one of {tier} or a deeper one"
        )
    level = LEVELS.index(tier)
    above = {output for job in bundle.jobs for output in job["outputs"] if stage_of(job["rule"]).depth > level}
    mark = restore.OURS / f"{bundle.run}.reproduction.json"
    started = {"bundle": file_digest(bundle.path), "tier": tier}
    if not (mark.is_file() and read_json(mark) == started):
        if here := sorted(output for output in above if Path(output).exists()):
            raise ReleaseError(
                f"{len(here):,} results above the tier are here already, {here[0]} among them: nothing would be made "
                f"again. Use a fresh clone, or move results/{bundle.run} away"
            )
    with restore.fitted(overlay, bundle, ignore=sorted(above)) as (graph, fit):
        if fit.reasons:
            raise ReleaseError("\n".join(["does not fit here", *restore.describe(bundle, fit)]))
        again, kept = jobs_above(bundle, fit, tier)
        if not again:
            raise ReleaseError(f"{bundle.path}: has nothing from which a level above {tier} could be made")
        if not dry_run:
            restore.place(graph, bundle, {number: job for number, job in fit.jobs.items() if number not in again})
            write_json(mark, started)
        jobs = [fit.jobs[number] for number in sorted(again)]
        needed = {path for job in jobs for path in job.inputs}
        targets = [job.identity for job in jobs if needed.isdisjoint(job.outputs)]
        return targets, Counter(job.rule for job in jobs), sorted({fit.jobs[number].title for number in kept})


def make(overlay: dag.Overlay, targets: list[str], rules: Iterable[str]) -> None:
    """Run Snakemake for the targets with these rules only, so that nothing below the tier is made."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *overlay.options()]
    done = subprocess.run([*command, "--allowed-rules", *sorted(rules), "--", *targets], stdout=sys.stderr, check=False)
    if done.returncode:
        raise ReleaseError(
            "Snakemake could not make everything again; fix the problem above and run this command again"
        )


def cells(name: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the numbers of each cell of a score or a tidy table."""
    if name.endswith(".json"):
        parts = Path(name).with_suffix("").parts[3:]  # kind, student, method, replicate, benchmark
        yield "/".join(part for part in parts if part not in ("trained-with", "on")), json.loads(text)
        return
    seen: Counter[str] = Counter()
    for row in csv.DictReader(io.StringIO(text)):
        cell = "/".join([Path(name).stem, *(row[column] for column in KEYS if row.get(column))])
        seen[cell] += 1
        yield cell if seen[cell] == 1 else f"{cell} ({seen[cell]})", row


def verdict_of(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> str:
    """Return how a cell made again compares with the bundle's."""
    if before == after:
        return IDENTICAL
    try:
        low, value, high = float(before["low"]), float((after or {})["value"]), float(before["high"])
    except (KeyError, TypeError, ValueError):
        return DIFFERENT  # it has no interval, or is missing now
    return WITHIN if low <= value <= high else DIFFERENT


def is_compared(name: str) -> bool:
    """Return whether a file has cells: a score, or a tidy table that is not of hours."""
    parts = Path(name).parts
    if parts[2] == "tables":
        return name.endswith(".csv") and Path(name).stem not in TIMED
    return parts[2] == "scores" and name.endswith(".json") and not name.endswith((IDENTITY, RECORD))


def compare(bundle: Bundle, tier: str, kept: list[str]) -> dict[str, Any]:
    """Return every cell above a tier beside the bundle's, and how many files are identical to the byte.

    ``devices``, the bundle's and those here, are the types that the jobs ran on: each type rounds differently.
    """
    made = {
        name
        for name, number in bundle.owner.items()
        if stage_of(bundle.jobs[number]["rule"]).depth > LEVELS.index(tier) and name in bundle.jobs[number]["outputs"]
    }
    identities = {name for name in made if name.endswith(IDENTITY)}
    records = {name.removesuffix(IDENTITY) + RECORD for name in identities}
    compared = {name for name in made if is_compared(name)}
    files = Counter("identical" if bundle.is_here(name) else "different" for name in made - identities)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        archive.extract(bundle, Path(folder), compared | records)
        devices = {"bundle": _devices(Path(folder), records), "here": _devices(Path(), records)}
        for name in sorted(compared):
            now = dict(cells(name, Path(name).read_text(encoding="utf-8"))) if Path(name).is_file() else {}
            for cell, before in cells(name, Path(folder, name).read_text(encoding="utf-8")):
                after = now.get(cell)
                row = {"cell": cell, "verdict": verdict_of(before, after), "file": name}
                rows.append(row | {"bundle": _numbers(before), "here": _numbers(after or {})})
    counts = Counter(row["verdict"] for row in rows)
    found = {"run": bundle.run, "tier": tier, "bundle": file_digest(bundle.path), "cells": rows, "counts": counts}
    return found | {"files": files, "devices": devices, "taken_as_they_are": kept}


def _devices(folder: Path, records: Iterable[str]) -> list[str]:
    return sorted({device_of(read_json(folder / name)) for name in records if (folder / name).is_file()})


def _numbers(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {key: cell[key] for key in ("value", "low", "high", "n") if cell.get(key) not in (None, "")}


def page(found: Mapping[str, Any]) -> str:
    """Return a comparison as Markdown: the counts, and each cell that is not identical."""
    rows = [row for row in found["cells"] if row["verdict"] != IDENTICAL]
    changed = [
        row | {at: {key: f"{float(value):.2f}" for key, value in row[at].items()} for at in ("bundle", "here")}
        for row in sorted(rows, key=lambda row: (row["verdict"] != DIFFERENT, row["cell"]))
    ]
    return fill("reproduction.md", **found, changed=changed, verdicts=(IDENTICAL, WITHIN, DIFFERENT))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    restore.add_bundle(parser)
    dag.add_arguments(parser)
    tiers = [tier for tier in TIERS if tier != "all"]
    parser.add_argument("--tier", choices=tiers, default="scores", help="the last level to place (default: scores)")
    parser.add_argument("--dry-run", action="store_true", help="print what would be made again, and write nothing")
    parser.add_argument("--json", action="store_true", help="print what is written to reproduction-<tier>.json")


def run(arguments: argparse.Namespace) -> int:
    """Reproduce what the command line names."""
    overlay, tier = dag.overlay_of(arguments), arguments.tier
    bundle = archive.open_bundle(restore.fetch(arguments.bundle, restore.OURS))
    targets, rules, kept = prepare(overlay, bundle, tier, arguments.dry_run)
    if arguments.dry_run:
        found: dict[str, Any] = {"run": bundle.run, "tier": tier, "again": rules, "taken_as_they_are": kept}
        lines = [f"would make {sum(rules.values()):,} jobs of {bundle.run} again:"]
        lines += [f"  {count:>7,} {rule}" for rule, count in rules.items()]
        lines += [f"and not {title}, since the bundle lacks its inputs" for title in kept]
    else:
        make(overlay, targets, rules)
        found = compare(bundle, tier, kept)
        path = Path("results") / bundle.run / f"reproduction-{tier}"
        write_json(path.with_suffix(".json"), found)
        write_text(path.with_suffix(".md"), page(found))
        lines = [page(found), str(path.with_suffix(".md"))]
    print(json.dumps(found, indent=1) if arguments.json else "\n".join(lines))
    return int(DIFFERENT in found.get("counts", {}))
