"""The login node's work with the hub: lock commits, check a download before it starts, download and verify.

Everything uses `huggingface_hub`, so mirrors, tokens and caches are configured as usual (HF_ENDPOINT, HF_TOKEN,
HF_HOME). Jobs never use this module; they read the cache (`thinksafe.hub.cache`).
"""

import copy
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from huggingface_hub import HfApi, constants, errors, get_token, snapshot_download
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import filter_repo_objects

from thinksafe.errors import UserError
from thinksafe.files import write_bytes
from thinksafe.hub.cache import WANTED, cached_download, download_path
from thinksafe.hub.lock import (
    BRANCH,
    COMMIT,
    SECTIONS,
    Lock,
    Source,
    changing,
    entry_of,
    read_lock,
    write_lock,
)
from thinksafe.provenance.digests import digest_of

QUICK, PATIENT = 4, 9  # attempts of a query (about 10 seconds in all) and of a download (about 4 minutes)
LONGEST_PAUSE = 60.0  # seconds between two attempts
MARGIN = 1.02  # factor on the bytes of a download, for listings, links and other writes meanwhile
WEIGHTS = ".safetensors"
STALE = 3600.0  # seconds without a write after which a partial file belongs to a killed download
REFUSED = (errors.HfHubHTTPError, errors.EntryNotFoundError, httpx.HTTPError)
T = TypeVar("T")
Say = Callable[[str], None]


class DamagedError(Exception):
    """A downloaded file differs from the hub's digest of it."""


@dataclass(frozen=True)
class Repository:
    """One repository at one commit: the files that the hub lists, and those of them that we download."""

    source: Source
    commit: str
    listing: list[RepoFile]
    files: list[RepoFile]

    kind = property(lambda self: self.source["kind"])
    name = property(lambda self: self.source["hub"])
    size = property(lambda self: sum(file.size for file in self.files), doc="Bytes of the files that we download.")

    @property
    def digest(self) -> str:
        """Return a digest of the names and contents of all files in the listing."""
        return digest_of(sorted([file.path, _etag(file)] for file in self.listing))

    @property
    def folder(self) -> Path:
        """Return its folder in the cache."""
        return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=self.name, repo_type=self.kind)

    def cached(self) -> int:
        """Return how many of its bytes are in the cache, partial files included."""
        snapshot, blobs = self.folder / "snapshots" / self.commit, self.folder / "blobs"
        done = [file.size for file in self.files if (snapshot / file.path).exists() or (blobs / _etag(file)).exists()]
        for part in blobs.glob("*.incomplete"):
            with suppress(FileNotFoundError):  # finished since it was listed
                done.append(part.stat().st_size)
        return min(sum(done), self.size)


def _etag(file: RepoFile) -> str:
    """Return the digest by which the hub names a file's content: sha256, or git's sha1 for small files."""
    return file.lfs.sha256 if file.lfs else file.blob_id


def retry(query: Callable[[], T], what: str, attempts: int, say: Say) -> T:
    """Return the result of ``query``; after a failure of the network or the hub, repeat it after a growing pause."""
    for attempt in range(1, attempts + 1):
        try:
            return query()
        except Exception as error:
            if attempt == attempts or not _temporary(error):
                raise
            response = _response(error)
            wanted = response.headers.get("Retry-After", "") if response is not None else ""
            pause = float(wanted) if wanted.isdigit() else min(2.0 ** (attempt - 1), LONGEST_PAUSE)
            say(f"{what}: {_short(error)}; attempt {attempt + 1} of {attempts} in {pause:.0f} s")
            time.sleep(pause)


def _causes(error: BaseException) -> list[BaseException]:
    """Return the error, its cause, the cause of that, and so on."""
    causes = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    return causes


def _response(error: BaseException) -> httpx.Response | None:
    """Return the HTTP response behind an error, if there is one."""
    found = (getattr(cause, "response", None) for cause in _causes(error))
    return next((response for response in found if response is not None), None)


def _temporary(error: BaseException) -> bool:
    """Return whether the same query may succeed later."""
    if (response := _response(error)) is not None:
        return response.status_code in (408, 429) or response.status_code >= 500
    return any(
        isinstance(cause, httpx.TransportError | DamagedError) or "Consistency check failed" in str(cause)
        for cause in _causes(error)
    )


def _short(error: BaseException) -> str:
    response = _response(error)
    if response is not None and response.status_code == 429:
        return "the hub asks to slow down (429)"
    cause = error if response is not None else _causes(error)[-1]
    text = " ".join(str(cause).split()) or "connection lost"
    return f"{type(cause).__name__}: {text[:200]}"


def page(kind: str, name: str) -> str:
    """Return the address at which a person sees a repository and accepts its licence."""
    return f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{name}"


def explain(error: BaseException, source: Source) -> str:
    """Return what the refusal of a source means and what to do about it.

    Raises UserError if the hub cannot be reached, so that every other source would fail, too.
    """
    if source["kind"] == "url":
        return (
            f"{source['url']} ({', '.join(source['paths'])}): {_short(error)}. If the file is gone or another one is "
            f"at this address, find a copy with sha256 {source['sha256']} and name it: source: {{file: ...}}"
        )
    kind, name = source["kind"], source["hub"]
    response, where = _response(error), page(kind, name)
    status = None if response is None else response.status_code
    if isinstance(error, errors.RevisionNotFoundError):
        problem = f"has no revision {source.get('revision', BRANCH)}; see {where}/commits/main"
    elif (isinstance(error, errors.GatedRepoError) or status in (401, 403)) and get_token() is None:
        # Without a login the hub does not say whether a repository exists.
        misspelt = "" if isinstance(error, errors.GatedRepoError) else " (or nothing has this id)"
        problem = (
            f"needs a login, and there is no token{misspelt}. Visit {where} and accept the licence if it asks for "
            "that, then run `.venv/bin/hf auth login` (or set HF_TOKEN)"
        )
    elif status == 401:
        problem = f"the hub refuses your token; run `.venv/bin/hf auth login` again, then see {where}"
    elif isinstance(error, errors.GatedRepoError) or status == 403:
        problem = (
            "the licence is not accepted with your account, or your token may not read gated repositories. "
            f"Visit {where}, accept, and wait for access where it is granted by hand"
        )
    elif isinstance(error, errors.RepositoryNotFoundError) or status == 404:
        problem = f"is not on the hub under this id, or is private; see {where}"
    elif isinstance(error, httpx.TransportError):
        raise UserError(
            f"the hub at {constants.ENDPOINT} cannot be reached ({_short(error)}); run this where the network is, or "
            "set HF_ENDPOINT to a mirror"
        ) from error
    else:
        problem = _short(error)
    return f"{'data set' if kind == 'dataset' else kind} {name} ({', '.join(source['paths'])}): {problem}"


def _repository(source: Source, commit: str) -> Repository:
    """Return a repository as the hub lists it at a commit."""
    tree = HfApi().list_repo_tree(source["hub"], repo_type=source["kind"], revision=commit, recursive=True)
    listing = [entry for entry in tree if isinstance(entry, RepoFile)]
    files = filter_repo_objects(listing, key=lambda file: file.path, **WANTED[source["kind"]])
    return Repository(source, commit, listing, list(files))


def _snapshot(one: Repository, **options: Any) -> None:
    snapshot_download(one.name, repo_type=one.kind, revision=one.commit, **WANTED[one.kind], **options)


def update_lock(path: str, sources: Sequence[Source], accept: Iterable[str], say: Say) -> list[str]:
    """Add the missing entries to the lock file, and return the problems (see `lock_sources`)."""
    with changing(path):
        before = read_lock(path)
        after, problems = lock_sources(sources, before, accept, say)
        if after != before:
            write_lock(path, after)
    count = sum(len(revisions) for section in after.values() for revisions in section.values())
    say(f"{path}: {count} commits" + ("" if after != before else ", as before"))
    return problems


def lock_sources(sources: Sequence[Source], lock: Lock, accept: Iterable[str], say: Say) -> tuple[Lock, list[str]]:
    """Return the lock with the missing entries added, and the problems.

    Entries of the ids in ``accept`` move to the hub's present commit; all other entries stay. Raises UserError if the
    hub cannot be reached, or if ``accept`` names an id that is not in ``sources``.
    """
    lock, accept, problems = copy.deepcopy(lock), set(accept), []
    hub = [source for source in sources if source["kind"] in SECTIONS]
    if unknown := sorted(accept - {source["hub"] for source in hub}):
        raise UserError(f"hub.accept: the config takes no {' and no '.join(unknown)} from the hub")
    for source in hub:
        kind, name, revision = source["kind"], source["hub"], source.get("revision", BRANCH)
        entry = entry_of(lock, kind, source)
        if entry and COMMIT.fullmatch(revision):
            continue  # a commit does not move
        try:
            info = retry(lambda: HfApi().repo_info(name, repo_type=kind, revision=revision), name, QUICK, say)  # noqa: B023
            commit = info.sha
            if entry and commit == entry["commit"]:
                continue
            if entry and name not in accept:
                problems.append(
                    f"{name}: {revision} has moved from {entry['commit']}, which the lock keeps, to {commit}. To "
                    f"accept it: snakemake lock_hub --config 'hub={{accept: [{name}]}}' (results of the old one are "
                    "then made again). To keep the old one and silence this: set "
                    f"`revision: {entry['commit']}` in its source"
                )
                continue
            found = retry(lambda: _repository(source, commit), name, QUICK, say)  # noqa: B023
        except REFUSED as error:
            problems.append(explain(error, source))
            continue
        lock[SECTIONS[kind]].setdefault(name, {})[revision] = dict(commit=commit, files=found.digest, bytes=found.size)
        say(f"{'moved ' if entry else 'locked'} {kind:7} {name} at {commit} ({revision}, {human(found.size)})")
    return lock, problems


def inspect(sources: Sequence[Source], lock: Lock, say: Say) -> tuple[list[Repository], list[str]]:
    """Print a line per repository, and return the repositories and the problems that their download would have.

    A problem is a refused access, a change since the lock was written, or too little disk.
    """
    found, problems = [], []
    for source in sources:
        where = ", ".join(source["paths"])
        try:
            if source["kind"] == "url":
                url = source["url"]
                if not download_path(url, source["sha256"]).is_file():
                    retry(lambda: _request("HEAD", url), url, QUICK, say)  # noqa: B023
            elif entry := entry_of(lock, source["kind"], source):
                name, commit = source["hub"], entry["commit"]
                repository = retry(lambda: _repository(source, commit), name, QUICK, say)  # noqa: B023
                # Listings are open to all, files of gated repositories are not: a dry run asks for each missing file.
                retry(lambda: _snapshot(repository, dry_run=True), name, QUICK, say)  # noqa: B023
                found.append(repository)
                if entry.get("files", repository.digest) != repository.digest:
                    problems.append(
                        f"{name}: the hub lists other files for commit {commit} than when it was locked. If you trust "
                        "them, remove its entry from the lock and run `snakemake lock_hub`"
                    )
                elif source["kind"] == "model" and not any(one.path.endswith(WEIGHTS) for one in repository.files):
                    problems.append(f"{name} ({where}): has no *{WEIGHTS}; no other weights are loaded")
            else:
                problems.append(f"{source['hub']} ({where}): is not in the lock; run `snakemake lock_hub`")
        except errors.RevisionNotFoundError:
            problems.append(
                f"{name}: the locked commit {commit} is no longer on the hub. To accept the present one: "
                f"snakemake lock_hub --config 'hub={{accept: [{name}]}}'"
            )
        except REFUSED as error:
            problems.append(explain(error, source))
    total, missing = sum(one.size for one in found), 0
    for one in found:
        here = one.cached()
        missing += one.size - here
        state = "here" if here == one.size else f"{human(here)} of it here" if here else "to come"
        say(f"{one.kind:7} {one.name} at {one.commit[:12]}: {len(one.files)} files, {human(one.size)}, {state}")
    say(f"{len(found)} repositories, {human(total)}, of which {human(missing)} to come")
    cache = Path(constants.HF_HUB_CACHE)
    free = shutil.disk_usage(next(path for path in (cache, *cache.parents) if path.exists())).free
    if missing * MARGIN > free:
        problems.append(
            f"too little disk: {human(missing * MARGIN)} are still to come and {human(free)} are free in {cache}; set "
            "HF_HOME to a folder on a larger disk (the same for the jobs), or select fewer students"
        )
    return found, problems


def _request(method: str, url: str) -> bytes:
    answer = httpx.request(method, url, follow_redirects=True, timeout=60)
    return answer.raise_for_status().content


def human(size: float) -> str:
    """Return bytes in the largest fitting unit."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def fetch_all(
    sources: Sequence[Source], found: Sequence[Repository], progress: Callable[[int, int], None], say: Say
) -> None:
    """Download and verify everything; files that are in the cache already are only verified.

    ``progress`` is called about once a second with the megabytes in the cache and their total; it may raise to stop.
    """
    total = sum(one.size for one in found)
    for source in sources:
        if source["kind"] == "url":
            _download(source, say)
    pool = ThreadPoolExecutor(1)  # not closed by `with`, which would wait for the download when `progress` stops it
    for one in found:
        task = pool.submit(retry, lambda one=one: _fetch(one), one.name, PATIENT, say)
        while wait([task], timeout=1.0).not_done:
            progress(sum(each.cached() for each in found) // 10**6, total // 10**6)
        try:
            task.result()
        except (*REFUSED, DamagedError) as error:
            raise UserError(
                f"{explain(error, one.source)}. What is here stays; `snakemake fetch` continues the download"
            ) from error
        say(f"{one.name}: {len(one.files)} files, {human(one.size)}, verified")


def _fetch(one: Repository) -> None:
    """Download the missing files of a repository, and compare every file with the hub's digest of it."""
    for part in one.folder.glob("blobs/*.incomplete"):
        if time.time() - part.stat().st_mtime > STALE:
            part.unlink(missing_ok=True)
    _snapshot(one)
    api = HfApi()
    api.list_repo_tree = lambda *_, **__: one.listing  # only this listing has its digest in the lock
    found = api.verify_repo_checksums(one.name, repo_type=one.kind, revision=one.commit)
    damaged = [found.verified_path / mismatch["path"] for mismatch in found.mismatches]
    names = [f"{path.name} ({human(path.stat().st_size)}) is not what the hub says it is" for path in damaged]
    for path in damaged:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    if damaged:
        raise DamagedError(f"{', '.join(names)}; removed")


def _download(source: Source, say: Say) -> None:
    """Store the content of an address, if it is the pinned content."""
    url, sha256 = source["url"], source["sha256"]
    with suppress(FileNotFoundError, ValueError):
        cached_download(url, sha256)
        return
    try:
        content = retry(lambda: _request("GET", url), url, PATIENT, say)
    except httpx.HTTPError as error:
        raise UserError(explain(error, source)) from error
    if (digest := hashlib.sha256(content).hexdigest()) != sha256:
        raise UserError(explain(ValueError(f"the content there now has sha256 {digest}"), source))
    write_bytes(download_path(url, sha256), content)
    say(f"{url}: {human(len(content))}, verified")
