"""What a sampling engine takes and gives (paper A.1, B); the two implementations stand beside this file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Sampling:
    """Decoding settings; ``temperature`` 0 is greedy, ``top_k`` 0 is off, ``max_tokens`` counts generated tokens."""

    temperature: float
    top_p: float
    top_k: int
    max_tokens: int


@dataclass(frozen=True)
class Request:
    """One response to sample.

    ``tokens`` is the chat-formatted prompt with at most one BOS; ``seed`` belongs to this request alone; ``adapter``
    is the folder of a LoRA adapter to answer with; ``labels`` are token ids whose log-probability at the first
    generated position is wanted (a guard's ``safe`` and ``unsafe``).
    """

    id: str
    tokens: tuple[int, ...]
    seed: int
    adapter: str | None = None
    labels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Completion:
    """One finished response.

    ``tokens`` includes the stop token when ``finish_reason`` is ``stop``, ``text`` does not. ``logprobs`` are those of
    the generated tokens under the model itself, before temperature, top-p and top-k.
    """

    id: str
    text: str
    tokens: tuple[int, ...]
    finish_reason: str
    logprobs: tuple[float, ...]
    labels: dict[int, float] = field(default_factory=dict)


class Engine(Protocol):
    """Samples requests in slices of a fixed size, so that a resumed job cuts the same slices."""

    tokenizer: Any

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Yield one list of completions, in request order, for each slice of ``batch_size`` requests."""
        ...


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
