"""What a config takes from the hub, and at which commits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from thinksafe.config.selection import needs
from thinksafe.config.types import Config, DataSource, ModelSource, Section, plain
from thinksafe.hub.lock import Lock, Source, entry_of, kind_of


def _sources(node: Any, path: str = "") -> Iterator[tuple[str, Source]]:
    """Yield every source in a part of the config, with its path."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            where = f"{path}.{key}" if path else str(key)
            if key == "source" and isinstance(value, Mapping):
                yield where, dict(value)
            else:
                yield from _sources(value, where)


def remote_sources(config: Config) -> list[Source]:
    """Return the distinct sources of a config that must be fetched, each with the paths where it stands as `paths`."""
    found: dict[str, Source] = {}
    for path, source in _sources(plain(config)):
        if "hub" in source or "url" in source:
            # One repository is fetched once, whichever of its parts are read.
            keys = ("hub", "revision") if "hub" in source else ("url", "sha256")
            asked = {key: source[key] for key in keys if key in source}
            asked["kind"] = kind_of(source) if "hub" in source else "url"
            found.setdefault(json.dumps(asked, sort_keys=True), asked | {"paths": []})["paths"].append(path)
    return list(found.values())


def used(config: Config) -> Config:
    """Return the config without the models, guards, benchmarks and other sources that the selection does not use."""
    needed = needs(config)
    sections = {"models": needed.models, "guards": needed.guards, "corpora": needed.corpora}
    parts: dict[str, Any] = {
        section: {name: entry for name, entry in getattr(config, section).items() if name in names}
        for section, names in (sections | {"benchmarks": needed.benchmarks}).items()
    }
    released = {
        student: {method: entry for method, entry in entries.items() if (student, method) in needed.sources}
        for student, entries in config.sources.items()
    }
    return config.model_copy(update=parts | {"sources": released})


def pinned(config: Config, lock: Lock) -> Config:
    """Return the config with the lock's commit as `revision` of every hub source that the lock knows."""

    def walk(node: Any) -> Any:
        if isinstance(node, ModelSource | DataSource):
            entry = entry_of(lock, kind_of(plain(node)), plain(node)) if node.hub else None
            return node.model_copy(update={"revision": entry["commit"]}) if entry else node
        if isinstance(node, Section):
            return node.model_copy(update={name: walk(value) for name, value in node})
        return {name: walk(part) for name, part in node.items()} if isinstance(node, Mapping) else node

    return walk(config)
