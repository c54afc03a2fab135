"""The engine that config names, with a model loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thinksafe.inference.requests import Engine


def load_engine(
    name: str,
    folder: str | Path,
    *,
    dtype: str,
    batch_size: int,
    max_model_tokens: int,
    tensor_parallel: int = 1,
    adapters: Sequence[str | Path] = (),
    chat: dict[str, Any] | None = None,
) -> Engine:
    """Return the engine ``name`` with the model in ``folder`` loaded and ``adapters`` ready to be served.

    ``chat`` is what config says about the model's chat format beyond its template (thinksafe.models.chat_template).
    """
    settings = dict(
        dtype=dtype,
        batch_size=batch_size,
        max_model_tokens=max_model_tokens,
        tensor_parallel=tensor_parallel,
        adapters=[str(adapter) for adapter in adapters],
        chat=chat,
    )
    if name == "transformers":
        from thinksafe.inference.transformers_engine import TransformersEngine

        return TransformersEngine(str(folder), **settings)
    if name == "vllm":
        from thinksafe.inference.vllm_engine import VllmEngine

        return VllmEngine(str(folder), **settings)
    raise ValueError(f"engine.name: no engine is called {name!r}; choose transformers or vllm")
