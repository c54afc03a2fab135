"""The commits of what is taken from the hub: config/hub.lock.yaml, written by ``snakemake lock_hub``.

The lock is nobody's input. When the workflow is read, each hub source of the config takes the commit that the lock has
for it, as if it had been written there as `revision`; a job's spec therefore holds its own commit and no other. A
source that the lock does not know stays as it is, so that everything can be planned before there is a lock.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

COMMIT = re.compile(r"[0-9a-f]{40}")
BRANCH = "main"  # what a source without `revision` asks for
HEAD = """\
# Commits of the models and data sets that a run takes from the hub, by the revision that the config asks for.
# Written by `snakemake lock_hub`, which adds what is missing and moves nothing unless asked
# (docs/running-the-paper.md).
# `files` is a digest of the names and contents of all files at the commit, `bytes` the size of those that are fetched.
"""
SECTIONS = {"model": "models", "dataset": "datasets"}
Lock = dict[str, dict[str, dict[str, dict[str, Any]]]]
Source = dict[str, Any]


class HubError(ValueError):
    """What stands in the way of a lock or a download, and how to go on."""


# ---------------------------------------------------------------- the file
def read_lock(path: str | Path) -> Lock:
    """Return the lock; one without entries where there is no file.

    Raises
    ------
    HubError
        If the file is not a lock.
    """
    import yaml

    path = Path(path)
    try:
        lock = (yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None) or {}
        entries = [entry for section in lock.values() for asked in section.values() for entry in asked.values()]
        whole = all(COMMIT.fullmatch(str(entry["commit"])) for entry in entries)
        if not whole or not set(lock) <= set(SECTIONS.values()):
            raise ValueError("an entry has no commit of 40 figures")
    except (yaml.YAMLError, AttributeError, TypeError, KeyError, ValueError) as error:
        raise HubError(
            f"{path}: this is not a lock of hub revisions ({error}); mend it, or remove it and run `snakemake lock_hub`"
        ) from None
    return {section: lock.get(section) or {} for section in SECTIONS.values()}


def write_lock(path: str | Path, lock: Lock) -> None:
    """Write the lock, sorted, so that equal locks are equal files."""
    import yaml

    from thinksafe.files import atomic

    with atomic(path) as temporary:
        temporary.write_text(HEAD + yaml.safe_dump(lock, sort_keys=True, width=200), encoding="utf-8")


@contextmanager
def changing(path: str | Path) -> Iterator[None]:
    """Let no other process of this machine change the lock while the block runs."""
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
    """Return what the lock has for a hub source."""
    return lock[SECTIONS[kind]].get(source["hub"], {}).get(source.get("revision", BRANCH))


# ---------------------------------------------------------------- the config
def kind_of(source: Mapping[str, Any]) -> str:
    """Return "dataset" or "model"; a data set on the hub always names its split, a model has none."""
    return "dataset" if "split" in source else "model"


def _sources(node: Any, path: str = "") -> Iterator[tuple[str, Source]]:
    """Yield every source below a part of the config with its path."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            where = f"{path}.{key}" if path else str(key)
            if key == "source" and isinstance(value, Mapping):
                yield where, dict(value)
            else:
                yield from _sources(value, where)


def remote_sources(config: Mapping[str, Any]) -> list[Source]:
    """Return the distinct sources of a config that must be fetched, each with the paths where it stands as `paths`."""
    found: dict[str, Source] = {}
    for path, source in _sources(config):
        if "hub" in source or "url" in source:
            # One repository is fetched once, whichever of its parts are read.
            keys = ("hub", "revision") if "hub" in source else ("url", "sha256")
            asked = {key: source[key] for key in keys if key in source}
            asked["kind"] = kind_of(source) if "hub" in source else "url"
            found.setdefault(json.dumps(asked, sort_keys=True), asked | {"paths": []})["paths"].append(path)
    return list(found.values())


def used(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config without the models, guards, benchmarks and other sources that the selection does not use."""
    select, students = config["select"], set(config["select"]["students"])
    methods = {name: config["methods"][name] for name in select["methods"]}
    # A method for other students alone trains nobody here; what it would need is not needed.
    needed = [entry for entry in methods.values() if students & set(entry.get("students", students))]
    needed = [{key: value for key, value in entry.items() if key != "students"} for entry in needed]
    needed += [config["methods"][entry["data"]["of"]] for entry in needed if "of" in entry.get("data", {})]
    benchmarks = {name: config["benchmarks"][name] for name in select["benchmarks"]}
    study = config.get("judge_study", {})
    others = [config.get("audit", []), study["guards"] if study.get("in_all") else []]
    named = set(_texts([select, needed, benchmarks, others]))
    # A section whose entries are named elsewhere: only the named ones are used. Prompts are always used.
    listed = {
        section: {name: entry for name, entry in config[section].items() if name in named}
        for section in ("models", "guards", "corpora")
        if isinstance(config.get(section), Mapping)
    }
    released = {
        student: {method: entry for method, entry in entries.items() if method in named or method in methods}
        for student, entries in config.get("sources", {}).items()
        if student in named
    }
    return {**config, "methods": methods, "benchmarks": benchmarks, "sources": released, **listed}


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        node = node.values()
    if isinstance(node, str):
        yield node
    elif isinstance(node, int | float) or node is None:
        return
    else:
        for part in node:
            yield from _texts(part)


def pinned(config: Mapping[str, Any], lock: Lock) -> dict[str, Any]:
    """Return the config with the lock's commit as `revision` of every hub source that the lock knows."""

    def walk(node: Any, key: str = "") -> Any:
        if isinstance(node, Mapping):
            if key == "source" and "hub" in node and (entry := entry_of(lock, kind_of(node), node)):
                return {**node, "revision": entry["commit"]}
            return {name: walk(part, name) for name, part in node.items()}
        return node

    return walk(config)


def unpinned(spec: str) -> list[str]:
    """Return the hub sources in a job's spec that are not held to a commit."""

    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if "hub" in node and not COMMIT.fullmatch(str(node.get("revision"))):
                yield node["hub"]
            for part in node.values():
                yield from walk(part)
        elif isinstance(node, list):
            for part in node:
                yield from walk(part)

    return sorted(set(walk(json.loads(spec))))
