"""Put the results of a bundle in place, with their provenance: `make restore CONFIG= BUNDLE= [FITTING=1]`.

All of the bundle is read and checked before anything is placed, then held against what this config, code and lock would
make. What does not fit is told with its reason and nothing is placed, unless one asks for what does fit.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from thinksafe.files import RECORD  # noqa: E402
from thinksafe.planning import dag  # noqa: E402
from thinksafe.provenance.identity import SNAKEMAKES, file_digest  # noqa: E402
from thinksafe.release import archive, snakemake_records  # noqa: E402
from thinksafe.release.archive import Bundle, BundleError  # noqa: E402
from thinksafe.release.snakemake_records import Fit, Node  # noqa: E402
from thinksafe.study.stages import LEVELS, stage_of  # noqa: E402

SHOWN = 12  # reasons
LOCKS = ("workflow/requirements/", "workflow/envs/")


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
def placed(graph: object, bundle: Bundle, fit: Fit, root: Path, wanted: Callable[[int, Node], bool]) -> list[str]:
    """Place the files of jobs that fit, and Snakemake's records of these and of all behind them; return the files.

    Every file gets one and the same time. Snakemake looks at an input's content only where the input is younger than
    what was made of it; the contents have been compared here.

    Parameters
    ----------
    wanted : which of the jobs that fit are placed, by their number in the bundle
    """
    if any((root / ".snakemake/locks").glob("*.lock")):
        raise BundleError(
            f"Snakemake is at work in {root}, or was killed there: let it end, or run `snakemake --unlock`"
        )
    numbers = {number for number, node in fit.nodes.items() if number not in fit.reasons and wanted(number, node)}
    staging = root / "results" / bundle.run / "bundles" / ".placing"
    files = [name for name, number in bundle.owner.items() if number in numbers]
    new = {name for name in files if not _same(root / name, bundle, name)}
    free = shutil.disk_usage(_existing(root / "results")).free
    if (size := sum(bundle.manifest["files"][name]["size"] for name in new)) > free:
        raise BundleError(f"{bundle.path}: {size:,} bytes would be placed, and {free:,} are free")
    with _alone(root, bundle.run):
        shutil.rmtree(staging, ignore_errors=True)  # of one that was killed
        try:
            archive.extract(bundle, lambda name: staging / name if name in new else None)
            for name in sorted(new):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(staging / name, root / name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    now = int(time.time())
    for name in files:
        os.utime(root / name, (now, now))
    for number in numbers:
        node = fit.nodes[number]
        for folder in filter(bundle.holds, node.folders):
            (root / folder / SNAKEMAKES).touch()
            os.utime(root / folder / SNAKEMAKES, (now, now))
        snakemake_records.place(graph, node, bundle.jobs[number])
    return files


@contextmanager
def _alone(root: Path, run: str) -> Iterator[None]:
    """Refuse a second restore of a run while one places its files; the lock ends with the process, whatever ends it."""
    path = root / f".snakemake/thinksafe/{run}.placing.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BundleError(f"another restore places files of {run} in {root}: let it end, then try again") from None
        yield


def _same(path: Path, bundle: Bundle, name: str) -> bool:
    """Tell whether a file is here already; a record is of the job that made what is here, and stays."""
    return path.is_file() and (path.name.endswith(RECORD) or file_digest(path) == bundle.digest(name))


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


# ------------------------------------------------------------------------------------------------------------- telling
def told(bundle: Bundle, fit: Fit) -> Iterator[str]:
    """Yield what is in a bundle, and what of it does not fit and why."""
    manifest = bundle.manifest
    public = ", without prompts and responses" if manifest["public"] else ""
    yield f"{bundle.path}: run {bundle.run}, {archive.reach(manifest['tier'])} ({manifest['target']}){public}"
    files, sizes = Counter(), Counter()
    for name, number in bundle.owner.items():
        level = stage_of(bundle.jobs[number]["rule"]).depth
        files[level] += 1
        sizes[level] += manifest["files"][name]["size"]
    jobs = Counter(stage_of(job["rule"]).depth for job in bundle.jobs)
    bad = Counter(stage_of(bundle.jobs[number]["rule"]).depth for number in fit.reasons)
    for level, name in enumerate(LEVELS):
        if jobs[level]:
            line = f"  {name:<10}{jobs[level]:>7,} jobs {files[level]:>8,} files {sizes[level] / 1e6:>10,.1f} MB"
            yield line + (f"   {bad[level]:,} jobs do not fit" if bad[level] else "")
    if manifest["withheld"]:
        yield f"  held back, with their digests told: {len(manifest['withheld']):,} files"
    if other := [name for name in sorted(manifest["files"]) if name.startswith(LOCKS) and not _is_ours(bundle, name)]:
        yield f"  made with other {', '.join(name.removeprefix('workflow/') for name in other)}:"
        yield "  what of these can change a number is compared job by job"
    by_reason = defaultdict(list)
    derived = 0
    for number, lines in sorted(fit.reasons.items()):
        own = [line for line in lines if not line.startswith("made from ") or not line.endswith("does not fit")]
        derived += not own
        for line in own:
            by_reason[line].append(number)
    for line, numbers in sorted(by_reason.items(), key=lambda item: -len(item[1]))[:SHOWN]:
        rules = Counter(bundle.jobs[number]["rule"] for number in numbers)
        yield f"does not fit: {line}"
        yield f"    {', '.join(f'{count:,} {rule}' for rule, count in rules.most_common())}"
    if len(by_reason) > SHOWN:
        yield f"... and {len(by_reason) - SHOWN:,} other reasons"
    if derived:
        yield f"made from those: {derived:,} jobs"


def _is_ours(bundle: Bundle, name: str) -> bool:
    path = ROOT / name.removeprefix("workflow/")
    return path.is_file() and file_digest(path) == bundle.digest(name)


def restore(
    config: str, bundle: Bundle, root: Path = ROOT, fitting: bool = False, say: Callable[[str], None] = print
) -> None:
    """Place what a bundle holds.

    Raises
    ------
    BundleError
        Where something does not fit, unless ``fitting`` asks for the rest.
    """
    with fitted(config, bundle, root) as (graph, fit):
        for line in told(bundle, fit):
            say(line)
        if fit.reasons and not fitting:
            raise BundleError(
                f"{len(fit.reasons):,} of {len(bundle.jobs):,} jobs do not fit, so that nothing was placed; take what "
                "does fit with FITTING=1"
            )
        files = placed(graph, bundle, fit, root, lambda number, node: True)
    say(f"placed {len(files):,} files, with the provenance of {len(bundle.jobs) - len(fit.reasons):,} jobs")


@contextmanager
def fitted(config: str, bundle: Bundle, root: Path, ignore: Sequence[str] = ()) -> Iterator[tuple[object, Fit]]:
    """Give Snakemake's DAG of a bundle's target, and what of the bundle fits it."""
    version = snakemake_records.check_format()
    if bundle.manifest["record_format"] != snakemake_records.RECORD_FORMAT:
        raise BundleError(
            f"{bundle.path}: has the records of Snakemake {bundle.manifest['snakemake']}, format "
            f"{bundle.manifest['record_format']}; Snakemake {version} here keeps format "
            f"{snakemake_records.RECORD_FORMAT}"
        )
    run = dag.settings_of(config)["run"]
    if run != bundle.run:  # before the target, which may have the run in its name
        raise BundleError(f"{bundle.path}: is of the run {bundle.run}, and this config's run is {run}")
    with dag.graph(config, [bundle.manifest["planned"]], root) as graph:
        yield graph, snakemake_records.fit(graph, bundle, root, ignore)


def main() -> None:
    """Restore what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/config.yaml")
    parser.add_argument(
        "--bundle", required=True, help="a file, https://..., or owner/name[@revision][:file] on the hub"
    )
    parser.add_argument("--fitting", action="store_true", help="place what fits, and leave the rest")
    parser.add_argument("--folder", type=Path, default=ROOT, help="where results/ and .snakemake/ are")
    arguments = parser.parse_args()
    try:
        path = fetched(arguments.bundle, arguments.folder / ".snakemake/thinksafe")
        restore(arguments.config, archive.open_bundle(path), arguments.folder, arguments.fitting)
    except (BundleError, OSError) as error:  # a full disk, a folder that is not to be written
        sys.exit(f"restore: {error}")


if __name__ == "__main__":
    main()
