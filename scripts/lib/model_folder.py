"""What both engines read in a model folder besides its weights: tokenizer, stop tokens, and whether requests fit."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from scripts.lib.engines import Request, Sampling

THINK_TAGS = ("<think>", "</think>")


def check_folder(folder: str | Path) -> Path:
    """Return the folder as a path.

    Raises
    ------
    ValueError
        If it is not a whole Hugging Face model folder; says what is missing and how to mend it.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ValueError(f"{path}: there is no such model folder; check the model's `source` in config")
    missing = [
        what
        for what, patterns in {
            "config.json": ["config.json"],
            "weights (*.safetensors)": ["*.safetensors"],
            "a tokenizer (tokenizer.json or tokenizer.model)": ["tokenizer.json", "tokenizer.model"],
        }.items()
        if not any(any(path.glob(pattern)) for pattern in patterns)
    ]
    if missing:
        raise ValueError(
            f"{path}: the model folder lacks {', '.join(missing)}; save it there with `save_pretrained` of model and "
            "tokenizer, or fetch the model again"
        )
    return path


def check_adapter(folder: str | Path) -> str:
    """Return the adapter's folder; ValueError if no LoRA adapter has been saved there."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (Path(folder) / name).is_file():
            raise ValueError(f"{folder}: no LoRA adapter here ({name} is missing); train it first")
    return str(folder)


def load_tokenizer(folder: str | Path) -> Any:
    """Return the folder's tokenizer; ValueError if decoding with it would lose the think tags."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    lost = [tag for tag in THINK_TAGS if tag in tokenizer.all_special_tokens]
    if lost:
        raise ValueError(
            f"{folder}: {' and '.join(lost)} are special tokens, so decoding would drop them; set `special: false` "
            "for them in tokenizer.json and tokenizer_config.json"
        )
    return tokenizer


def stop_tokens(folder: str | Path, tokenizer: Any) -> tuple[int, ...]:
    """Return the ids that end a response: the generation config's ``eos_token_id``, else the tokenizer's."""
    path = Path(folder) / "generation_config.json"
    stop = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id") if path.is_file() else None
    stop = tokenizer.eos_token_id if stop is None else stop
    if stop is None:
        raise ValueError(
            f"{folder}: nothing says which token ends a response; set eos_token_id in generation_config.json"
        )
    return tuple(sorted(stop)) if isinstance(stop, list) else (int(stop),)


def text_of(tokenizer: Any, tokens: Sequence[int], stop: Collection[int]) -> str:
    """Return generated tokens as text, think tags kept, the stop token at the end removed."""
    tokens = tokens[:-1] if tokens and tokens[-1] in stop else tokens
    return tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def check_requests(
    requests: Sequence[Request], sampling: Sampling, max_model_tokens: int, adapters: Collection[str]
) -> None:
    """Raise ValueError, naming the request, if one of them cannot be served with these settings."""
    if sampling.temperature < 0 or not 0 < sampling.top_p <= 1 or sampling.top_k < 0 or sampling.max_tokens < 1:
        raise ValueError(
            f"{sampling}: needs temperature >= 0, 0 < top_p <= 1, top_k >= 0 (0 is off) and max_tokens >= 1"
        )
    room = max_model_tokens - sampling.max_tokens
    for request in requests:
        if not 0 < len(request.tokens) <= room:
            raise ValueError(
                f"request {request.id}: a prompt of {len(request.tokens)} tokens and max_tokens {sampling.max_tokens} "
                f"do not fit into {max_model_tokens} tokens of context (prompts of 1 to {room} tokens do); "
                "shorten the prompt, lower sampling's max_tokens, or use a model with a longer context"
            )
        if request.adapter is not None and request.adapter not in adapters:
            raise ValueError(
                f"request {request.id}: adapter {request.adapter} was not loaded; name it among the engine's adapters"
            )
