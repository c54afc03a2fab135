"""Make again what is above a tier, and compare each number with a bundle's.

  thinksafe reproduce scores.tar.gz --configfile config/miniature.yaml          # tables and figures from scores
  thinksafe reproduce all.tar.gz --tier datasets --dry-run                      # adapters and all after them

Only the bundle's files up to the tier are placed; Snakemake makes the rest by the rules that
made it first. Each number is then identical, within the bundle's interval, or different
(docs/reproducing.md); results/<run>/reproduction-<tier>.md and .json have it. Exit code 1:
something does not fit, cannot be made, or is different.
"""

from __future__ import annotations

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
from thinksafe.release.archive import TIERS, Bundle, BundleError
from thinksafe.release.snakemake_records import Fit
from thinksafe.study.stages import LEVELS, stage_of

IDENTICAL, WITHIN, DIFFERENT = "identical", "within the interval", "different"
KEYS = (
    "student",
    "method",
    "metric",
    "question",
    "against",
    "role",
    "replicate",
    "steering",
)  # what names a row of a table
TIMED = ("cost", "figure3-cost")  # hours, which no two runs share


def remade(bundle: Bundle, fit: Fit, tier: str) -> tuple[set[int], set[int]]:
    """Return which jobs above a tier are made again, and which are taken as they are, as the bundle lacks their inputs.

    Parameters
    ----------
    fit : of a bundle that fits as a whole
    """
    makers = {output: number for number, job in fit.jobs.items() for output in job.outputs}
    again: set[int] = set()
    kept: set[int] = set()

    def is_there(path: str) -> bool:
        maker = makers.get(path)
        return maker is None or maker in again or all(map(bundle.holds, {path, *fit.jobs[maker].folders}))

    for number, job in fit.jobs.items():  # each after what it needs
        if stage_of(job.rule).depth > LEVELS.index(tier):
            (again if all(map(is_there, job.inputs)) else kept).add(number)
    return again, kept


def prepare(
    overlay: dag.Overlay, bundle: Bundle, tier: str, dry_run: bool = False
) -> tuple[list[str], dict[str, int], set[str]]:
    """Place what a tier begins with.

    Returns
    -------
    list of str
        Snakemake's targets: the identities of jobs made again that no other one of them needs.
    dict
        How many jobs of each rule are made again.
    set of str
        What is not made again.

    Raises
    ------
    BundleError
        Where the bundle does not reach down to the tier or does not fit, or results of the levels above are here.
    """
    if TIERS[bundle.manifest["tier"]] > TIERS[tier]:
        raise BundleError(
            f"{bundle.path}: begins with {bundle.manifest['tier']}; --tier {tier} needs one of {tier} or a deeper one"
        )
    level = LEVELS.index(tier)
    above = {output for job in bundle.jobs for output in job["outputs"] if stage_of(job["rule"]).depth > level}
    mark = restore.OURS / f"{bundle.run}.reproduction.json"
    started = {"bundle": file_digest(bundle.path), "tier": tier}
    if not (mark.is_file() and read_json(mark) == started):
        if here := sorted(output for output in above if Path(output).exists()):
            raise BundleError(
                f"{len(here):,} results above the tier are here already, {here[0]} among them: nothing would be made "
                f"again. Use a fresh clone, or move results/{bundle.run} away"
            )
    with restore.fitted(overlay, bundle, ignore=sorted(above)) as (graph, fit):
        if fit.reasons:
            raise BundleError("\n".join(["does not fit here", *restore.described(bundle, fit)]))
        again, kept = remade(bundle, fit, tier)
        if not again:
            raise BundleError(f"{bundle.path}: holds nothing from which a level above {tier} could be made")
        if not dry_run:
            restore.place(graph, bundle, fit, lambda number: number not in again)
            write_json(mark, started)
        jobs = [fit.jobs[number] for number in sorted(again)]
        needed = {path for job in jobs for path in job.inputs}
        targets = [job.identity for job in jobs if needed.isdisjoint(job.outputs)]
        return targets, Counter(job.rule for job in jobs), {fit.jobs[number].title for number in kept}


def make(overlay: dag.Overlay, targets: list[str], rules: Iterable[str]) -> None:
    """Let Snakemake make the targets, by these rules alone: what is below the tier is never made."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *overlay.options()]
    done = subprocess.run([*command, "--allowed-rules", *sorted(rules), "--", *targets], stdout=sys.stderr, check=False)
    if done.returncode:
        raise BundleError("Snakemake could not make all of it again; solve what it says above and run this once more")


# ----------------------------------------------------------------------------------------------------------- comparing
def cells(name: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the numbers of each cell that a score or a tidy table holds."""
    parts = Path(name).parts
    if name.endswith(".json"):
        found = json.loads(text)
        kind, student, _, method, replicate, _, benchmark = parts[3:]
        yield f"{kind}/{student}/{method}/{replicate}/{benchmark.removesuffix('.json')}", found
        return
    seen: Counter[str] = Counter()
    for row in csv.DictReader(io.StringIO(text)):
        cell = "/".join([Path(name).stem, *(row[column] for column in KEYS if row.get(column))])
        seen[cell] += 1
        yield cell if seen[cell] == 1 else f"{cell} ({seen[cell]})", row


def compared(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> str:
    """Return how a cell made again stands to the bundle's."""
    if before == after:
        return IDENTICAL
    try:
        low, value, high = float(before["low"]), float((after or {})["value"]), float(before["high"])
    except (KeyError, TypeError, ValueError):
        return DIFFERENT  # it has no interval, or is not there any more
    return WITHIN if low <= value <= high else DIFFERENT


def is_compared(name: str) -> bool:
    """Tell whether a file has cells: a score, or a tidy table of something else than time."""
    parts = Path(name).parts
    if parts[2] == "tables":
        return name.endswith(".csv") and Path(name).stem not in TIMED
    return parts[2] == "scores" and name.endswith(".json") and not name.endswith((IDENTITY, RECORD))


def compare(bundle: Bundle, tier: str, kept: set[str]) -> dict[str, Any]:
    """Return every cell of the levels above a tier beside the bundle's, and how many files are the same to the byte.

    ``devices`` are the kinds that the jobs made again ran on, those of the bundle's and those here: models round
    differently on each.
    """
    level = LEVELS.index(tier)
    made = {
        name
        for name, number in bundle.owner.items()
        if stage_of(bundle.jobs[number]["rule"]).depth > level and name in bundle.jobs[number]["outputs"]
    }
    files = Counter(
        "identical" if Path(name).is_file() and file_digest(name) == bundle.digest(name) else "different"
        for name in made
        if not name.endswith(IDENTITY)
    )
    records = {name.removesuffix(IDENTITY) + RECORD for name in made if name.endswith(IDENTITY)}
    wanted = {name for name in made if is_compared(name)}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        archive.extract(bundle, Path(folder), wanted | records)
        devices = {"bundle": _devices(Path(folder), records), "here": _devices(Path(), records)}
        for name in sorted(wanted):
            now = dict(cells(name, Path(name).read_text(encoding="utf-8"))) if Path(name).is_file() else {}
            for cell, before in cells(name, Path(folder, name).read_text(encoding="utf-8")):
                after = now.get(cell)
                row = {"cell": cell, "verdict": compared(before, after), "file": name}
                rows.append(row | {"bundle": _numbers(before), "here": _numbers(after or {})})
    return {
        "run": bundle.run,
        "tier": tier,
        "bundle": file_digest(bundle.path),
        "cells": rows,
        "counts": dict(Counter(row["verdict"] for row in rows)),
        "files": dict(files),
        "devices": devices,
        "taken_as_they_are": sorted(kept),
    }


def _devices(folder: Path, records: Iterable[str]) -> list[str]:
    return sorted({device_of(read_json(folder / name)) for name in records if (folder / name).is_file()})


def _numbers(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {key: cell[key] for key in ("value", "low", "high", "n") if cell.get(key) not in (None, "")}


def page(found: Mapping[str, Any]) -> str:
    """Return a comparison as Markdown: the counts, and each cell that is not the same."""
    counts = found["counts"]
    lines = [
        f"# {found['run']} made again from its {found['tier']}",
        "",
        f"{sum(counts.values()):,} cells beside those of the bundle {found['bundle'][:12]}: "
        + ", ".join(f"{counts.get(verdict, 0):,} {verdict}" for verdict in (IDENTICAL, WITHIN, DIFFERENT))
        + f". Files: {found['files'].get('identical', 0):,} the same to the byte, "
        f"{found['files'].get('different', 0):,} not.",
    ]
    if changed := [row for row in found["cells"] if row["verdict"] != IDENTICAL]:
        lines += ["", "| Cell | Bundle | Interval | Here | |", "| :-- | --: | :-: | --: | :-- |"]
        for row in sorted(changed, key=lambda row: (row["verdict"] != DIFFERENT, row["cell"])):
            before, after = row["bundle"], row["here"]
            interval = f"{_short(before['low'])} to {_short(before['high'])}" if "low" in before else ""
            lines.append(
                f"| {row['cell']} | {_short(before.get('value', ''))} | {interval} | {_short(after.get('value', ''))} "
                f"| {row['verdict']} |"
            )
        lines += [
            "",
            "*Within the interval*: the value made here lies in the interval of the bundle's. Of two independent "
            "samples of one size about one in six does not, by chance alone, at 95 %.",
        ]
        if (devices := found["devices"])["bundle"] != devices["here"]:
            lines += [
                "",
                f"The bundle was made on {_listed(devices['bundle'])}; this on {_listed(devices['here'])}. Models "
                "round differently on each kind of device, and training and sampling amplify it.",
            ]
    if kept := found["taken_as_they_are"]:
        lines += ["", "Not made again, as the bundle lacks what they are made of:", "", *(f"- {one}" for one in kept)]
    return "\n".join(lines) + "\n"


def _listed(names: Iterable[str]) -> str:
    return "; ".join(names) or "what no record tells"


def _short(value: Any) -> str:
    try:
        return f"{float(value):.2f}"
    except (TypeError, ValueError):
        return str(value)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    restore.add_bundle(parser)
    dag.add_arguments(parser)
    tiers = [tier for tier in TIERS if tier != "all"]
    parser.add_argument("--tier", choices=tiers, default="scores", help="from where it is made again (default: scores)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be made again, and write nothing")
    parser.add_argument("--json", action="store_true", help="print what is written to reproduction-<tier>.json")


def run(arguments: argparse.Namespace) -> int:
    """Reproduce what the command line names."""
    overlay, tier = dag.overlay_of(arguments), arguments.tier
    bundle = archive.open_bundle(restore.fetched(arguments.bundle, restore.OURS))
    targets, rules, kept = prepare(overlay, bundle, tier, arguments.dry_run)
    if arguments.dry_run:
        found: dict[str, Any] = {"run": bundle.run, "tier": tier, "again": rules, "taken_as_they_are": sorted(kept)}
        lines = [f"would make {sum(rules.values()):,} jobs of {bundle.run} again:"]
        lines += [f"  {count:>7,} {rule}" for rule, count in rules.items()]
        lines += [f"and not {title}, as the bundle lacks what it is made of" for title in sorted(kept)]
    else:
        make(overlay, targets, rules)
        found = compare(bundle, tier, kept)
        path = Path("results") / bundle.run / f"reproduction-{tier}"
        write_json(path.with_suffix(".json"), found)
        write_text(path.with_suffix(".md"), page(found))
        lines = [page(found), str(path.with_suffix(".md"))]
    print(json.dumps(found, indent=1) if arguments.json else "\n".join(lines))
    return int(DIFFERENT in found.get("counts", {}))
