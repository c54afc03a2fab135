"""SafePath's loss: which tokens it supervises."""

import pytest

from tests import tiny
from tests.training.losses.made import PRIMER
from thinksafe.training.losses import base, primer


def learnt(example: dict) -> list[int]:
    return [token for token in example["labels"] if token != base.IGNORED]


@pytest.mark.parametrize("family", ("qwen3", "r1"))
@pytest.mark.parametrize("think", [True, False])
def test_safepath_learns_the_primer_alone(family: str, think: bool) -> None:
    tokenizer = tiny.make_tokenizer(family)
    row = {"prompt": "Fix the gate?", "response": PRIMER}
    example = primer.Loss.example(tokenizer, row, {"think": think})
    whole = tokenizer.decode(example["input_ids"])
    assert tokenizer.decode(learnt(example)) == (
        PRIMER if family == "qwen3" and think else PRIMER.removeprefix("<think>\n")
    )
    # Nothing is appended, so the block stays open; one opening tag in all, whoever wrote it.
    assert example["input_ids"][-len(learnt(example)) :] == learnt(example)
    assert whole.endswith(PRIMER) and whole.count("<think>") == 1 and "</think>" not in whole
    assert tokenizer.eos_token_id not in learnt(example)
    assert whole.startswith(tokenizer.apply_chat_template([{"role": "user", "content": row["prompt"]}], tokenize=False))
