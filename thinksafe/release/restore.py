"""Place the results of a bundle with their provenance, so that Snakemake treats them as its own.

  thinksafe restore scores.tar.gz --configfile config/miniature.yaml
  thinksafe restore https://example.org/scores.tar.gz --dry-run
  thinksafe restore lab/thinksafe-run@main:scores.tar.gz --fitting     # a data set on the hub

The whole bundle is checked, and then compared with what this config, code and lock would make,
before anything is placed (docs/reproducing.md). Exit code 1: something does not fit.
"""

import argparse
import json
import os
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thinksafe.errors import UserError
from thinksafe.files import RECORD, locked
from thinksafe.planning import dag
from thinksafe.provenance.digests import ROOT
from thinksafe.provenance.identity import SNAKEMAKES, file_digest
from thinksafe.release import archive, snakemake_records
from thinksafe.release.archive import Bundle, ReleaseError
from thinksafe.release.snakemake_records import Fit
from thinksafe.study.stages import LEVELS, stage_of

SHOWN = 12  # reasons
LOCKS = ("workflow/requirements/", "workflow/envs/")
OURS = Path(".snakemake/thinksafe")


def fetch(place: str, folder: Path) -> Path:
    """Return the local file of a bundle, downloaded if necessary; an address's file is kept in ``folder``.

    ``place`` is a path; ``https://...``; or a data set on the hub, ``owner/name`` or ``owner/name@revision``, each with
    ``:file`` if it has more than one bundle.
    """
    if (path := Path(place)).is_file():
        return path
    if place.startswith(("https://", "http://")):
        return _download(place, folder)
    name, _, file = place.partition(":")
    name, _, revision = name.partition("@")
    if place.endswith((".tar.gz", ".tgz")) and not file or name.count("/") != 1:
        raise UserError(
            f"{place}: no such file; name a file, an address (https://...) or a data set on the hub (owner/name)"
        )
    from huggingface_hub import HfApi, constants, hf_hub_download

    try:
        found = HfApi(endpoint=constants.ENDPOINT).list_repo_files(name, repo_type="dataset", revision=revision or None)
        bundles = [name for name in found if name.endswith(".tar.gz")]
        if not file and len(bundles) != 1:
            known = ", ".join(bundles[:5]) or "none"
            raise ReleaseError(f"has {len(bundles)} bundles; name one as {name}:FILE ({known})")
        return Path(hf_hub_download(name, file or bundles[0], repo_type="dataset", revision=revision or None))
    except Exception as error:  # the library's errors have no common type
        why = "" if isinstance(error, ReleaseError) else f"cannot be downloaded from the hub ({type(error).__name__}): "
        raise ReleaseError(f"{place}: {why}{str(error)[:200]}") from None


def _download(address: str, folder: Path) -> Path:
    import httpx

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"downloaded-{Path(address.partition('?')[0]).name or 'bundle.tar.gz'}"
    try:
        with httpx.stream("GET", address, follow_redirects=True, timeout=60) as answer, open(path, "wb") as handle:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                handle.write(chunk)
                if handle.tell() > archive.MAX_BYTES:
                    raise ReleaseError(f"is larger than {archive.MAX_BYTES:,} bytes")
    except (httpx.HTTPError, ReleaseError) as error:
        path.unlink(missing_ok=True)
        raise ReleaseError(f"{address}: cannot be downloaded ({error})") from None
    return path


def files_of(bundle: Bundle, jobs: Mapping[int, dag.Job]) -> list[str]:
    """Return the files of jobs, which are given by their number in the bundle."""
    return [name for name, number in bundle.owner.items() if number in jobs]


def place(graph: Any, bundle: Bundle, jobs: Mapping[int, dag.Job]) -> None:
    """Place the files of jobs that fit, and Snakemake's records of these jobs.

    Every file gets the same modification time: Snakemake compares an input's content only if the input is newer than
    an output, and the contents have been compared here.
    """
    if any(Path(".snakemake/locks").glob("*.lock")):
        raise ReleaseError(
            f"Snakemake is running in {Path.cwd()}, or was killed there: wait for it, or run `snakemake --unlock`"
        )
    files = files_of(bundle, jobs)
    # A record here describes the job that made what is here, and stays.
    new = {name for name in files if not (Path(name).is_file() if name.endswith(RECORD) else bundle.is_here(name))}
    staging = Path("results") / bundle.run / "bundles" / ".placing"
    free = shutil.disk_usage("results" if Path("results").exists() else ".").free
    if (size := sum(bundle.manifest["files"][name]["size"] for name in new)) > free:
        raise ReleaseError(f"{bundle.path}: needs {size:,} bytes of disk, and {free:,} are free")
    OURS.mkdir(parents=True, exist_ok=True)
    if not (lock := locked(OURS / f"{bundle.run}.placing.lock")):  # until the process ends, at the latest
        raise ReleaseError(f"another restore is placing files of {bundle.run} here: wait for it, then try again")
    with lock:
        shutil.rmtree(staging, ignore_errors=True)  # of a restore that was killed
        try:
            archive.extract(bundle, staging, new)
            for name in sorted(new):
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(staging / name, name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    now = int(time.time())
    for name in files:
        os.utime(name, (now, now))
    for number, job in jobs.items():
        for folder in filter(bundle.holds, job.folders):
            Path(folder, SNAKEMAKES).touch()
            os.utime(Path(folder, SNAKEMAKES), (now, now))
        snakemake_records.place(graph, job, bundle.jobs[number])


def describe(bundle: Bundle, fit: Fit) -> Iterator[str]:
    """Yield what is in a bundle, and what of it does not fit and why."""
    manifest = bundle.manifest
    yield f"{bundle.path}: run {bundle.run}, {archive.scope_of(manifest)}"
    levels = [stage_of(job["rule"]).level for job in bundle.jobs]
    jobs, misfits = Counter(levels), Counter(levels[number] for number in fit.reasons)
    for level in (level for level in LEVELS if jobs[level]):
        files = [name for name, number in bundle.owner.items() if levels[number] == level]
        size = sum(manifest["files"][name]["size"] for name in files)
        line = f"  {level:<10}{jobs[level]:>7,} jobs {len(files):>8,} files {size / 1e6:>10,.1f} MB"
        yield line + (f"   {misfits[level]:,} jobs do not fit" if misfits[level] else "")
    if manifest["withheld"]:
        yield f"  withheld, with their digests: {len(manifest['withheld']):,} files"
    locks = [name.removeprefix("workflow/") for name in sorted(manifest["files"]) if name.startswith(LOCKS)]
    ours = {name: file_digest(ROOT / name) for name in locks if (ROOT / name).is_file()}
    if other := [name for name in locks if bundle.digest(f"workflow/{name}") != ours.get(name)]:
        yield f"  made with other {', '.join(other)}:"
        yield "  those versions that can change a number are compared job by job"
    by_reason, derived = count_reasons(bundle, fit)
    for line, rules in list(by_reason.items())[:SHOWN]:
        yield f"does not fit: {line}"
        yield f"    {', '.join(f'{count:,} {rule}' for rule, count in rules.items())}"
    if len(by_reason) > SHOWN:
        yield f"... and {len(by_reason) - SHOWN:,} other reasons"
    if derived:
        yield f"made from those: {derived:,} jobs"


def count_reasons(bundle: Bundle, fit: Fit) -> tuple[dict[str, dict[str, int]], int]:
    """Return how many jobs of each rule do not fit for each reason, and how many only need a job that does not."""
    by_reason: dict[str, Counter[str]] = defaultdict(Counter)
    for number, lines in sorted(fit.reasons.items()):
        for line in lines:
            by_reason[line][bundle.jobs[number]["rule"]] += 1
    most_first = sorted(by_reason.items(), key=lambda item: -item[1].total())
    derived = sum(not lines for lines in fit.reasons.values())
    return {line: dict(rules.most_common()) for line, rules in most_first}, derived


@contextmanager
def fitted(overlay: dag.Overlay, bundle: Bundle, ignore: Sequence[str] = ()) -> Iterator[tuple[Any, Fit]]:
    """Give Snakemake's DAG of a bundle's target, and what of the bundle fits it."""
    version, manifest = snakemake_records.check_format(), bundle.manifest
    if manifest["record_format"] != snakemake_records.RECORD_FORMAT:
        raise ReleaseError(
            f"{bundle.path}: has the records of Snakemake {manifest['snakemake']}, format {manifest['record_format']}; "
            f"Snakemake {version} here keeps format {snakemake_records.RECORD_FORMAT}"
        )
    run = dag.settings_of(overlay).run
    if run != bundle.run:  # before the target, which may have the run in its name
        raise ReleaseError(f"{bundle.path}: is of the run {bundle.run}, but this config's run is {run}")
    with dag.graph(overlay, manifest["planned"]) as graph:
        yield graph, snakemake_records.fit(graph, bundle, ignore)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_bundle(parser)
    dag.add_arguments(parser)
    parser.add_argument("--fitting", action="store_true", help="place what fits, and leave the rest")
    parser.add_argument("--dry-run", action="store_true", help="print what fits, and place nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a bundle."""
    parser.add_argument(
        "bundle", metavar="BUNDLE", help="a file, https://..., or owner/name[@revision][:file] on the hub; comes first"
    )


def run(arguments: argparse.Namespace) -> int:
    """Restore what the command line names."""
    bundle = archive.open_bundle(fetch(arguments.bundle, OURS))
    with fitted(dag.overlay_of(arguments), bundle) as (graph, fit):
        placed = arguments.fitting or not fit.reasons
        if not arguments.json:
            print("\n".join(describe(bundle, fit)), flush=True)
        files = files_of(bundle, fit.fitting) if placed else []
        if placed and not arguments.dry_run:
            place(graph, bundle, fit.fitting)
    by_reason, derived = count_reasons(bundle, fit)
    if arguments.json:
        found = {"run": bundle.run, "jobs": len(bundle.jobs), "fitting": len(fit.fitting), "files": len(files)}
        print(json.dumps(found | {"reasons": by_reason, "made_from_those": derived}, indent=1))
    elif placed:
        verb = "would place" if arguments.dry_run else "placed"
        print(f"{verb} {len(files):,} files, with the provenance of {len(fit.fitting):,} jobs")
    else:
        raise ReleaseError(
            f"{len(fit.reasons):,} of {len(bundle.jobs):,} jobs do not fit, so nothing was placed; --fitting places "
            "those that fit"
        )
    return int(bool(fit.reasons))
