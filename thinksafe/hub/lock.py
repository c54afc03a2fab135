"""The commits of a run's repositories on the hub: config/hub.lock.yaml, written by ``snakemake lock_hub``.

The lock is no job's input. When the workflow is read, each hub source of the config gets its commit in the lock, as if
the config had it as `revision`; so a job's spec holds the commits of its own sources and no others. A source that the
lock lacks stays as it is, so that a run can be planned before there is a lock.
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


class HubError(ValueError):
    """Why a lock or a download is impossible, and how to go on."""


# ---------------------------------------------------------------- the file
def read_lock(path: str | Path) -> Lock:
    """Return the lock, without entries if there is no file.

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
            raise ValueError("an entry lacks a 40-character commit hash")
    except (yaml.YAMLError, AttributeError, TypeError, KeyError, ValueError) as error:
        raise HubError(
            f"{path}: this is not a lock of hub revisions ({error}); fix it, or remove it and run `snakemake lock_hub`"
        ) from None
    return {section: lock.get(section) or {} for section in SECTIONS.values()}


def write_lock(path: str | Path, lock: Lock) -> None:
    """Write the lock, sorted, so that equal locks give equal files."""
    import yaml

    from thinksafe.files import atomic

    with atomic(path) as temporary:
        temporary.write_text(HEAD + yaml.safe_dump(lock, sort_keys=True, width=200), encoding="utf-8")


@contextmanager
def changing(path: str | Path) -> Iterator[None]:
    """Keep other processes of this machine from changing the lock while the block runs."""
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


# ---------------------------------------------------------------- the config
def kind_of(source: Mapping[str, Any]) -> str:
    """Return "dataset" or "model": only a data set's source names a split."""
    return "dataset" if "split" in source else "model"


def _sources(node: Any, path: str = "") -> Iterator[tuple[str, Source]]:
    """Yield every source in a part of the config, with its path."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            where = f"{path}.{key}" if path else str(key)
            if key == "source" and isinstance(value, Mapping):
                yield where, dict(value)
            else:
                yield from _sources(value, where)


def remote_sources(config: Mapping[str, Any]) -> list[Source]:
    """Return the distinct sources of a config that must be fetched, each with its `paths` in the config."""
    found: dict[str, Source] = {}
    for path, source in _sources(config):
        if "hub" in source or "url" in source:
            # One repository is fetched once, whichever of its splits are read.
            keys = ("hub", "revision") if "hub" in source else ("url", "sha256")
            asked = {key: source[key] for key in keys if key in source}
            asked["kind"] = kind_of(source) if "hub" in source else "url"
            found.setdefault(json.dumps(asked, sort_keys=True), asked | {"paths": []})["paths"].append(path)
    return list(found.values())


def used(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config without the models, guards, benchmarks and other sources that the selection leaves unused."""
    select, students = config["select"], set(config["select"]["students"])
    methods = {name: config["methods"][name] for name in select["methods"]}
    # A method that trains none of the selected students needs nothing.
    needed = [entry for entry in methods.values() if students & set(entry.get("students", students))]
    needed = [{key: value for key, value in entry.items() if key != "students"} for entry in needed]
    needed += [
        config["methods"][entry["data"]["base_method"]] for entry in needed if "base_method" in entry.get("data", {})
    ]
    benchmarks = {name: config["benchmarks"][name] for name in select["benchmarks"]}
    study = config.get("judge_study", {})
    others = [config.get("audit", []), study["guards"] if study.get("in_all") else []]
    named = set(_texts([select, needed, benchmarks, others]))
    # Entries of these sections are used if they are named elsewhere. Prompts are always used.
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
    """Return the config with the lock's commit as `revision` of every hub source that has an entry in the lock."""

    def walk(node: Any, key: str = "") -> Any:
        if isinstance(node, Mapping):
            if key == "source" and "hub" in node and (entry := entry_of(lock, kind_of(node), node)):
                return {**node, "revision": entry["commit"]}
            return {name: walk(part, name) for name, part in node.items()}
        return node

    return walk(config)


def unpinned(spec: str) -> list[str]:
    """Return the hub sources in a job's spec whose revision is not a commit."""
    found = set()

    def visit(node: dict[str, Any]) -> dict[str, Any]:
        if "hub" in node and not COMMIT.fullmatch(str(node.get("revision"))):
            found.add(node["hub"])
        return node

    json.loads(spec, object_hook=visit)  # which is called with every object
    return sorted(found)
