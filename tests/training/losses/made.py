"""Rows and trainers for the tests of losses."""

from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests import tiny
from thinksafe.data.published_sets import two_sentences
from thinksafe.models.markup import THINK
from thinksafe.training.losses import base, nll, primer, safekey
from thinksafe.training.sft import lora_config, tokenise, trainer_settings

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
    return {"training": tiny.TRAINING | tiny.NO_DROPOUT | training, "epochs": 1, "seed": 5, "loss": loss}


def make(folder: Any, tmp_path: Any, loss: dict[str, Any], rows: list[dict[str, Any]], **options: Any) -> Any:
    """Return a trainer on a model whose adapter is not the usual zero."""
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
