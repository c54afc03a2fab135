"""What is read in a model folder besides its weights: tokenizer and stop tokens."""

from pathlib import Path
from typing import Any

from thinksafe.files import read_json
from thinksafe.models.chat_template import declare, require_rules, rules_of
from thinksafe.models.tokenizer import load


def check_adapter(folder: str | Path) -> str:
    """Return the adapter's folder; ValueError if no LoRA adapter has been saved there."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (Path(folder) / name).is_file():
            raise ValueError(f"{folder}: no LoRA adapter here ({name} is missing); train it first")
    return str(folder)


def load_tokenizer(folder: str | Path, chat: dict[str, Any] | None = None) -> Any:
    """Return the folder's tokenizer, with what config says about its chat format."""
    return declare(load(folder), chat)


def student_tokenizer(folder: str | Path, chat: dict[str, Any] | None = None) -> Any:
    """Return the folder's tokenizer; ValueError, with what to set in config, if its chat format is not clear."""
    tokenizer = load_tokenizer(folder, chat)
    require_rules(tokenizer)
    return tokenizer


def stop_tokens(folder: str | Path, tokenizer: Any) -> tuple[int, ...]:
    """Return the ids that end a response, sorted.

    They are the tokens that config names. Without any, they are the generation config's ``eos_token_id``, else the
    tokenizer's, and the token that the chat template puts after the model's turn, which training teaches.
    """
    rules = rules_of(tokenizer)
    if rules.stop:
        return tuple(sorted(set(tokenizer.convert_tokens_to_ids(list(rules.stop)))))
    path = Path(folder) / "generation_config.json"
    stop = read_json(path).get("eos_token_id") if path.is_file() else None
    stop = tokenizer.eos_token_id if stop is None else stop
    if stop is None:
        raise ValueError(
            f"{folder}: nothing says which token ends a response; set eos_token_id in generation_config.json"
        )
    ends = {tokenizer.convert_tokens_to_ids(rules.end)} if rules.end else set()
    return tuple(sorted(ends.union(stop if isinstance(stop, list) else [int(stop)])))
