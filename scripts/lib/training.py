"""Fine-tune a LoRA adapter on a training set (paper Eq. 2, Sec. 5.1) with TRL's trainer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.lib.chat import completion_tokens, opens_think, prompt_tokens
from scripts.lib.chat_rules import declare
from scripts.lib.files import read_json, write_json

IGNORED = -100


def tokenise(tokenizer: Any, rows: Sequence[dict[str, Any]], max_tokens: int) -> tuple[list[dict[str, Any]], int]:
    """Return token ids and labels of each row, and how many rows were left out for their length.

    The prompt is the original one, never the steered one (Eq. 2). It gets no loss; everything after it does.
    """
    opened = opens_think(tokenizer)
    kept = []
    for row in rows:
        prompt = prompt_tokens(tokenizer, row["prompt"])
        completion = completion_tokens(tokenizer, row["response"], opened)
        if len(prompt) + len(completion) <= max_tokens:
            kept.append({"input_ids": prompt + completion, "labels": [IGNORED] * len(prompt) + completion})
    return kept, len(rows) - len(kept)


def finetune(
    rows: Sequence[dict[str, Any]],
    folder: str | Path,
    output: str | Path,
    spec: dict[str, Any],
    key: str,
    per_device_batch: int,
    checkpoint_steps: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Train an adapter of the model in ``folder`` on ``rows`` and save it in the folder ``output``.

    Parameters
    ----------
    rows : rows with ``prompt`` and ``response``
    spec : dict
        ``training`` (config), ``epochs``, ``seed`` and ``base`` (what the adapter belongs to).
    key : str
        Digest of all that the adapter depends on; names the checkpoints, which stand beside the output.
    per_device_batch : int
        Rows per step and device; accumulation makes up the total batch size of config.
    checkpoint_steps : int
        Steps between checkpoints; how often one is kept changes no number.

    Returns
    -------
    dict
        ``rows``, ``too_long``, ``steps`` and ``loss`` (mean over training, nats per supervised token).
    """
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
    from trl import SFTTrainer

    settings = spec["training"]
    tokenizer = declare(AutoTokenizer.from_pretrained(folder), spec.get("chat"))
    examples, too_long = tokenise(tokenizer, rows, settings["max_tokens"])
    if not examples:
        raise ValueError(f"no training row fits in training.max_tokens={settings['max_tokens']} ({too_long} rows)")
    set_seed(spec["seed"] % 2**32)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, settings["dtype"]))
    checkpoints = Path(output).with_name(f".{Path(output).name}.{key}.checkpoints")
    trainer = SFTTrainer(
        model=model,
        args=trainer_settings(spec, checkpoints, per_device_batch, checkpoint_steps),
        train_dataset=Dataset.from_list(examples),
        processing_class=tokenizer,
        peft_config=lora_config(settings["lora"]),
        callbacks=[_ProgressCallback.of(progress)],
    )
    result = trainer.train(resume_from_checkpoint=last_whole_checkpoint(checkpoints))
    shutil.rmtree(output, ignore_errors=True)
    save_adapter(trainer.model, output, spec["base"])
    shutil.rmtree(checkpoints, ignore_errors=True)
    return dict(rows=len(examples), too_long=too_long, steps=trainer.state.global_step, loss=result.training_loss)


def lora_config(lora: dict[str, Any]) -> Any:
    """Return PEFT's settings for query and value projections (Sec. 5.1)."""
    from peft import LoraConfig

    return LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        target_modules=sorted(lora["targets"]),
        bias="none",
        task_type="CAUSAL_LM",
    )


def trainer_settings(spec: dict[str, Any], checkpoints: Path, per_device_batch: int, checkpoint_steps: int) -> Any:
    """Return TRL's settings; every default of TRL that differs from the paper's set-up is set here."""
    import torch
    from trl import SFTConfig

    settings = spec["training"]
    devices = max(1, int(os.environ.get("WORLD_SIZE", "1")))
    accumulation, rest = divmod(settings["batch_size"], per_device_batch * devices)
    if rest:
        raise ValueError(
            f"training.batch_size={settings['batch_size']} is not a multiple of {devices} devices x {per_device_batch} "
            "rows per device; set the resource per_device_batch of train_student to a divisor"
        )
    gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(checkpoints),
        num_train_epochs=spec["epochs"],
        per_device_train_batch_size=per_device_batch,
        gradient_accumulation_steps=accumulation,
        learning_rate=settings["learning_rate"],
        lr_scheduler_type=settings["schedule"],
        warmup_steps=settings["warmup"],
        optim="adamw_torch",
        weight_decay=settings["weight_decay"],
        max_grad_norm=settings["max_grad_norm"],
        seed=spec["seed"] % 2**32,
        data_seed=spec["seed"] % 2**32,
        bf16=settings["dtype"] == "bfloat16",
        gradient_checkpointing=gpu,
        use_cpu=not gpu,
        max_length=None,
        packing=False,
        save_strategy="steps",
        save_steps=checkpoint_steps,
        save_total_limit=1,
        logging_steps=20,
        disable_tqdm=True,
        report_to="none",
        dataloader_num_workers=0,
    )


def last_whole_checkpoint(folder: Path) -> str | None:
    """Return the newest checkpoint that was written to its end, or None; a broken one is deleted."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), reverse=True)
    for path in found:
        try:
            read_json(path / "trainer_state.json")  # the trainer writes it last
            return str(path)
        except (OSError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
    return None


def save_adapter(model: Any, output: str | Path, base: dict[str, Any]) -> None:
    """Save the adapter with the name and revision of the model that it belongs to, in a fixed byte order."""
    output = Path(output)
    model.save_pretrained(output)
    (output / "README.md").unlink(missing_ok=True)
    config = read_json(output / "adapter_config.json")
    config["target_modules"] = sorted(config["target_modules"])
    config["base_model_name_or_path"] = base["name"]
    config["revision"] = base.get("revision")
    write_json(output / "adapter_config.json", config)


class _ProgressCallback:
    """Tells the job's progress each step, and keeps a checkpoint when the job is asked to stop."""

    @staticmethod
    def of(progress: Callable[[int, int], None]) -> Any:
        from transformers import TrainerCallback

        from scripts.lib.running import Stopped

        class Steps(TrainerCallback):
            stopped = False

            def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                progress(state.global_step, state.max_steps)

            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                try:
                    progress(state.global_step, state.max_steps)
                except Stopped:
                    self.stopped = control.should_save = control.should_training_stop = True

            def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                if self.stopped:
                    raise Stopped

        return Steps()
