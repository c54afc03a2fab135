"""Fine-tune a LoRA adapter on a training set (paper Eq. 2, Sec. 5.1) with TRL's trainer."""

import importlib
import os
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, TrainerCallback, set_seed
from trl import SFTConfig

from thinksafe.files import Row, read_json, write_json
from thinksafe.jobs.signals import Stopped
from thinksafe.models.folder import student_tokenizer
from thinksafe.training.log import Log
from thinksafe.training.losses.base import blank


def loss_of(spec: Row) -> tuple[Any, Row]:
    """Return the class of the loss that ``spec["loss"]`` names (`thinksafe.training.losses`), and its settings."""
    ((name, settings),) = spec["loss"].items()
    return importlib.import_module(f"thinksafe.training.losses.{name}").Loss, settings


def tokenise(loss: Any, tokenizer: Any, rows: Sequence[Row], settings: Row, max_tokens: int) -> tuple[list[Row], int]:
    """Return the examples of a loss, and how many rows are left out because they are too long; none is cut."""
    examples = [loss.example(tokenizer, row, settings) | {"row": number} for number, row in enumerate(rows)]
    kept = [example for example in examples if len(example["input_ids"]) <= max_tokens]
    return kept, len(examples) - len(kept)


def finetune(
    rows: Sequence[Row],
    folder: str | Path,
    output: str | Path,
    spec: Row,
    key: str,
    per_device_batch: int,
    checkpoint_steps: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Row:
    """Train an adapter of the model in ``folder`` on ``rows`` and save it in the folder ``output``.

    Returns ``rows``, ``too_long``, ``steps`` and ``loss`` (mean over training, nats per supervised token).

    Parameters
    ----------
    rows : rows with ``prompt``, ``response`` and what else the loss reads; ``id`` names them in errors
    spec : ``training`` and ``loss`` (config), ``epochs``, ``seed`` and ``base`` (the model that the adapter belongs to)
    key : digest of everything that the adapter depends on; it names the checkpoints, which the caller removes
    per_device_batch : rows per step and device; accumulation makes up the batch size of config
    checkpoint_steps : steps between checkpoints; they change no number
    """
    limit = spec["training"]["max_tokens"]
    loss, settings = loss_of(spec)
    tokenizer = student_tokenizer(folder, spec.get("chat"))
    examples, too_long = tokenise(loss, tokenizer, rows, settings, limit)
    if not examples:
        raise ValueError(f"no training row fits in training.max_tokens={limit} ({too_long} rows)")
    ids = [str(rows[example["row"]].get("id", f"row {example['row']}")) for example in examples]
    examples = [example | {"row": place} for place, example in enumerate(examples)]
    facts = {"rows": len(examples), "too_long": too_long}
    trainer = loss(
        ids=ids,
        settings=settings,
        args=trainer_settings(spec, checkpoints_of(output, key), per_device_batch, checkpoint_steps),
        train_dataset=Dataset.from_list([*examples, blank(examples[0]) | {"row": len(examples)}]),
        processing_class=tokenizer,
        **model_and_callbacks(folder, output, spec, facts, progress),
    )
    facts |= run(trainer, output, spec["base"])
    if trainer.is_world_process_zero():
        trainer.save_extra(output)
    return facts


def checkpoints_of(output: str | Path, key: str) -> Path:
    """Return the folder of an adapter's checkpoints, which is beside it."""
    return Path(output).with_name(f".{Path(output).name}.{key}.checkpoints")


def model_and_callbacks(
    folder: str | Path, output: str | Path, spec: Row, facts: Row, progress: Callable[[int, int], None]
) -> Row:
    """Return the arguments that all of TRL's trainers need; sets the random seed of the training."""
    set_seed(spec["seed"] % 2**32)
    settings = spec["training"]
    return dict(
        model=AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, settings["dtype"])),
        peft_config=lora_config(settings["lora"]),
        callbacks=[Log(output, facts), Steps(progress)],
    )


def run(trainer: Any, output: str | Path, base: Row) -> Row:
    """Continue from the last whole checkpoint and save the adapter; return ``steps`` and ``loss``.

    Called in each of the processes that share a training; the first one saves.
    """
    with trainer.args.main_process_first():
        checkpoint = last_whole_checkpoint(Path(trainer.args.output_dir), trainer.args.world_size)
    result = trainer.train(resume_from_checkpoint=checkpoint)
    trainer.accelerator.wait_for_everyone()  # all have written their part of the last checkpoint
    if trainer.is_world_process_zero():
        shutil.rmtree(output, ignore_errors=True)
        save_adapter(trainer.model, output, base)
    return {"steps": trainer.state.global_step, "loss": result.training_loss}


def lora_config(lora: Row) -> LoraConfig:
    """Return PEFT's settings for query and value projections (Sec. 5.1)."""
    return LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        target_modules=sorted(lora["targets"]),
        bias="none",
        task_type="CAUSAL_LM",
    )


def trainer_settings(spec: Row, checkpoints: Path, per_device_batch: int, checkpoint_steps: int) -> SFTConfig:
    """Return TRL's settings of supervised fine-tuning."""
    rows = spec["training"]["batch_size"]
    batches = accumulation(rows, per_device_batch, f"training.batch_size={rows}", "train_student")
    return SFTConfig(
        **shared_settings(spec, checkpoints, per_device_batch, checkpoint_steps),
        gradient_accumulation_steps=batches,
        max_length=None,
        packing=False,
        remove_unused_columns=False,
        logging_steps=5,
    )


def accumulation(rows: int, per_device_batch: int, what: str, rule: str) -> int:
    """Return how many batches of each device make up a step of ``rows``; ValueError if they cannot."""
    devices = max(1, int(os.environ.get("WORLD_SIZE", "1")))
    if rows % devices:
        raise ValueError(f"{what} cannot be shared by {devices} devices; set {rule}'s resource gpu to what divides it")
    batches, rest = divmod(rows, per_device_batch * devices)
    if rest:
        raise ValueError(
            f"{what} is not a multiple of {devices} devices x {per_device_batch} rows per device; set the resource "
            f"per_device_batch of {rule} to a divisor"
        )
    return batches


def shared_settings(spec: Row, checkpoints: Path, per_device_batch: int, checkpoint_steps: int) -> Row:
    """Return the settings of all of TRL's trainers, with every default that differs from the paper's set-up."""
    settings, seed = spec["training"], spec["seed"] % 2**32
    gpu = torch.cuda.is_available()
    return dict(
        output_dir=str(checkpoints),
        num_train_epochs=spec["epochs"],
        per_device_train_batch_size=per_device_batch,
        learning_rate=settings["learning_rate"],
        lr_scheduler_type=settings["schedule"],
        warmup_steps=settings["warmup"],
        optim="adamw_torch",
        weight_decay=settings["weight_decay"],
        adam_beta1=settings["betas"][0],
        adam_beta2=settings["betas"][1],
        max_grad_norm=settings["max_grad_norm"],
        seed=seed,
        data_seed=seed,
        bf16=settings["dtype"] == "bfloat16",
        gradient_checkpointing=gpu,
        use_cpu=not gpu,
        save_strategy="steps",
        save_steps=checkpoint_steps,
        save_total_limit=1,
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
        report_to=["wandb"] if os.environ.get("WANDB_PROJECT") else ["none"],
        dataloader_num_workers=0,
    )


def last_whole_checkpoint(folder: Path, processes: int = 1) -> str | None:
    """Return the newest checkpoint that was written completely, or None; a broken one is deleted.

    Each process writes a random state of its own, and the others do not wait for it.
    """
    states = [f"rng_state_{rank}.pth" for rank in range(processes)] if processes > 1 else []
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), reverse=True)
    for path in found:
        try:
            read_json(path / "trainer_state.json")  # the main process writes it last
            if all(zipfile.is_zipfile(path / name) for name in states):
                return str(path)
        except (OSError, ValueError):
            pass
        shutil.rmtree(path, ignore_errors=True)
    return None


def save_adapter(model: Any, output: str | Path, base: Row) -> None:
    """Save the adapter with the name and revision of the model that it belongs to, in a fixed byte order."""
    output = Path(output)
    model.save_pretrained(output)
    (output / "README.md").unlink(missing_ok=True)
    config = read_json(output / "adapter_config.json")
    config |= {"base_model_name_or_path": base["name"], "revision": base.get("revision")}
    write_json(output / "adapter_config.json", config | {"target_modules": sorted(config["target_modules"])})


class Steps(TrainerCallback):
    """Reports each step, and saves a checkpoint when the job is asked to stop.

    Several processes stop at the same step, whichever of them was asked.
    """

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self.progress, self.stopped = progress, False

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.progress(state.global_step, state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        try:
            self.progress(state.global_step, state.max_steps)
        except Stopped:
            self.stopped = True
        if args.world_size > 1:
            stopped = torch.tensor([int(self.stopped)], device=args.device)
            torch.distributed.all_reduce(stopped, torch.distributed.ReduceOp.MAX)
            self.stopped = bool(stopped)
        if self.stopped:
            control.should_save = control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.stopped:
            raise Stopped
