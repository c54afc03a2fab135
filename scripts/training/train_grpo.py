"""Train a student's LoRA adapter with GRPO (paper Sec. 5.3, App. E)."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from thinksafe.data.taking import take_prompts
from thinksafe.files import Row, read_rows
from thinksafe.inference.guard_server import ask, guard_server
from thinksafe.inference.guards import Guard
from thinksafe.jobs.distributed import in_processes
from thinksafe.jobs.server import LOCAL, free_port, served
from thinksafe.jobs.start import start
from thinksafe.models.location import base_of, locate
from thinksafe.seeds import seed_for


def train_grpo(
    prompts: list[str],
    model: list[str],
    guard: list[str],
    form: list[str],
    spec: Row,
    adapter: str,
    log: str,
    key: str,
    per_device_batch: int,
    checkpoint_steps: int,
    gpus: int,
    progress: Callable[[int, int], None],
) -> None:
    """Train and save one adapter.

    ``model`` and ``guard`` are the files that stand for the two, ``form`` is the guard's prompt format if its tokenizer
    has none. The servers' logs are beside ``log``. Those of the ``gpus`` that no server needs share the policy, one
    process each. ``spec["take"]`` is the number of prompts from each file, or None for all.
    """
    folder = str(locate(spec["model"], model))
    judge = dict(
        folder=str(locate(spec["guard"]["source"], guard)),
        spec={**spec["guard"], "engine": spec["engine"]},
        format_file=form[0] if form else None,
    )
    with _servers(folder, spec, judge, log.removesuffix(".log"), gpus, progress) as (policies, judge, server):
        rollouts = spec["grpo"]["rollouts"] * spec["grpo"]["prompts_per_step"]
        arguments = dict(
            files=prompts,
            take=spec["take"],
            guard=judge,
            folder=folder,
            output=adapter,
            spec=spec | {"seed": seed_for(*spec["seed"]), "base": base_of(spec["model"], spec["student"])},
            key=key,
            judged_text=spec["guard"]["judged_text"],
            per_device_batch=min(per_device_batch, max(1, rollouts // policies)),
            checkpoint_steps=checkpoint_steps,
            server=server,
        )
        in_processes(policies, train, arguments, progress)


def train(files: list[str], take: list[int | None], guard: Row, **arguments: Any) -> None:
    """Run one process of `train_grpo`; ``guard`` is served at an ``address``, or loaded here."""
    from thinksafe.training.grpo import reinforce

    asking = partial(ask, guard["address"]) if "address" in guard else Guard(**guard).verdicts
    print(reinforce(rows_of(files, take), ask=asking, **arguments))


def rows_of(files: list[str], take: list[int | None]) -> list[Row]:
    """Return the prompts of all files; of each, those that responses are sampled to."""
    return [row for path, count in zip(files, take, strict=True) for row in take_prompts(read_rows(path), count)]


@contextmanager
def _servers(
    folder: str, spec: Row, guard: Row, logs: str, gpus: int, progress: Callable[[int, int], None]
) -> Iterator[tuple[int, Row, str | None]]:
    """Yield the number of processes that share the policy, where the guard is, and the address that serves rollouts.

    With transformers each process loads the guard. With vLLM the guard is a server, since its engine and the trainer's
    cannot share a process.
    """
    if spec["engine"]["name"] == "transformers":
        yield max(1, gpus), guard, None
        return
    serves, wide = spec["grpo"]["sampler"] == "server", spec["engine"]["tensor_parallel"]
    policy, sampler, judge = gpus_of_roles(_gpus(max(gpus, 1 + serves + wide)), serves, wide)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(policy)  # before CUDA starts in this process
    waiting = partial(progress, 0, 1)
    with ExitStack() as stack:
        own = {"CUDA_VISIBLE_DEVICES": ",".join(judge)}
        address = stack.enter_context(guard_server(**guard, log=f"{logs}.guard.log", environment=own, waiting=waiting))
        rollouts = None
        if serves:
            port = free_port()
            rollouts = f"http://{LOCAL}:{port}"
            command = [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", folder]
            command += ["--host", LOCAL, "--port", str(port), "--dtype", spec["training"]["dtype"]]
            command += ["--weight-transfer-config", '{"backend": "nccl"}']
            own = {"CUDA_VISIBLE_DEVICES": sampler[0], "VLLM_SERVER_DEV_MODE": "1"}  # TRL hands over weights through it
            log = f"{logs}.rollouts.log"
            stack.enter_context(served(command, f"{rollouts}/health", log, own, waiting))
        yield len(policy), {"address": address}, rollouts


def gpus_of_roles(gpus: list[str], serves: bool, wide: int) -> tuple[list[str], list[str], list[str]]:
    """Return the GPUs of the policy, of the server of rollouts (one, if any) and of the guard (the last ones)."""
    policy = len(gpus) - serves - wide
    return gpus[:policy], gpus[policy : policy + serves], gpus[policy + serves :]


def _gpus(wanted: int) -> list[str]:
    """Return the names of ``wanted`` visible GPUs; RuntimeError if there are fewer."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]
    if len(found) < wanted:
        raise RuntimeError(
            f"train_grpo needs {wanted} GPUs (policy, rollouts where they are served, guard) and sees {len(found)}; "
            "set its resource gpu, or grpo.sampler colocate"
        )
    return found[:wanted]


if __name__ == "__main__":
    start(snakemake, __file__)
