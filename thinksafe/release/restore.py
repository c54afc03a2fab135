"""Put the results of a bundle in place, with how they were made, so that Snakemake takes them for its own.

  thinksafe restore scores.tar.gz --configfile config/miniature.yaml
  thinksafe restore https://example.org/scores.tar.gz --dry-run
  thinksafe restore lab/thinksafe-run@main:scores.tar.gz --fitting     # a data set on the hub

All of the bundle is read and checked, and then compared with what this config, code and lock
would make, before anything is placed (docs/reproducing.md). Exit code 1: something does not fit.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thinksafe.files import RECORD
from thinksafe.planning import dag
from thinksafe.provenance.digests import ROOT
from thinksafe.provenance.identity import SNAKEMAKES, file_digest
from thinksafe.release import archive, snakemake_records
from thinksafe.release.archive import Bundle, BundleError
from thinksafe.release.snakemake_records import Fit
from thinksafe.study.stages import LEVELS, stage_of

SHOWN = 12  # reasons
LOCKS = ("workflow/requirements/", "workflow/envs/")
OURS = Path(".snakemake/thinksafe")


# ---------------------------------------------------------------------------------------------------- where it is from
def fetched(place: str, folder: Path) -> Path:
    """Return the local file of a bundle, which a file, an address or a data set on the hub names.

    Parameters
    ----------
    place : a path; ``https://...``; or ``owner/name``, ``owner/name@revision``, each with ``:file`` where the
        repository has more than one bundle
    folder : where a download is kept

    Raises
    ------
    BundleError
        Where there is none, or it cannot be had.
    """
    if (path := Path(place)).is_file():
        return path
    if place.startswith(("https://", "http://")):
        return _downloaded(place, folder)
    name, _, file = place.partition(":")
    name, _, revision = name.partition("@")
    if place.endswith((".tar.gz", ".tgz")) and not file or name.count("/") != 1:
        raise BundleError(
            f"{place}: no such file; name a file, an address (https://...) or a data set on the hub (owner/name)"
        )
    from huggingface_hub import HfApi, constants, hf_hub_download

    try:
        found = HfApi(endpoint=constants.ENDPOINT).list_repo_files(name, repo_type="dataset", revision=revision or None)
        held = [one for one in found if one.endswith(".tar.gz")]
        if not file and len(held) != 1:
            raise BundleError(
                f"{place}: has {len(held)} bundles; name one as {name}:FILE ({', '.join(held[:5]) or 'none'})"
            )
        return Path(hf_hub_download(name, file or held[0], repo_type="dataset", revision=revision or None))
    except BundleError:
        raise
    except Exception as error:  # the library's errors have no common kind
        raise BundleError(f"{place}: cannot be had from the hub ({type(error).__name__}: {str(error)[:200]})") from None


def _downloaded(address: str, folder: Path) -> Path:
    import httpx

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"downloaded-{Path(address.partition('?')[0]).name or 'bundle.tar.gz'}"
    try:
        with httpx.stream("GET", address, follow_redirects=True, timeout=60) as answer, open(path, "wb") as handle:
            answer.raise_for_status()
            size = 0
            for chunk in answer.iter_bytes():
                if (size := size + len(chunk)) > archive.MAX_BYTES:
                    raise BundleError(f"{address}: is larger than {archive.MAX_BYTES:,} bytes")
                handle.write(chunk)
    except (httpx.HTTPError, BundleError) as error:
        path.unlink(missing_ok=True)
        raise BundleError(f"{address}: cannot be downloaded ({error})") from None
    return path


# ------------------------------------------------------------------------------------------------------------- placing
def files_to_place(bundle: Bundle, fit: Fit, wanted: Callable[[int], bool]) -> list[str]:
    """Return the files of the jobs that fit and are wanted, by their number in the bundle."""
    numbers = {number for number in fit.jobs if number not in fit.reasons and wanted(number)}
    return [name for name, number in bundle.owner.items() if number in numbers]


def place(graph: Any, bundle: Bundle, fit: Fit, wanted: Callable[[int], bool] = lambda number: True) -> list[str]:
    """Place the files of jobs that fit, and Snakemake's records of these jobs; return the files.

    Every file gets one and the same time. Snakemake looks at an input's content only where the input is younger than
    what was made of it; the contents have been compared here.
    """
    if any(Path(".snakemake/locks").glob("*.lock")):
        raise BundleError(
            f"Snakemake is at work in {Path.cwd()}, or was killed there: let it end, or run `snakemake --unlock`"
        )
    files = files_to_place(bundle, fit, wanted)
    new = {name for name in files if not _same(bundle, name)}
    staging = Path("results") / bundle.run / "bundles" / ".placing"
    free = shutil.disk_usage("results" if Path("results").exists() else ".").free
    if (size := sum(bundle.manifest["files"][name]["size"] for name in new)) > free:
        raise BundleError(f"{bundle.path}: {size:,} bytes would be placed, and {free:,} are free")
    with _alone(bundle.run):
        shutil.rmtree(staging, ignore_errors=True)  # of one that was killed
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
    for number, job in fit.jobs.items():
        if number not in fit.reasons and wanted(number):
            for folder in filter(bundle.holds, job.folders):
                Path(folder, SNAKEMAKES).touch()
                os.utime(Path(folder, SNAKEMAKES), (now, now))
            snakemake_records.place(graph, job, bundle.jobs[number])
    return files


@contextmanager
def _alone(run: str) -> Iterator[None]:
    """Refuse a second restore of a run while one places its files; the lock ends with the process, whatever ends it."""
    OURS.mkdir(parents=True, exist_ok=True)
    with open(OURS / f"{run}.placing.lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BundleError(f"another restore places files of {run} here: let it end, then try again") from None
        yield


def _same(bundle: Bundle, name: str) -> bool:
    """Tell whether a file is here already; a record is of the job that made what is here, and stays."""
    return Path(name).is_file() and (name.endswith(RECORD) or file_digest(name) == bundle.digest(name))


# ------------------------------------------------------------------------------------------------------------- telling
def described(bundle: Bundle, fit: Fit) -> Iterator[str]:
    """Yield what is in a bundle, and what of it does not fit and why."""
    manifest = bundle.manifest
    public = ", without prompts and responses" if manifest["public"] else ""
    yield f"{bundle.path}: run {bundle.run}, {archive.reach(manifest['tier'])} ({manifest['target']}){public}"
    levels = [stage_of(job["rule"]).depth for job in bundle.jobs]
    sizes: dict[int, list[int]] = defaultdict(list)
    for name, number in bundle.owner.items():
        sizes[levels[number]].append(manifest["files"][name]["size"])
    jobs, bad = Counter(levels), Counter(levels[number] for number in fit.reasons)
    for level, name in enumerate(LEVELS):
        if jobs[level]:
            line = (
                f"  {name:<10}{jobs[level]:>7,} jobs {len(sizes[level]):>8,} files {sum(sizes[level]) / 1e6:>10,.1f} MB"
            )
            yield line + (f"   {bad[level]:,} jobs do not fit" if bad[level] else "")
    if manifest["withheld"]:
        yield f"  held back, with their digests: {len(manifest['withheld']):,} files"
    if other := [name for name in sorted(manifest["files"]) if name.startswith(LOCKS) and not _is_ours(bundle, name)]:
        yield f"  made with other {', '.join(name.removeprefix('workflow/') for name in other)}:"
        yield "  what of these can change a number is compared job by job"
    by_reason, derived = reasons(bundle, fit)
    for line, rules in list(by_reason.items())[:SHOWN]:
        yield f"does not fit: {line}"
        yield f"    {', '.join(f'{count:,} {rule}' for rule, count in rules.items())}"
    if len(by_reason) > SHOWN:
        yield f"... and {len(by_reason) - SHOWN:,} other reasons"
    if derived:
        yield f"made from those: {derived:,} jobs"


def reasons(bundle: Bundle, fit: Fit) -> tuple[dict[str, dict[str, int]], int]:
    """Return why jobs do not fit, with how many of each rule; and how many are only made from such jobs."""
    by_reason: dict[str, Counter[str]] = defaultdict(Counter)
    derived = 0
    for number, lines in sorted(fit.reasons.items()):
        own = [line for line in lines if not line.startswith("made from ") or not line.endswith("does not fit")]
        derived += not own
        for line in own:
            by_reason[line][bundle.jobs[number]["rule"]] += 1
    most_first = sorted(by_reason.items(), key=lambda item: -item[1].total())
    return {line: dict(rules.most_common()) for line, rules in most_first}, derived


def _is_ours(bundle: Bundle, name: str) -> bool:
    path = ROOT / name.removeprefix("workflow/")
    return path.is_file() and file_digest(path) == bundle.digest(name)


@contextmanager
def fitted(overlay: dag.Overlay, bundle: Bundle, ignore: Sequence[str] = ()) -> Iterator[tuple[Any, Fit]]:
    """Give Snakemake's DAG of a bundle's target, and what of the bundle fits it."""
    version = snakemake_records.check_format()
    if bundle.manifest["record_format"] != snakemake_records.RECORD_FORMAT:
        raise BundleError(
            f"{bundle.path}: has the records of Snakemake {bundle.manifest['snakemake']}, format "
            f"{bundle.manifest['record_format']}; Snakemake {version} here keeps format "
            f"{snakemake_records.RECORD_FORMAT}"
        )
    run = dag.settings_of(overlay).run
    if run != bundle.run:  # before the target, which may have the run in its name
        raise BundleError(f"{bundle.path}: is of the run {bundle.run}, and this config's run is {run}")
    with dag.graph(overlay, bundle.manifest["planned"]) as graph:
        yield graph, snakemake_records.fit(graph, bundle, ignore)


# ------------------------------------------------------------------------------------------------------------- command
def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_bundle(parser)
    dag.add_arguments(parser)
    parser.add_argument("--fitting", action="store_true", help="place what fits, and leave the rest")
    parser.add_argument("--dry-run", action="store_true", help="say what fits, and place nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a bundle."""
    parser.add_argument(
        "bundle", metavar="BUNDLE", help="a file, https://..., or owner/name[@revision][:file] on the hub; comes first"
    )


def run(arguments: argparse.Namespace) -> int:
    """Restore what the command line names."""
    bundle = archive.open_bundle(fetched(arguments.bundle, OURS))
    with fitted(dag.overlay_of(arguments), bundle) as (graph, fit):
        placed = arguments.fitting or not fit.reasons
        if not arguments.json:
            print("\n".join(described(bundle, fit)), flush=True)
        if not placed:
            files = []
        elif arguments.dry_run:
            files = files_to_place(bundle, fit, lambda number: True)
        else:
            files = place(graph, bundle, fit)
    fitting = len(bundle.jobs) - len(fit.reasons)
    by_reason, derived = reasons(bundle, fit)
    if arguments.json:
        found = {"run": bundle.run, "jobs": len(bundle.jobs), "fitting": fitting, "files": len(files)}
        print(json.dumps(found | {"reasons": by_reason, "made_from_those": derived}, indent=1))
    elif placed:
        verb = "would place" if arguments.dry_run else "placed"
        print(f"{verb} {len(files):,} files, with the provenance of {fitting:,} jobs")
    else:
        raise BundleError(
            f"{len(fit.reasons):,} of {len(bundle.jobs):,} jobs do not fit, so that nothing was placed; --fitting "
            "places what does fit"
        )
    return int(bool(fit.reasons))
