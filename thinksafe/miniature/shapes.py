"""The shapes of the paper's students, for tiny models that the rehearsal trains in seconds.

Facts of the published ``config.json``, ``generation_config.json`` and ``tokenizer_config.json`` on which a pipeline
can fail: architecture, tied embeddings, padding token, number of tokens that end a response, and decoding settings in
the model folder, which must not be used.
"""

from typing import Any, NamedTuple


class Shape(NamedTuple):
    """A model's shape.

    ``architecture`` is the stem of transformers' class names, with ``config`` in its config. ``pad`` is the tokenizer's
    padding token and ``bos`` that of the configs (Qwen3's tokenizer has none). ``generation_config.json`` contains
    ``ends`` and ``decoding``.
    """

    architecture: str
    bos: str
    pad: str
    ends: tuple[str, ...]
    decoding: dict[str, Any]
    config: dict[str, Any] = {}


_DECODING = {"do_sample": True, "temperature": 0.6, "top_p": 0.95}
_UNTIED = {"tie_word_embeddings": False}
BEGIN, END, END_OF_TEXT = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<|endoftext|>"
_QWEN3 = Shape("Qwen3", END_OF_TEXT, END_OF_TEXT, ("<|im_end|>", END_OF_TEXT), _DECODING | {"top_k": 20})
_R1_QWEN = Shape(
    "Qwen2", BEGIN, END, (END,), _DECODING, _UNTIED | {"use_sliding_window": False, "sliding_window": 4096}
)
SHAPES = {
    "qwen3": _QWEN3,  # 0.6B, 1.7B, 4B
    "qwen3-8b": _QWEN3._replace(config=_UNTIED),
    "r1-qwen": _R1_QWEN,
    "r1-llama": _R1_QWEN._replace(architecture="Llama", config=_UNTIED | {"attention_bias": False}),
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
