"""What is read in a model folder."""

import json
import shutil

import pytest

from tests import tiny
from thinksafe.models.chat import text_of
from thinksafe.models.folder import check_adapter, load_tokenizer, stop_tokens
from thinksafe.models.tokenizer import encode


def test_no_token_is_dropped_from_a_response():
    for family in ("qwen3", "r1", "other"):
        tokenizer = tiny.make_tokenizer(family)
        opened, closed = tiny.FAMILIES[family].get("think", ("<think>", "</think>"))
        tokenizer.add_special_tokens({"additional_special_tokens": [opened, closed]})
        written = f"{opened}\nsure {tokenizer.pad_token}\n{closed}\n\nYes."
        ids = encode(tokenizer, written + tokenizer.eos_token)
        assert text_of(tokenizer, ids, {tokenizer.eos_token_id}) == written
        assert text_of(tokenizer, [], {tokenizer.eos_token_id}) == ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.make_model(tmp_path_factory.mktemp("model") / "qwen3", "qwen3")


def test_stop_tokens_are_the_generation_configs_and_the_templates(folder, tmp_path):
    tokenizer = load_tokenizer(folder)
    (end,) = tokenizer.encode("<|im_end|>", add_special_tokens=False)
    made = tmp_path / "model"
    shutil.copytree(folder, made)
    (made / "generation_config.json").write_text(json.dumps({"eos_token_id": [3, 5]}))
    assert stop_tokens(made, tokenizer) == tuple(sorted({3, 5, end}))
    (made / "generation_config.json").unlink()
    assert stop_tokens(made, tokenizer) == tuple(sorted({tokenizer.eos_token_id, end}))
    assert stop_tokens(made, load_tokenizer(made, {"stop": ["<|im_end|>"]})) == (end,)


def test_a_folder_without_an_adapter_is_named(tmp_path):
    with pytest.raises(ValueError, match="no LoRA adapter here .adapter_config.json is missing.; train it first"):
        check_adapter(tmp_path)
