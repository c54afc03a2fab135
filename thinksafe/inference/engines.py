"""Load a sampling engine by its name in config (``engine.name``)."""

from pathlib import Path
from typing import Any

from thinksafe.inference.requests import Engine


def load_engine(name: str, folder: str | Path, **settings: Any) -> Engine:
    """Return the engine ``name`` with a model loaded; ``settings`` are ``dtype``, ``tensor_parallel``, `Engine`'s."""
    if name == "vllm":
        from thinksafe.inference.vllm_engine import VllmEngine

        return VllmEngine(str(folder), **settings)
    from thinksafe.inference.transformers_engine import TransformersEngine

    return TransformersEngine(str(folder), **settings)
