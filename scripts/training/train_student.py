"""Fine-tune a student's LoRA adapter on a training set (paper Sec. 4 "Training", 5.1)."""

from collections.abc import Callable
from typing import Any

from thinksafe.files import Row, read_rows
from thinksafe.jobs.distributed import in_processes
from thinksafe.jobs.start import start
from thinksafe.models.location import base_of, locate
from thinksafe.seeds import seed_for


def train_student(
    dataset: str,
    model: list[str],
    spec: Row,
    adapter: str,
    key: str,
    per_device_batch: int,
    checkpoint_steps: int,
    gpus: int,
    progress: Callable[[int, int], None],
) -> None:
    """Train and save one adapter, in one process for each of the ``gpus``; ``model`` are the student's files."""
    processes = max(1, gpus)
    arguments = dict(
        dataset=dataset,
        folder=str(locate(spec["model"], model)),
        output=adapter,
        spec=spec | {"seed": seed_for(*spec["seed"]), "base": base_of(spec["model"], spec["student"])},
        key=key,
        per_device_batch=min(per_device_batch, max(1, spec["training"]["batch_size"] // processes)),
        checkpoint_steps=checkpoint_steps,
    )
    in_processes(processes, train, arguments, progress)


def train(dataset: str, **arguments: Any) -> None:
    """Run one process of `train_student`."""
    from thinksafe.training.sft import finetune

    print(finetune(read_rows(dataset), **arguments))


if __name__ == "__main__":
    start(snakemake, __file__)
