"""Sources on the hub as a config has them, and steps that many tests take."""

from typing import Any

from thinksafe.hub import client

A, B, C = "a" * 40, "b" * 40, "c" * 40
MODEL = {
    "config.json": b'{"max_position_embeddings": 64}',
    "model.safetensors": bytes(range(256)) * 3000,
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"never unpickled",
    "original/params.json": b"{}",
    "README.md": b"# Model",
}


def model(name: str = "org/student", **more: str) -> dict[str, Any]:
    return {"hub": name, "kind": "model", "paths": [f"models.{name.split('/')[1]}.source"], **more}


def dataset(name: str) -> dict[str, Any]:
    return {"hub": name, "kind": "dataset", "paths": ["prompts.harmful.source"]}


EMPTY: dict[str, dict] = {"models": {}, "datasets": {}}


def locked(sources: list[dict[str, Any]], printed: list[str], lock: Any = EMPTY) -> Any:
    """Return a lock of all sources."""
    made, wrong = client.lock_sources(sources, lock, [], printed.append)
    assert not wrong
    return made


def fetched(sources: list[dict[str, Any]], printed: list[str]) -> Any:
    """Lock, inspect and download all sources, and return the lock."""
    lock = locked(sources, printed)
    found, wrong = client.inspect(sources, lock, printed.append)
    assert not wrong
    client.fetch_all(sources, found, lambda done, total: None, printed.append)
    return lock
