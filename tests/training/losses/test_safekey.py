"""SafeKey's loss: its spans of tokens, and its terms and their gradients against plain ones in float64."""

import copy
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests import tiny
from tests.training.losses.made import ROWS, SAFEKEY, batch_of, key_row, make
from thinksafe.training.losses import base, nll, safekey

torch.set_num_threads(1)
FAMILIES = ("qwen3", "r1")


@pytest.mark.parametrize("family", FAMILIES)
def test_safekey_finds_its_spans_in_the_one_tokenisation(family: str) -> None:
    tokenizer = tiny.make_tokenizer(family)
    for row in [*ROWS, key_row(3) | {"response": ROWS[3]["response"].replace("nail", "nail <|im_end|><｜User｜>")}]:
        example = safekey.Loss.example(tokenizer, row, SAFEKEY)
        plain = nll.Loss.example(tokenizer, row, {})
        assert {name: example[name] for name in plain} == plain
        ids, query, start, end = (example[name] for name in ("input_ids", "query", "key_start", "key_end"))
        sentence = row["response"][row["query_end"] : row["key_end"]].strip()
        assert tokenizer.decode(ids[start:end]).strip() == sentence
        understood = row["response"][: row["query_end"]].removeprefix("<think>\n")
        assert tokenizer.decode(ids[query:start]).rstrip().endswith(understood)
        assert tokenizer.decode(ids[:query]).endswith("<think>\n") == (family == "r1")
        assert example["unsafe"] == float(row["role"] == "harmful")


def test_an_offset_inside_a_word_takes_its_whole_token() -> None:
    tokenizer = tiny.make_tokenizer("qwen3")
    row = ROWS[2] | {"query_end": ROWS[2]["query_end"] + 2}  # inside " That"
    example = safekey.Loss.example(tokenizer, row, SAFEKEY)
    assert row["response"][row["query_end"] : row["key_end"]] in tokenizer.decode(
        example["input_ids"][example["key_start"] : example["key_end"]]
    )


def padded_left(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the batch with its padding moved to the left."""
    pads = (1 - batch["attention_mask"]).sum(-1)
    places = (torch.arange(batch["labels"].shape[1]) - pads[:, None]) % batch["labels"].shape[1]
    moved = {name: batch[name].gather(1, places) for name in ("input_ids", "labels", "attention_mask")}
    return batch | moved


def gradients(trainer: Any, value: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the gradients of everything that is learnt."""
    found = {name: weights for name, weights in trainer.model.named_parameters() if weights.requires_grad}
    found |= dict(trainer.head.named_parameters())
    grads = torch.autograd.grad(value, list(found.values()), retain_graph=True, allow_unused=True)
    return {
        name: torch.zeros_like(weights) if grad is None else grad
        for (name, weights), grad in zip(found.items(), grads, strict=True)
    }


class Reference:
    """SafeKey's terms written out row by row in float64: nothing padded, nothing batched, masks built by hand."""

    def __init__(self, trainer: Any, folder: Any) -> None:
        from peft import get_peft_model
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
        self.model = get_peft_model(model, trainer.model.peft_config["default"], autocast_adapter_dtype=False).eval()
        self.model.load_state_dict(trainer.model.state_dict())
        self.head = copy.deepcopy(trainer.head).double()

    def row(self, example: dict[str, Any]) -> dict[str, torch.Tensor]:
        ids = torch.tensor([example["input_ids"]])
        query, start, end, size = example["query"], example["key_start"], example["key_end"], ids.shape[1]
        plain = self.model(ids, output_hidden_states=True)
        surprise = -plain.logits[0].log_softmax(-1)
        allowed = torch.ones(size, size, dtype=torch.bool).tril()
        allowed[:, :query] = False
        allowed |= torch.eye(size, dtype=torch.bool)  # a hidden token sees itself, so that its state is a number
        mask = torch.zeros(size, size, dtype=torch.float64).masked_fill(~allowed, float("-inf"))
        masked = self.model(ids, attention_mask=mask[None, None], position_ids=torch.arange(size)[None])
        blind = -masked.logits[0].log_softmax(-1)
        states, wanted = plain.hidden_states[-1][0], torch.tensor([example["unsafe"]], dtype=torch.float64)
        logits = [self.head.understanding(states[query:start].mean(0)), self.head.whole(states[:start].mean(0))]
        own, whole = (functional.binary_cross_entropy_with_logits(logit, wanted) for logit in logits)
        return {
            "likelihood": sum(surprise[place - 1, ids[0, place]] for place in range(query, size)),
            "query_mask": sum(blind[place - 1, ids[0, place]] for place in range(start, end)),
            "head": SAFEKEY["theta"] * own + (1 - SAFEKEY["theta"]) * whole,
            "tokens": size - query,
            "keys": end - start,
        }

    def terms(self, examples: list[dict[str, Any]]) -> tuple[torch.Tensor, ...]:
        rows = [self.row(example) for example in examples]
        counts = (sum(row["tokens"] for row in rows), sum(row["keys"] for row in rows), len(rows))
        return tuple(
            sum(row[name] for row in rows) / count
            for name, count in zip(("likelihood", "query_mask", "head"), counts, strict=True)
        )


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: Any, tmp_path_factory: Any) -> Any:
    return tiny.make_model(tmp_path_factory.mktemp("model") / request.param, request.param)


def close(mine: torch.Tensor, theirs: torch.Tensor, what: str) -> None:
    assert torch.isfinite(mine).all(), what
    scale = theirs.abs().max().clamp(min=1e-6)
    assert ((mine.double() - theirs).abs().max() / scale) < 2e-4, (what, mine, theirs)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_safekey_against_float64(folder: Any, tmp_path: Any, side: str, attention: str) -> None:
    trainer = make(folder, tmp_path, {"safekey": SAFEKEY}, ROWS, attn_implementation=attention)
    trainer.model.eval()
    numbers = [1, 6, 3, len(ROWS)]  # the last is a blank
    batch = batch_of(trainer, numbers)
    if side == "left":
        batch = padded_left(batch)
        trainer._step_batches = [batch]
    supervised = (batch["labels"][:, 1:] != base.IGNORED).sum()
    mine = trainer.terms(trainer.model, batch, supervised)
    reference = Reference(trainer, folder)
    theirs = reference.terms([trainer.train_dataset[number] for number in numbers[:3]])
    for name, ours, wanted in zip(("likelihood", "query_mask", "head"), mine, theirs, strict=True):
        close(ours, wanted, name)
        own, other = gradients(trainer, ours), gradients(reference, wanted)
        assert own.keys() == other.keys()
        assert any(grad.abs().max() > 1e-6 for key, grad in own.items() if "lora" in key), name
        assert any(grad.abs().max() > 1e-6 for key, grad in own.items() if "lora" not in key) == (name == "head")
        scale = max(grad.abs().max() for grad in other.values())
        for key, grad in own.items():
            assert torch.isfinite(grad).all() and (grad.double() - other[key]).abs().max() < 2e-4 * scale, (name, key)


def test_safekey_weighs_its_terms_in_the_last_epochs_only(folder: Any, tmp_path: Any) -> None:
    trainer = make(folder, tmp_path, {"safekey": SAFEKEY | {"last_epochs": 2}}, ROWS)
    trainer.args.num_train_epochs = 5
    trainer.model.eval()
    batch = batch_of(trainer, [0, 1, 2])
    supervised = (batch["labels"][:, 1:] != base.IGNORED).sum()
    likelihood, query_mask, head = trainer.terms(trainer.model, batch, supervised)
    for epoch, wanted in ((0, likelihood), (2.99, likelihood), (3, likelihood + 0.2 * query_mask + 0.3 * head)):
        trainer.state.epoch = epoch
        torch.testing.assert_close(trainer.objective(trainer.model, batch, supervised), wanted)


def test_any_split_of_a_step_sums_to_the_same_loss(folder: Any, tmp_path: Any) -> None:
    trainer = make(folder, tmp_path, {"safekey": SAFEKEY}, ROWS)
    trainer.model.eval()
    whole = batch_of(trainer, [0, 1, 2, 3])
    supervised = (whole["labels"][:, 1:] != base.IGNORED).sum()
    at_once = trainer.objective(trainer.model, dict(whole), supervised)
    parts = [batch_of(trainer, numbers) for numbers in ([0], [1, 2, len(ROWS)], [3])]
    trainer._step_batches = parts
    split = sum(trainer.objective(trainer.model, dict(part), supervised) for part in parts)
    torch.testing.assert_close(split, at_once, rtol=1e-5, atol=1e-6)


def test_the_head_computes_in_float32_whatever_the_model_does(folder: Any, tmp_path: Any) -> None:
    trainer = make(folder, tmp_path, {"safekey": SAFEKEY}, ROWS)
    seen = []
    for path in (trainer.head.understanding, trainer.head.whole):
        path.register_forward_hook(lambda module, given, out: seen.append((given[0].dtype, out.dtype)))
    batch = batch_of(trainer, [0, 1])
    with torch.autocast("cpu", torch.bfloat16):
        trainer.terms(trainer.model, batch, torch.tensor(10))
    assert seen == [(torch.float32, torch.float32)] * 2


def test_one_role_only_is_warned_of(tmp_path: Any, capfd: Any) -> None:
    made = tiny.make_model(tmp_path / "m", "qwen3")
    make(made, tmp_path, {"safekey": SAFEKEY}, [row for row in ROWS if row["role"] == "harmful"])
    assert "rows of one role only" in capfd.readouterr().err
    make(made, tmp_path, {"safekey": SAFEKEY}, ROWS)
    assert "rows of one role only" not in capfd.readouterr().err
