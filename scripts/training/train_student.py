"""Fine-tune a student's LoRA adapter on a training set (paper Sec. 4 "Training", 5.1)."""

from collections.abc import Callable
from typing import Any

from thinksafe.files import read_rows
from thinksafe.jobs.distributed import in_processes
from thinksafe.models.location import base_of, locate
from thinksafe.seeds import seed_for
from thinksafe.training.sft import finetune


def train_student(
    dataset: str,
    model: list[str],
    spec: dict[str, Any],
    adapter: str,
    key: str,
    per_device_batch: int,
    checkpoint_steps: int,
    gpus: int,
    progress: Callable[[int, int], None],
) -> None:
    """Train and save one adapter.

    Parameters
    ----------
    dataset : path of the training set
    model : files that stand for the student among the job's inputs
    spec : dict
        ``model``, ``training``, ``epochs``, ``loss``, ``seed``.
    gpus : devices that share the work, one process each
    """
    processes = max(1, gpus)
    arguments = dict(
        dataset=dataset,
        model=model,
        spec=spec,
        adapter=adapter,
        key=key,
        per_device_batch=min(per_device_batch, max(1, spec["training"]["batch_size"] // processes)),
        checkpoint_steps=checkpoint_steps,
    )
    in_processes(processes, train, arguments, progress)


def train(
    dataset: str,
    model: list[str],
    spec: dict[str, Any],
    adapter: str,
    key: str,
    per_device_batch: int,
    checkpoint_steps: int,
    progress: Callable[[int, int], None],
) -> None:
    """Do what one process does of `train_student`."""
    rows = read_rows(dataset)
    source = spec["model"]
    settings = spec | {"seed": seed_for(*spec["seed"]), "base": base_of(source, spec["student"])}
    facts = finetune(rows, locate(source, model), adapter, settings, key, per_device_batch, checkpoint_steps, progress)
    print(facts)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
