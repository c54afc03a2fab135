"""Where a model's weights are: built by this workflow, in a folder of the user's, or on the hub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY
from thinksafe.hub.cache import cached_snapshot


def locate(source: dict[str, Any], inputs: Sequence[str | Path]) -> Path:
    """Return the local folder of a model.

    Parameters
    ----------
    source : dict
        One of ``{"built": kind}``, ``{"folder": path}``, ``{"hub": id, "revision": commit}``.
    inputs : sequence of path
        The files that stand for the model among a job's inputs; for a built model its identity.
    """
    if "built" in source:
        folder = Path(str(inputs[0]).removesuffix(IDENTITY))
    elif "folder" in source:
        folder = Path(source["folder"])
    else:
        folder = cached_snapshot(source["hub"], "model", source.get("revision"))
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder}: no model here (config.json is missing); name another folder in `models`")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if lost := sorted(part for part in parts if not (folder / part).is_file()):
            raise ValueError(f"{folder}: {', '.join(lost)} missing, which {index.name} names; fetch or copy it again")
    return folder


def context_tokens(folder: str | Path) -> int:
    """Return how many tokens, prompt and response together, the model's positions reach."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    return int(config["max_position_embeddings"])


def base_of(source: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what an adapter says that it belongs to: the model's name on the hub or its folder, and its revision."""
    return {"name": source.get("hub") or source.get("folder") or name, "revision": source.get("revision")}
