"""What a config takes from the hub, and at which commits."""

from collections.abc import Iterator, Mapping
from typing import Any

from thinksafe.config.selection import needs
from thinksafe.config.types import Config, DataSource, ModelSource, Section, plain
from thinksafe.hub.lock import Lock, Source, entry_of, kind_of


def _sources(node: Any, path: str) -> Iterator[tuple[str, Source]]:
    """Yield every remote source in a part of the config, with its path."""
    for key, value in node.items() if isinstance(node, Mapping) else ():
        where = f"{path}.{key}".lstrip(".")
        if key == "source" and isinstance(value, Mapping) and {"hub", "url"} & value.keys():
            yield where, dict(value)
        yield from _sources(value, where)


def remote_sources(config: Config) -> list[Source]:
    """Return the distinct sources of a config that must be fetched, each with the paths where it occurs as `paths`."""
    found: dict[tuple[str, ...], Source] = {}
    for path, source in _sources(plain(config), ""):
        # A repository is fetched once for all its splits.
        kept = {key: source[key] for key in ("hub", "revision", "url", "sha256") if key in source}
        kept["kind"] = kind_of(source) if "hub" in source else "url"
        found.setdefault(tuple(kept.values()), kept | {"paths": []})["paths"].append(path)
    return list(found.values())


def used(config: Config) -> Config:
    """Return the config without the models, guards, benchmarks and other sources that the selection does not use."""
    needed = needs(config)
    parts: dict[str, Any] = {
        section: {name: entry for name, entry in getattr(config, section).items() if name in getattr(needed, section)}
        for section in ("models", "guards", "corpora", "benchmarks")
    }
    released = {
        student: {method: entry for method, entry in entries.items() if (student, method) in needed.sources}
        for student, entries in config.sources.items()
    }
    return config.model_copy(update=parts | {"sources": released})


def pinned(config: Config, lock: Lock) -> Config:
    """Return the config with the lock's commit as `revision` of every hub source that has an entry in the lock."""

    def walk(node: Any) -> Any:
        if isinstance(node, ModelSource | DataSource):
            source = plain(node)
            entry = entry_of(lock, kind_of(source), source) if node.hub else None
            return node.model_copy(update={"revision": entry["commit"]}) if entry else node
        if isinstance(node, Section):
            return node.model_copy(update={name: walk(value) for name, value in node})
        return {name: walk(part) for name, part in node.items()} if isinstance(node, Mapping) else node

    return walk(config)
