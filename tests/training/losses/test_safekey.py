"""Losses: which tokens each one supervises, and their values and gradients against plain ones in float64."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests import tiny
from thinksafe.data.published_sets import two_sentences
from thinksafe.models.chat import THINK
from thinksafe.training.losses import base, nll, primer, safekey
from thinksafe.training.sft import lora_config, tokenise, trainer_settings

torch.set_num_threads(1)
FAMILIES = ("qwen3", "r1")
PRIMER = THINK + "Let's think about safety first."
SAFEKEY = {"mask_weight": 0.2, "head_weight": 0.3, "theta": 0.4, "last_epochs": 1}


def key_row(number: int) -> dict[str, Any]:
    thought = (
        f"Okay, the user asks about gate {number}.{' Really!' * (number % 2)} That is {'not ' * number}fine. Done."
    )
    response = f"<think>\n{thought}\n</think>\n\nTake a nail.{' Hammer it.' * (number % 3)}"
    query_end, key_end = two_sentences(response)
    role = "harmful" if number % 3 else "benign"
    return dict(
        id=f"r{number}",
        role=role,
        prompt=f"Fix gate {number}? {'the ' * (number % 4)}",
        response=response,
        query_end=query_end,
        key_end=key_end,
    )


ROWS = [key_row(number) for number in range(8)]


def spec(loss: dict[str, Any], **training: Any) -> dict[str, Any]:
    settings = {
        "lora": {"rank": 4, "alpha": 16, "dropout": 0.0, "targets": ["q_proj", "v_proj"]},
        "learning_rate": 1e-3,
        "schedule": "cosine",
        "warmup": 0.1,
        "batch_size": 4,
        "max_tokens": 300,
        "max_grad_norm": 1.0,
        "weight_decay": 0.0,
        "betas": [0.9, 0.999],
        "dtype": "float32",
    }
    return {"training": settings | training, "epochs": 1, "seed": 5, "loss": loss}


# -------------------------------------------------------------------------------------------- supervised tokens
def learnt(example: dict[str, Any]) -> list[int]:
    return [token for token in example["labels"] if token != base.IGNORED]


@pytest.mark.parametrize("family", FAMILIES)
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


# -------------------------------------------------------------------------------------------- a trainer to ask
def make(folder: Any, tmp_path: Any, loss: dict[str, Any], rows: list[dict[str, Any]], **options: Any) -> Any:
    """Return a trainer on a model whose adapter is not the usual zero."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    name, settings = next(iter(loss.items()))
    kind = {"nll": nll, "primer": primer, "safekey": safekey}[name].Loss
    tokenizer = AutoTokenizer.from_pretrained(folder)
    examples, _ = tokenise(kind, tokenizer, rows, settings, 300)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options)
    trainer = kind(
        ids=[row["id"] for row in rows],
        settings=settings,
        model=model,
        args=trainer_settings(spec(loss), tmp_path, 4, 100),
        train_dataset=Dataset.from_list([*examples, base.blank(examples[0]) | {"row": len(examples)}]),
        processing_class=tokenizer,
        peft_config=lora_config(spec(loss)["training"]["lora"]),
    )
    drawn = torch.Generator().manual_seed(1)
    for weights_name, weights in trainer.model.named_parameters():
        if "lora_" in weights_name:
            weights.data = torch.randn(weights.shape, generator=drawn) * 0.2
    trainer.state.epoch = 0
    return trainer


def batch_of(trainer: Any, numbers: list[int]) -> dict[str, torch.Tensor]:
    batch = trainer.data_collator([trainer.train_dataset[number] for number in numbers])
    trainer._step_batches = [batch]
    return {name: value for name, value in batch.items() if name != "row"}


def padded_left(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the batch with its padding moved to the left."""
    pads = (1 - batch["attention_mask"]).sum(-1)
    places = (torch.arange(batch["labels"].shape[1]) - pads[:, None]) % batch["labels"].shape[1]
    moved = {name: batch[name].gather(1, places) for name in ("input_ids", "labels", "attention_mask")}
    return batch | moved


def gradients(trainer: Any, value: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the gradients of everything that is learnt."""
    found = {name: weights for name, weights in trainer.model.named_parameters() if weights.requires_grad}
    found |= dict(trainer.head.named_parameters()) if isinstance(trainer, safekey.Loss) else {}
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


# -------------------------------------------------------------------------------------------- what the base does
def test_a_loss_that_is_no_number_names_step_and_rows(tmp_path: Any) -> None:
    made = tiny.make_model(tmp_path / "m", "qwen3")
    trainer = make(made, tmp_path, {"nll": {}}, ROWS)
    real = trainer.objective
    poison = trainer.train_dataset[2]["input_ids"]

    def spoilt(model: Any, inputs: Any, supervised: Any) -> torch.Tensor:
        bad = any(ids[: len(poison)].tolist() == poison for ids in inputs["input_ids"])
        return real(model, inputs, supervised) * (float("nan") if bad else 1.0)

    trainer.objective = spoilt
    with pytest.raises(base.NotFinite, match=r"the loss is not finite at step \d; rows: r2$"):
        trainer.train()


def test_a_gradient_that_is_no_number_stops_too(tmp_path: Any) -> None:
    made = tiny.make_model(tmp_path / "m", "qwen3")
    trainer = make(made, tmp_path, {"nll": {}}, ROWS)
    name, weights = next((n, w) for n, w in trainer.model.named_parameters() if w.requires_grad)
    weights.register_hook(lambda grad: grad * float("inf"))
    with pytest.raises(base.NotFinite, match=r"the gradient is not finite at step 1; rows: (r\d, ){3}r\d$"):
        trainer.train()


@pytest.mark.parametrize("rows", [1, 7, 8])
def test_the_order_is_a_new_one_each_epoch_and_ends_in_blanks(rows: int) -> None:
    epoch = 0
    order = base.Order(rows, 4, 3, lambda: epoch)
    first, again = list(order), list(order)
    assert first == again and len(first) == len(order) == -(-rows // 4) * 4
    assert sorted(first[:rows]) == list(range(rows)) and first[rows:] == [rows] * (len(first) - rows)
    epoch = 1
    assert rows == 1 or list(order)[:rows] != first[:rows]
    assert list(base.Order(rows, 1, 3, lambda: 0)) == first[:rows]
