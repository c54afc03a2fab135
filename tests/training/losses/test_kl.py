"""ThinkSafe + KL: against torch's own formulas in float64, and the same whatever a step is split into."""

import json
import os
import subprocess
import sys

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div

from tests import tiny
from thinksafe.jobs.server import free_port
from thinksafe.training.losses.base import IGNORED
from thinksafe.training.losses.kl import Loss
from thinksafe.training.sft import finetune, lora_config, tokenise, trainer_settings

torch.set_num_threads(1)
ROWS = [
    {
        "id": f"r{n}",
        "role": "benign" if n % 3 else "harmful",
        "prompt": f"What is {n}?",
        "response": f"<think>\nI think {n}.\n</think>\n\nIt is {n}.{' x' * (n % 5)}",
    }
    for n in range(12)
]
SETTINGS = tiny.TRAINING | tiny.NO_DROPOUT | {"learning_rate": 1e-2, "schedule": "constant", "warmup": 0.0}


def spec(weight=0.7, **training):
    base = {"name": "tiny/model", "revision": None}
    return {"training": SETTINGS | training, "epochs": 1, "seed": 5, "base": base, "loss": {"kl": {"weight": weight}}}


@pytest.fixture(scope="module", params=["qwen3", "r1"])
def folder(request, tmp_path_factory):
    return tiny.make_model(tmp_path_factory.mktemp("model") / request.param, request.param)


@pytest.fixture(scope="module")
def trainer(folder, tmp_path_factory):
    """The trainer of this loss on a model in float64."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    examples, _ = tokenise(Loss, tokenizer, ROWS, {}, 300)
    made = Loss(
        ids=[row["id"] for row in ROWS],
        settings={"weight": 0.7},
        model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64),
        args=trainer_settings(spec(), tmp_path_factory.mktemp("checkpoints"), 4, 100),
        train_dataset=Dataset.from_list(examples),
        processing_class=tokenizer,
        peft_config=lora_config(SETTINGS["lora"]),
    )
    made.model.double()
    made.rows = examples
    return made


def move(model):
    """Take the adapter away from its start, where it does nothing."""
    generator = torch.Generator().manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator, dtype=weight.dtype) * 0.3


def reset(model):
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data.zero_()


def gradients(trainer, rows):
    """Return the loss of a step that is split into these micro-batches, its terms, and its gradients."""
    total = sum(sum(label != IGNORED for label in row["labels"]) for part in rows for row in part)
    trainer.model.zero_grad()
    trainer._terms.clear()
    loss = 0.0
    for part in rows:
        batch = trainer.data_collator([{key: row[key] for key in row} for row in part])
        batch.pop("row")
        found = trainer.objective(trainer.model, batch, torch.tensor(total))
        found.backward()
        loss += float(found.detach())
    trainable = {name: weight.grad for name, weight in trainer.model.named_parameters() if weight.requires_grad}
    return loss, {name: float(value) for name, value in trainer._terms.items()}, trainable


def reference(trainer, weight):
    """Return the same by whole logits."""
    model = trainer.model
    batch = trainer.data_collator([dict(row) for row in trainer.rows])
    tokens = {name: batch[name] for name in ("input_ids", "attention_mask")}
    labels = batch["labels"][:, 1:]
    places, benign = labels != IGNORED, batch["benign"].bool()[:, None]
    ours = model(**tokens).logits[:, :-1]
    with torch.no_grad(), model.disable_adapter():
        theirs = model(**tokens).logits[:, :-1]
    logs = [logits[places & benign].log_softmax(-1) for logits in (ours, theirs)]
    terms = {
        "nll": cross_entropy(ours[places & ~benign], labels[places & ~benign], reduction="sum") / places.sum(),
        "kl": kl_div(*logs, reduction="sum", log_target=True) / places.sum(),
    }
    model.zero_grad()
    loss = terms["nll"] + weight * terms["kl"]
    loss.backward()
    trainable = {name: value.grad for name, value in model.named_parameters() if value.requires_grad}
    return loss.item(), {name: value.item() for name, value in terms.items()}, trainable


def test_the_loss_and_its_gradients_are_the_formulas_in_float64(trainer):
    move(trainer.model)
    loss, terms, found = gradients(trainer, [trainer.rows])
    found = {name: value.clone() for name, value in found.items()}
    wanted_loss, wanted_terms, wanted = reference(trainer, 0.7)
    assert loss == pytest.approx(wanted_loss, rel=1e-12) and terms == pytest.approx(wanted_terms, rel=1e-11)
    assert terms["kl"] > 0.01 and terms["nll"] > 0.1
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-12)
        assert value.abs().max() > 0
    assert {name.split(".")[-2] for name in found} == {"default"}  # the adapter alone learns


@pytest.mark.parametrize("sizes", [[1] * 12, [5, 7], [2, 3, 1, 6]])
def test_a_step_is_the_same_however_it_is_split(trainer, sizes):
    """Up to the last digits of the models' norms, which compute in float32."""
    move(trainer.model)
    loss, terms, whole = gradients(trainer, [trainer.rows])
    whole = {name: value.clone() for name, value in whole.items()}
    rows, parts = list(trainer.rows), []
    for size in sizes:
        parts.append(rows[:size])
        rows = rows[size:]
    split_loss, split_terms, found = gradients(trainer, parts)
    assert split_loss == pytest.approx(loss, rel=1e-7) and split_terms == pytest.approx(terms, rel=1e-6)
    for name, value in whole.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-8)


def test_at_the_start_the_divergence_is_exactly_zero_and_only_harmful_rows_teach(trainer):
    reset(trainer.model)
    benign = [row for row in trainer.rows if row["benign"]]
    loss, terms, found = gradients(trainer, [benign])
    assert loss == 0.0 == terms["kl"] == terms["nll"]
    assert max(float(value.abs().max()) for value in found.values()) < 1e-15
    loss, terms, found = gradients(trainer, [trainer.rows])
    assert terms["kl"] == 0.0 and terms["nll"] == loss > 0
    assert max(float(value.abs().max()) for name, value in found.items() if "lora_B" in name) > 0


# -------------------------------------------------------------------------------------------- whole trainings
TRAIN = """
import json, sys, torch
from thinksafe.training.sft import finetune
torch.set_num_threads(1)
rows, folder, output, spec = json.loads(sys.argv[1])
finetune(rows, folder, output, spec, "key", 1, 100)
"""


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


@pytest.mark.slow
def test_accumulation_and_two_processes_give_the_same_adapter(tmp_path, tmp_path_factory):
    folder = tiny.make_model(tmp_path_factory.mktemp("model") / "qwen3", "qwen3")
    for batch in (4, 1):
        finetune(ROWS, folder, tmp_path / str(batch), spec(), "key", batch, 100)
    shared = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TRAIN, json.dumps([ROWS, str(folder), str(tmp_path / "two"), spec()])],
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    wanted = weights(tmp_path / "4")
    for other in ("1", "two"):  # the first of the two saves
        found = weights(tmp_path / other)
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)
    assert max(float(value.abs().max()) for name, value in wanted.items() if "lora_B" in name) > 0.01
