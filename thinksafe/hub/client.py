"""What the login node asks of the hub: commits for the lock, a check before hours of download, and the download.

All of it goes through `huggingface_hub`, so that mirrors, tokens and caches are set as everywhere (HF_ENDPOINT,
HF_TOKEN, HF_HOME). Jobs never come here; they read the cache (hub_cache.py).
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from huggingface_hub import HfApi, constants, get_token, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import filter_repo_objects

from thinksafe.files import atomic
from thinksafe.hub.cache import WANTED, download_path
from thinksafe.hub.lock import BRANCH, COMMIT, SECTIONS, HubError, Lock, Source, entry_of
from thinksafe.provenance.digests import digest_of

QUICK, PATIENT = 4, 9  # attempts of a question, about 10 seconds in all, and of a download, about 4 minutes
LONGEST = 60.0  # seconds between two attempts
MARGIN = 1.02  # of the disk that a download needs, for listings, links and what else is written meanwhile
LITTER = 3600.0  # seconds after which a partial file that nothing writes to is left over from a killed download
T = TypeVar("T")


class DamagedError(Exception):
    """A downloaded file is not what the hub says it is."""


@dataclass(frozen=True)
class Repository:
    """One repository at one commit.

    Attributes
    ----------
    listing : all files as the hub lists them at the commit
    files : those of them that are wanted
    """

    source: Source
    commit: str
    listing: list[RepoFile]
    files: list[RepoFile]

    @property
    def kind(self) -> str:
        """Return "model" or "dataset"."""
        return self.source["kind"]

    @property
    def name(self) -> str:
        """Return the id on the hub."""
        return self.source["hub"]

    @property
    def size(self) -> int:
        """Return the bytes of all wanted files."""
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """Return a digest of the names and contents of all files, wanted or not."""
        return digest_of(sorted([file.path, _etag(file)] for file in self.listing))

    @property
    def folder(self) -> Path:
        """Return where the cache keeps it."""
        return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=self.name, repo_type=self.kind)

    def cached(self) -> int:
        """Return how many bytes of it are in the cache, partial files included."""
        snapshot, blobs = self.folder / "snapshots" / self.commit, self.folder / "blobs"
        whole = (file for file in self.files if (snapshot / file.path).exists() or (blobs / _etag(file)).exists())
        partial = (_size(part) for part in blobs.glob("*.incomplete"))
        return min(sum(file.size for file in whole) + sum(partial), self.size)


def _etag(file: RepoFile) -> str:
    """Return the digest by which the hub names a file's content: sha256, or git's sha1 for small files."""
    return file.lfs.sha256 if file.lfs else file.blob_id


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # just finished
        return 0


# ---------------------------------------------------------------- asking
def persist(ask: Callable[[], T], what: str, attempts: int, say: Callable[[str], None]) -> T:
    """Return what ``ask`` returns, asking again after a growing pause when the network or the hub failed meanwhile."""
    for attempt in range(1, attempts + 1):
        try:
            return ask()
        except Exception as error:
            if attempt == attempts or not _passing(error):
                raise
            pause = _pause(error, attempt)
            say(f"{what}: {_short(error)}; attempt {attempt + 1} of {attempts} in {pause:.0f} s")
            time.sleep(pause)
    raise AssertionError


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    """Return the HTTP status behind an error, if there is one."""
    for cause in _causes(error):
        response = getattr(cause, "response", None)
        if response is not None:
            return response.status_code
    return None


def _passing(error: BaseException) -> bool:
    """Tell whether the same question may well be answered later."""
    status = _status(error)
    if status is not None:
        return status in (408, 429) or status >= 500
    return any(
        isinstance(cause, httpx.TransportError | DamagedError) or "Consistency check failed" in str(cause)
        for cause in _causes(error)
    )


def _pause(error: BaseException, attempt: int) -> float:
    for cause in _causes(error):
        asked = getattr(getattr(cause, "response", None), "headers", {}).get("Retry-After", "")
        if asked.isdigit():
            return float(asked)
    return min(2.0 ** (attempt - 1), LONGEST)


def _short(error: BaseException) -> str:
    status = _status(error)
    if status == 429:
        return "the hub asks to slow down (429)"
    cause = list(_causes(error))[-1] if status is None else error
    text = " ".join(str(cause).split()) or "connection lost"
    return f"{type(cause).__name__}: {text[:200]}"


def page(kind: str, name: str) -> str:
    """Return the address at which a person looks at a repository and accepts its licence."""
    return f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{name}"


def explain(error: BaseException, source: Source) -> str:
    """Return what an answer of the hub means for a source, and what to do.

    Raises
    ------
    HubError
        Where no other source would fare better.
    """
    kind, name = source["kind"], source["hub"]
    what = f"{'data set' if kind == 'dataset' else kind} {name} ({', '.join(source['paths'])})"
    status, where = _status(error), page(kind, name)
    if isinstance(error, RevisionNotFoundError):
        return f"{what}: has no revision {source.get('revision', BRANCH)}; see {where}/commits/main"
    if isinstance(error, GatedRepoError) or status in (401, 403):
        if get_token() is None:  # the hub does not tell strangers what exists
            misspelt = "" if isinstance(error, GatedRepoError) else " (or nothing has this id)"
            return (
                f"{what}: needs a login, and there is no token{misspelt}. Visit {where} and accept the licence if it "
                "asks for that, then run `.venv/bin/hf auth login` (or set HF_TOKEN)"
            )
        if status == 401:
            return f"{what}: the hub refuses your token; run `.venv/bin/hf auth login` again, then see {where}"
        return (
            f"{what}: the licence is not accepted with your account, or your token may not read gated repositories. "
            f"Visit {where}, accept, and wait for access where it is granted by hand"
        )
    if isinstance(error, RepositoryNotFoundError) or status == 404:
        return f"{what}: is not on the hub under this id, or is private; see {where}"
    if isinstance(error, httpx.TransportError):
        raise HubError(
            f"the hub at {constants.ENDPOINT} cannot be reached ({_short(error)}); run this where the network is, or "
            "set HF_ENDPOINT to a mirror"
        ) from error
    return f"{what}: {_short(error)}"


def _repository(api: HfApi, source: Source, commit: str) -> Repository:
    """Return a repository as the hub lists it at a commit."""
    tree = api.list_repo_tree(source["hub"], repo_type=source["kind"], revision=commit, recursive=True)
    listing = [entry for entry in tree if isinstance(entry, RepoFile)]
    files = filter_repo_objects(listing, key=lambda file: file.path, **WANTED[source["kind"]])
    return Repository(source, commit, listing, list(files))


# ---------------------------------------------------------------- the lock
def lock_sources(
    sources: Sequence[Source], lock: Lock, accept: Iterable[str], say: Callable[[str], None]
) -> tuple[Lock, list[str]]:
    """Return the lock with what was missing, and what is wrong.

    Parameters
    ----------
    sources : what the config takes from the hub (`hub_lock.remote_sources`)
    accept : ids whose entries move to the commit that the hub has now; every other entry stays

    Raises
    ------
    HubError
        If the hub cannot be reached, or ``accept`` names what the config does not have.
    """
    api, accept, wrong = HfApi(), set(accept), []
    lock = {section: {name: dict(asked) for name, asked in part.items()} for section, part in lock.items()}
    hub = [source for source in sources if source["kind"] in SECTIONS]
    if unknown := sorted(accept - {source["hub"] for source in hub}):
        raise HubError(f"hub.accept: the config takes no {' and no '.join(unknown)} from the hub")
    for source in hub:
        kind, name, asked = source["kind"], source["hub"], source.get("revision", BRANCH)
        entry = entry_of(lock, kind, source)
        if entry and COMMIT.fullmatch(asked):
            continue  # a commit does not move
        try:
            commit = persist(lambda: api.repo_info(name, repo_type=kind, revision=asked).sha, name, QUICK, say)  # noqa: B023
            if entry and commit != entry["commit"] and name not in accept:
                wrong.append(
                    f"{name}: {asked} has moved from {entry['commit']}, which the lock keeps, to {commit}. To accept "
                    f"it: snakemake lock_hub --config 'hub={{accept: [{name}]}}' (what was made with the old one is "
                    "then made again). To stay for good and hear no more of it: "
                    f"`revision: {entry['commit']}` in its source"
                )
            if entry and (commit == entry["commit"] or name not in accept):
                continue
            found = persist(lambda: _repository(api, source, commit), name, QUICK, say)  # noqa: B023
        except (HfHubHTTPError, EntryNotFoundError, httpx.HTTPError) as error:
            wrong.append(explain(error, source))
            continue
        lock[SECTIONS[kind]].setdefault(name, {})[asked] = dict(commit=commit, files=found.digest, bytes=found.size)
        say(f"{'moved ' if entry else 'locked'} {kind:7} {name} at {commit} ({asked}, {human(found.size)})")
    return lock, wrong


# ---------------------------------------------------------------- before the download
def inspect(sources: Sequence[Source], lock: Lock, say: Callable[[str], None]) -> tuple[list[Repository], list[str]]:
    """Return what is to be there after a download, and all that would make it fail: access, changes, disk."""
    api, found, wrong = HfApi(), [], []
    for source in sources:
        if source["kind"] == "url":
            wrong += _address(source, say)
            continue
        kind, name, entry = source["kind"], source["hub"], entry_of(lock, source["kind"], source)
        if entry is None:
            wrong.append(f"{name} ({', '.join(source['paths'])}): is not in the lock; run `snakemake lock_hub`")
            continue
        try:
            repository = persist(lambda: _repository(api, source, entry["commit"]), name, QUICK, say)  # noqa: B023
            wrong += _content(repository, entry, source)
            # Listings are open to all, files of gated repositories are not: a dry run asks for each that is missing.
            dry_run = dict(repo_type=kind, revision=entry["commit"], dry_run=True, **WANTED[kind])
            persist(lambda: snapshot_download(name, **dry_run), name, QUICK, say)  # noqa: B023
        except RevisionNotFoundError:
            wrong.append(
                f"{name}: the locked commit {entry['commit']} is no longer on the hub. To accept the one that is there "
                f"now: snakemake lock_hub --config 'hub={{accept: [{name}]}}'"
            )
        except (HfHubHTTPError, EntryNotFoundError, httpx.HTTPError) as error:
            wrong.append(explain(error, source))
        else:
            found.append(repository)
    needed = sum(repository.size - repository.cached() for repository in found) * MARGIN
    free = shutil.disk_usage(_existing(Path(constants.HF_HUB_CACHE))).free
    if needed > free:
        wrong.append(
            f"too little disk: {human(needed)} are still to come and {human(free)} are free in "
            f"{constants.HF_HUB_CACHE}; set HF_HOME to a folder on a larger disk (the same for the jobs), or select "
            "fewer students"
        )
    return found, wrong


def _content(repository: Repository, entry: dict[str, Any], source: Source) -> list[str]:
    """Return what is wrong with what the hub lists for a locked commit."""
    if "files" in entry and entry["files"] != repository.digest:
        return [
            f"{repository.name}: the hub lists other files for commit {repository.commit} than when it was locked. If "
            "you trust them, remove its entry from the lock and run `snakemake lock_hub`"
        ]
    if repository.kind == "model" and not any(file.path.endswith(".safetensors") for file in repository.files):
        return [f"{repository.name} ({', '.join(source['paths'])}): has no *.safetensors; no other weights are loaded"]
    return []


def _address(source: Source, say: Callable[[str], None]) -> list[str]:
    """Return what is wrong with an address that has not been fetched yet."""
    if download_path(source["url"], source["sha256"]).is_file():
        return []

    def ask() -> None:
        httpx.head(source["url"], follow_redirects=True, timeout=30).raise_for_status()

    try:
        persist(ask, source["url"], QUICK, say)
    except (httpx.HTTPError, OSError) as error:
        return [_unfetched(source, error)]
    return []


def _unfetched(source: Source, error: BaseException) -> str:
    return (
        f"{source['url']} ({', '.join(source['paths'])}): {_short(error)}. If it has gone or the address is not this "
        f"file's any more, find a copy with sha256 {source['sha256']} and name it: source: {{file: ...}}"
    )


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def table(found: Sequence[Repository]) -> Iterator[str]:
    """Yield one line per repository: what, at which commit, how large, how much of it is here."""
    for one in found:
        here = one.cached()
        state = "here" if here == one.size else f"{human(here)} of it here" if here else "to come"
        yield f"{one.kind:7} {one.name:45} {one.commit[:12]} {human(one.size):>9}  {state}"
    total, here = sum(one.size for one in found), sum(one.cached() for one in found)
    yield f"{len(found)} repositories, {human(total)}, of which {human(total - here)} to come"


def human(size: float) -> str:
    """Return bytes as a person reads them."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


# ---------------------------------------------------------------- the download
def fetch_all(
    sources: Sequence[Source],
    found: Sequence[Repository],
    progress: Callable[[int, int], None],
    say: Callable[[str], None],
) -> None:
    """Download and verify everything; what is there already is verified only.

    Parameters
    ----------
    progress : told how many megabytes of how many are there, about once a second; may raise to stop
    """
    total = sum(one.size for one in found)
    for source in sources:
        if source["kind"] == "url":
            _download(source, say)
    pool = ThreadPoolExecutor(1)  # not closed by `with`, which would wait for the download when `progress` stops it
    for one in found:
        task = pool.submit(persist, lambda one=one: _fetch(one), one.name, PATIENT, say)
        while wait([task], timeout=1.0).not_done:
            progress(sum(each.cached() for each in found) // 10**6, total // 10**6)
        try:
            task.result()
        except (HfHubHTTPError, EntryNotFoundError, httpx.HTTPError, DamagedError) as error:
            raise HubError(f"{explain(error, one.source)}. What is here stays; `snakemake fetch` goes on") from error
        say(f"{one.name}: {len(one.files)} files, {human(one.size)}, verified")


def _fetch(one: Repository) -> None:
    """Download what is missing of a repository, and compare every file with the hub's digest."""
    for part in one.folder.glob("blobs/*.incomplete"):
        if time.time() - part.stat().st_mtime > LITTER:
            part.unlink(missing_ok=True)
    snapshot_download(one.name, repo_type=one.kind, revision=one.commit, **WANTED[one.kind])
    api = HfApi()
    api.list_repo_tree = lambda *_, **__: one.listing  # no other listing than the one that the lock has a digest of
    found = api.verify_repo_checksums(one.name, repo_type=one.kind, revision=one.commit)
    damaged = [found.verified_path / mismatch["path"] for mismatch in found.mismatches]
    if damaged:
        what = [f"{path.name} ({human(path.stat().st_size)}) is not what the hub says it is" for path in damaged]
        for path in damaged:
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        raise DamagedError(f"{', '.join(what)}; removed")


def _download(source: Source, say: Callable[[str], None]) -> None:
    """Keep the content behind an address, if it is the pinned one."""
    path = download_path(source["url"], source["sha256"])
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == source["sha256"]:
        return

    def ask() -> bytes:
        answer = httpx.get(source["url"], follow_redirects=True, timeout=60)
        answer.raise_for_status()
        return answer.content

    try:
        content = persist(ask, source["url"], PATIENT, say)
    except (httpx.HTTPError, OSError) as error:
        raise HubError(_unfetched(source, error)) from error
    if (digest := hashlib.sha256(content).hexdigest()) != source["sha256"]:
        raise HubError(_unfetched(source, ValueError(f"what is there now has sha256 {digest}")))
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    say(f"{source['url']}: {human(len(content))}, verified")
