"""Likelihoods against plain formulas, whatever is padded."""

import pytest
import torch

from scripts.evaluation.score_perplexity import score_perplexity
from tests import tiny
from thinksafe.evaluation import likelihood
from thinksafe.evaluation.likelihood import batches, token_sums
from thinksafe.files import read_rows, write_rows
from thinksafe.models.folder import load_tokenizer

DATA = {"id": str, "role": str, "prompt": str, "response": str}


ROWS = [
    {
        "id": f"r{n}",
        "role": "benign" if n % 3 else "harmful",
        "prompt": f"What is {n}?",
        "response": f"<think>\nI think {n}.\n</think>\n\nIt is {n}.{' x' * n}",
    }
    for n in range(7)
]


def test_batches_are_by_length_and_hold_no_more_than_the_limit():
    lengths = [3, 9, 3, 100, 5, 9]
    made = list(batches(lengths, 18))
    assert made == [[3], [1, 5], [4, 0, 2]]
    assert list(batches([])) == []


@pytest.mark.parametrize("family", ["qwen3", "r1"])
def test_only_what_is_learnt_counts_and_padding_changes_nothing(tmp_path, family, monkeypatch):
    from transformers import AutoModelForCausalLM

    folder = tiny.make_model(tmp_path / "model", family)
    write_rows(tmp_path / "set.parquet", ROWS, DATA)
    spec = {"model": {"folder": str(folder)}, "loss": {"nll": {}}, "dtype": "float32"}
    found = {}
    for limit in (1, 10_000):
        monkeypatch.setattr(likelihood.batches, "__defaults__", (limit,))
        output = str(tmp_path / f"{limit}.parquet")
        score_perplexity(str(tmp_path / "set.parquet"), [], spec, output, lambda done, total: None)
        found[limit] = read_rows(output)
    tokenizer = load_tokenizer(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).double()
    for row, alone, together in zip(ROWS, *found.values(), strict=True):
        assert (alone["id"], alone["role"]) == (row["id"], row["role"])
        asked = tokenizer.apply_chat_template(
            [{"role": "user", "content": row["prompt"]}], add_generation_prompt=True, tokenize=False
        )
        said = row["response"].removeprefix("<think>\n") if family == "r1" else row["response"]
        prompt, answer = (tokenizer.encode(text, add_special_tokens=False) for text in (asked, said))
        before, ids = len(prompt), torch.tensor([[*prompt, *answer, tokenizer.eos_token_id]])
        logs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        wanted = -logs.gather(1, ids[0, 1:, None])[before - 1 :].sum().item()
        assert alone["tokens"] == together["tokens"] == ids.shape[1] - before
        assert alone["nll"] == pytest.approx(wanted, rel=1e-4)
        assert together["nll"] == pytest.approx(wanted, rel=1e-4)


def test_the_same_bytes_twice(tmp_path):
    folder = tiny.make_model(tmp_path / "model", "qwen3")
    examples = [{"input_ids": list(range(5, 9 + n)), "labels": [-100, -100, *range(7, 9 + n)]} for n in range(9)]
    first = token_sums(examples, folder, "float32")
    assert first == token_sums(examples, folder, "float32")
    assert [count for count, _ in first] == [2 + n for n in range(9)]
