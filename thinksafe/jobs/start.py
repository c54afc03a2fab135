"""The last line of every script: from what Snakemake hands over to a job that runs (docs/jobs.md)."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from thinksafe.jobs import warm_worker
from thinksafe.jobs.log import log_to, say
from thinksafe.jobs.run import run, script_function
from thinksafe.jobs.signals import Stopped, end_with


def start(snakemake: Any, function: str, **arguments: Any) -> None:
    """Run one job: ``function`` of the script of the same name, with JSON-like arguments, then exit.

    Afterwards writes the identity (`snakemake.output.identity`) and the record of what was made. Uses the workflow's
    warm process where one is running (docs/jobs.md), so that importing torch is paid once.
    """
    job = dict(
        function=function,
        arguments=arguments,
        log=str(snakemake.log[0]),
        title=title_of(snakemake.rule, snakemake.wildcards),
        threads=int(snakemake.threads),
        devices=gpus_of(snakemake.resources) or int(snakemake.threads),
        gpus=gpus_of(snakemake.resources),
        params={name: str(snakemake.params.get(name)) for name in ("spec", "code", "environment")},
        inputs=sorted({str(path) for path in snakemake.input}),
        outputs=[str(path) for path in snakemake.output if str(path) != str(snakemake.output.identity)],
        identity=str(snakemake.output.identity),
        driver=int(os.environ.get("THINKSAFE_DRIVER", "0")),
    )
    address = os.environ.get("THINKSAFE_WARM", "")
    if "torch" in json.loads(job["params"]["environment"]) and Path(address).is_socket():
        try:
            sys.exit(warm_worker.ask(address, job))
        except ConnectionRefusedError:
            pass  # the warm process is gone, or does not listen yet
    sys.exit(run(job))


def title_of(rule: str, wildcards: Iterable[Any]) -> str:
    """Return the job's display name; `status` finds its log lines by it."""
    return " ".join([rule.replace("_", " "), *map(str, wildcards)])


def gpus_of(resources: Any) -> int:
    """Return how many GPUs a job was given, asked for as a number or as SLURM's generic resource (``gpu:h100:2``)."""
    kind, *rest = str(resources.get("gres", "")).split(":")
    if kind != "gpu":
        return int(resources.get("gpu", 0))
    return int(rest[-1]) if rest and rest[-1].isdigit() else 1


def online(snakemake: Any, function: str) -> None:
    """Run a rule that talks to the hub and makes no artifact, then exit; ``function`` is as in `start`.

    The script's function takes the keys of `snakemake.params.spec` and returns the problems, as lines to print.
    """
    for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):  # set for all other jobs
        os.environ.pop(variable, None)
    log_to(snakemake.log[0])
    end_with(int(os.environ.get("THINKSAFE_DRIVER", "0")))
    try:
        problems = script_function(function)(**json.loads(snakemake.params.spec))
    except (Stopped, KeyboardInterrupt):
        say(f"{function} stopped; what is whole stays")
        os._exit(143)  # a download may be running in another thread
    except Exception as error:
        traceback.print_exc()
        problems = [f"{error}\n    (whole story: {snakemake.log[0]})"]
    for problem in problems:
        say(f"error: {problem}")
    sys.exit(1 if problems else 0)
