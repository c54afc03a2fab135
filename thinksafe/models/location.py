"""Where a model's weights are: built by this workflow, in a folder of the user's, or on the hub."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, read_json
from thinksafe.hub.cache import cached_snapshot

FILES = {
    "config.json": ("config.json",),
    "weights (*.safetensors)": ("*.safetensors",),
    "a tokenizer (tokenizer.json or tokenizer.model)": ("tokenizer.json", "tokenizer.model"),
}


def locate(source: dict[str, Any], inputs: Sequence[str | Path]) -> Path:
    """Return the local folder of a model; ValueError if it is not a whole Hugging Face model folder.

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
    missing = [name for name, patterns in FILES.items() if not any(any(folder.glob(pattern)) for pattern in patterns)]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(read_json(index)["weight_map"].values())
        missing += sorted(shard for shard in shards if not (folder / shard).is_file())
    if missing:
        raise ValueError(
            f"{folder}: the model folder lacks {', '.join(missing)}; fetch or copy the model again, save it there with "
            "`save_pretrained` of model and tokenizer, or name another folder in `models`"
        )
    return folder


def context_tokens(folder: str | Path) -> int:
    """Return the length of the model's context in tokens, prompt and response together."""
    return int(read_json(Path(folder) / "config.json")["max_position_embeddings"])


def base_of(source: dict[str, Any], name: str) -> dict[str, Any]:
    """Return how an adapter names the model that it belongs to: its name on the hub or its folder, and its revision."""
    return {"name": source.get("hub") or source.get("folder") or name, "revision": source.get("revision")}
