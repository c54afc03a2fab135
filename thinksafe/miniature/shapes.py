"""The shapes of the paper's students, for tiny models that the rehearsal trains in seconds.

Facts of the published ``config.json``, ``generation_config.json`` and ``tokenizer_config.json`` on which a pipeline
can fail: architecture, tied embeddings, padding token, number of tokens that end a response, and decoding settings in
the model folder, which must not be used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shape:
    """A model's shape.

    ``architecture`` is the stem of transformers' class names, with ``config`` in its config. ``pad`` is the tokenizer's
    padding token and ``bos`` that of the configs (Qwen3's tokenizer has none). ``generation_config.json`` contains
    ``ends`` and ``decoding``.
    """

    architecture: str
    bos: str
    pad: str
    ends: tuple[str, ...]
    config: dict[str, Any] = field(default_factory=dict)
    decoding: dict[str, Any] = field(default_factory=dict)


BEGIN, END = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
_QWEN3: dict[str, Any] = dict(
    architecture="Qwen3",
    bos="<|endoftext|>",
    pad="<|endoftext|>",
    ends=("<|im_end|>", "<|endoftext|>"),
    decoding={"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95},
)
_R1: dict[str, Any] = dict(
    bos=BEGIN, pad=END, ends=(END,), decoding={"do_sample": True, "temperature": 0.6, "top_p": 0.95}
)
_UNTIED = {"tie_word_embeddings": False}
SHAPES = {
    "qwen3": Shape(**_QWEN3),  # 0.6B, 1.7B, 4B
    "qwen3-8b": Shape(**_QWEN3, config=_UNTIED),
    "r1-qwen": Shape("Qwen2", **_R1, config=_UNTIED | {"use_sliding_window": False, "sliding_window": 4096}),
    "r1-llama": Shape("Llama", **_R1, config=_UNTIED | {"attention_bias": False}),
}


def give_shape(shape: Shape, tokenizer: Any) -> dict[str, Any]:
    """Set the tokenizer's padding token, and return the content of ``generation_config.json``."""
    tokenizer.pad_token = shape.pad
    ends = tokenizer.convert_tokens_to_ids(list(shape.ends))
    return {
        "bos_token_id": tokenizer.convert_tokens_to_ids(shape.bos),
        "eos_token_id": ends if len(ends) > 1 else ends[0],
        "pad_token_id": tokenizer.pad_token_id,
        **shape.decoding,
    }
