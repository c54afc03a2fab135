"""Models of the shape of the paper's students: what a pipeline can stumble over in a real model folder."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.miniature.pretrain_model import new_student
from tests.tiny import make_tokenizer
from thinksafe.config import settings
from thinksafe.miniature.pretraining import save
from thinksafe.miniature.shapes import SHAPES, give_shape
from thinksafe.models.chat import prompt_tokens
from thinksafe.models.chat_template import rules_of
from thinksafe.models.folder import load_tokenizer, stop_tokens

ROOT = Path(__file__).resolve().parents[2]
STUDENTS = settings.load([ROOT / "config/config.yaml", ROOT / "config/rehearsal.yaml"]).models
ARCHITECTURES = {"qwen3": "Qwen3ForCausalLM", "r1-qwen": "Qwen2ForCausalLM", "r1-llama": "LlamaForCausalLM"}


def folder_of(student: str, folder: Path) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """Return an untrained student's folder, its config and its generation config."""
    entry = STUDENTS[student]
    tokenizer = make_tokenizer(entry.family)
    generation = give_shape(SHAPES[entry.source.shape], tokenizer)
    sizes = {"hidden_size": 64, "layers": 1}
    tokenizer.model_max_length = 256
    save(new_student(entry.family, tokenizer, sizes, 0, entry.source.shape), tokenizer, folder, generation)
    return folder, *(json.loads((folder / f"{name}.json").read_text()) for name in ("config", "generation_config"))


@pytest.mark.parametrize("student", ["qwen3-4b", "qwen3-8b", "r1-qwen-1.5b", "r1-llama-8b"])
def test_a_folder_is_as_the_published_one(student: str, tmp_path: Path) -> None:
    folder, config, generation = folder_of(student, tmp_path)
    tokenizer = load_tokenizer(folder)
    family = student.rsplit("-", 1)[0]
    assert config["architectures"] == [ARCHITECTURES[family]]
    assert config["tie_word_embeddings"] == (student == "qwen3-4b")
    assert generation["temperature"] == 0.6 and generation["top_p"] == 0.95 and generation["do_sample"]
    stops = {tokenizer.convert_ids_to_tokens(stop) for stop in stop_tokens(folder, tokenizer)}
    first = tokenizer.convert_ids_to_tokens(prompt_tokens(tokenizer, "Why?"))
    if family == "qwen3":
        assert generation["top_k"] == 20 and generation["eos_token_id"][0] == config["eos_token_id"]
        assert stops == {"<|im_end|>", "<|endoftext|>"} and tokenizer.pad_token == "<|endoftext|>"
        assert tokenizer.bos_token is None and first[0] == "<|im_start|>" and not rules_of(tokenizer).opened
        assert config["bos_token_id"] == tokenizer.pad_token_id
    else:
        assert tokenizer.pad_token == tokenizer.eos_token and stops == {"<｜end▁of▁sentence｜>"}
        assert first[0] == tokenizer.bos_token != first[1] and rules_of(tokenizer).opened
