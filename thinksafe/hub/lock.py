"""The commits of a run's repositories on the hub: config/hub.lock.yaml, written by ``snakemake lock_hub``.

The lock is no job's input. When the workflow is read, each hub source of the config gets its commit in the lock, as if
the config had it as `revision`; so a job's spec holds the commits of its own sources and no others. A source that the
lock lacks stays as it is, so that a run can be planned before there is a lock.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from thinksafe.errors import UserError
from thinksafe.files import write_text

COMMIT = re.compile(r"[0-9a-f]{40}")
BRANCH = "main"  # the revision of a source without `revision`
HEAD = """\
# Commits of the models and data sets that a run takes from the hub, by the revision that the config asks for.
# Written by `snakemake lock_hub`, which adds what is missing and moves nothing unless asked
# (docs/running-the-paper.md).
# `files` is a digest of the names and contents of all files at the commit, `bytes` the size of those that are fetched.
"""
SECTIONS = {"model": "models", "dataset": "datasets"}
Lock = dict[str, dict[str, dict[str, dict[str, Any]]]]
Source = dict[str, Any]


def read_lock(path: str | Path) -> Lock:
    """Return the lock, without entries if there is no file; raise UserError if the file is not a lock."""
    import yaml

    path = Path(path)
    try:
        lock = (yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None) or {}
        entries = [entry for section in lock.values() for revisions in section.values() for entry in revisions.values()]
        whole = all(COMMIT.fullmatch(str(entry["commit"])) for entry in entries)
        if not whole or not set(lock) <= set(SECTIONS.values()):
            raise ValueError("an entry lacks a 40-character commit hash")
    except (yaml.YAMLError, AttributeError, TypeError, KeyError, ValueError) as error:
        raise UserError(
            f"{path}: this is not a lock of hub revisions ({error}); fix it, or remove it and run `snakemake lock_hub`"
        ) from None
    return {section: lock.get(section) or {} for section in SECTIONS.values()}


def write_lock(path: str | Path, lock: Lock) -> None:
    """Write the lock, sorted, so that equal locks give equal files."""
    import yaml

    write_text(path, HEAD + yaml.safe_dump(lock, sort_keys=True, width=200))


@contextmanager
def changing(path: str | Path) -> Iterator[None]:
    """Prevent other processes of this machine from changing the lock while the block runs."""
    import fcntl

    folder = Path(path).absolute().parent
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def entry_of(lock: Lock, kind: str, source: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the lock's entry for a hub source, or None."""
    return lock[SECTIONS[kind]].get(source["hub"], {}).get(source.get("revision", BRANCH))


def kind_of(source: Mapping[str, Any]) -> str:
    """Return "dataset" or "model": only a data set's source names a split."""
    return "dataset" if "split" in source else "model"


def unpinned(spec: str) -> list[str]:
    """Return the hub sources in a job's spec whose revision is not a commit."""
    found = set()

    def visit(node: dict[str, Any]) -> dict[str, Any]:
        if "hub" in node and not COMMIT.fullmatch(str(node.get("revision"))):
            found.add(node["hub"])
        return node

    json.loads(spec, object_hook=visit)  # which is called with every object
    return sorted(found)
