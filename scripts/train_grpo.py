"""Train a student's LoRA adapter with GRPO (paper Sec. 5.3, App. E)."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from scripts.lib.files import read_rows
from scripts.lib.grpo import reinforce
from scripts.lib.guard_server import Ask, guard_server
from scripts.lib.guards import Guard
from scripts.lib.models import base_of, locate
from scripts.lib.sampling import taken
from scripts.lib.seeds import seed_for
from scripts.lib.serving import LOCAL, free_port, served


def train_grpo(
    prompts: list[str],
    model: list[str],
    guard: list[str],
    form: list[str],
    spec: dict[str, Any],
    output: str,
    servers: str,
    key: str,
    per_device_batch: int,
    checkpoint_steps: int,
    progress: Callable[[int, int], None],
) -> None:
    """Train and save one adapter.

    Parameters
    ----------
    prompts : paths of rows with ``prompt``
    model, guard : files that stand for the student and for the guard among the job's inputs
    form : the guard's prompt format, for a guard whose tokenizer has none
    spec : dict
        ``model``, ``grpo``, ``training``, ``epochs``, ``guard``, ``engine``, ``seed``, ``take`` (of each of the files,
        how many of its prompts, or None).
    servers : str
        Beginning of the paths of the servers' logs.
    """
    texts = texts_of(prompts, spec["take"])
    folder = str(locate(spec["model"], model))
    asked = str(locate(spec["guard"]["source"], guard)), {**spec["guard"], "engine": spec["engine"]}
    settings = spec | {"seed": seed_for(*spec["seed"]), "base": base_of(spec["model"], spec["student"])}
    with _servers(folder, spec, *asked, form[0] if form else None, servers, progress) as (ask, address):
        facts = reinforce(
            texts,
            folder,
            output,
            settings,
            key,
            ask,
            spec["guard"]["judges"],
            per_device_batch,
            checkpoint_steps,
            address,
            progress,
        )
    print(facts)


def texts_of(prompts: list[str], take: list[int | None]) -> list[str]:
    """Return the prompts of all files, of each the same ones that responses are sampled to."""
    return [row["prompt"] for path, count in zip(prompts, take, strict=True) for row in taken(read_rows(path), count)]


@contextmanager
def _servers(
    folder: str,
    spec: dict[str, Any],
    guard_folder: str,
    guard: dict[str, Any],
    form: str | None,
    logs: str,
    progress: Callable[[int, int], None],
) -> Iterator[tuple[Ask, str | None]]:
    """Give what asks the guard, and the address of the server of rollouts, if there is one.

    With transformers the guard is in this process. With vLLM it is a server on the last GPUs, since its engine and the
    trainer's cannot share a process; a server of rollouts has the GPU before them, and this process keeps the first.
    """
    if spec["engine"]["name"] == "transformers":
        yield Guard(guard_folder, guard, form).verdicts, None
        return
    serves = spec["grpo"]["sampler"] == "server"
    gpus = _gpus(1 + serves + spec["engine"]["tensor_parallel"])
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus[0]  # before CUDA starts in this process
    with ExitStack() as stack:
        own = {"CUDA_VISIBLE_DEVICES": ",".join(gpus[1 + serves :])}
        ask = stack.enter_context(
            guard_server(guard_folder, guard, form, f"{logs}.guard.log", own, lambda: progress(0, 1))
        )
        address = None
        if serves:
            port = free_port()
            address = f"http://{LOCAL}:{port}"
            command = [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", folder]
            command += ["--host", LOCAL, "--port", str(port), "--dtype", spec["training"]["dtype"]]
            command += ["--weight-transfer-config", '{"backend": "nccl"}']
            own = {"CUDA_VISIBLE_DEVICES": gpus[1], "VLLM_SERVER_DEV_MODE": "1"}  # TRL hands over weights through it
            log = f"{logs}.rollouts.log"
            stack.enter_context(served(command, f"{address}/health", log, own, lambda: progress(0, 1)))
        yield ask, address


def _gpus(wanted: int) -> list[str]:
    """Return the names of as many visible GPUs as are wanted; RuntimeError if there are fewer."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]
    if len(found) < wanted:
        raise RuntimeError(
            f"train_grpo needs {wanted} GPUs (policy, rollouts where they are served, guard) and sees {len(found)}; "
            "set its resource gpu, or grpo.sampler colocate"
        )
    return found


if __name__ == "__main__":
    import json

    from scripts.lib.running import start

    start(
        snakemake,
        "train_grpo",
        prompts=list(snakemake.input.prompts),
        model=list(snakemake.input.get("model", [])),
        guard=list(snakemake.input.get("guard", [])),
        form=list(snakemake.input.get("form", [])),
        spec=json.loads(snakemake.params.spec),
        output=snakemake.output.adapter,
        servers=str(snakemake.log[0]).removesuffix(".log"),
        per_device_batch=int(snakemake.resources.per_device_batch),
        checkpoint_steps=int(snakemake.resources.checkpoint_steps),
    )
