"""The miniature's tokenizers: any text comes back, and each family has its own control tokens."""

import pytest

from thinksafe.miniature.tokenizers import KINDS, make_tokenizer
from thinksafe.models.chat import prompt_tokens
from thinksafe.models.chat_template import rules_of

TEXTS = ["How do I paint the queen's crown?", "<think>\nThis is kind.\n</think>\n\nGet a brush.", "8+5=13. safe unsafe"]


@pytest.fixture(scope="module")
def tokenizers():
    return {name: make_tokenizer(name, TEXTS * 20, 400) for name in KINDS}


@pytest.mark.parametrize("name", KINDS)
def test_any_text_comes_back(tokenizers, name):
    text = "naïve 東京 🐉\n\n 12 + 3=15"

    ids = tokenizers[name].encode(text, add_special_tokens=False)

    assert tokenizers[name].decode(ids) == text
    assert len(tokenizers[name]) <= 400


@pytest.mark.parametrize("name", KINDS)
def test_decoding_skips_special_tokens_and_keeps_ordinary_ones(tokenizers, name):
    tokenizer, kind = tokenizers[name], KINDS[name]
    ids = tokenizer.convert_tokens_to_ids([*kind.special, *kind.ordinary])

    assert len(set(ids)) == len(ids) and tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == "".join(kind.ordinary)


@pytest.mark.parametrize(("name", "first", "opened"), [("qwen3", "<|im_start|>", False), ("r1", None, True)])
def test_prompts_have_the_familys_format(tokenizers, name, first, opened):
    tokenizer = tokenizers[name]

    tokens = tokenizer.convert_ids_to_tokens(prompt_tokens(tokenizer, "Why?"))

    assert tokens[0] == (first or tokenizer.bos_token) and rules_of(tokenizer).opened == opened
    assert ("<think>" in tokens) == opened
