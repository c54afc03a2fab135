"""The last line of every script: turn what Snakemake hands over into a job, and run it (docs/jobs.md)."""

import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from thinksafe.jobs import warm_worker
from thinksafe.jobs.log import log_to, say
from thinksafe.jobs.run import run, script_function
from thinksafe.jobs.signals import Stopped, end_with

OFFERED = ("progress", "key")  # arguments that `thinksafe.jobs.run.run` adds


def start(snakemake: Any, script: str) -> None:
    """Run the job of ``script`` (its ``__file__``), write its identity and record, and exit.

    The function with the script's name receives its arguments by name (`arguments_of`). Uses the workflow's warm
    process where one is running, so that the workflow imports torch once.
    """
    function, identity, gpus = Path(script).stem, str(snakemake.output.identity), gpus_of(snakemake.resources)
    job = dict(
        function=function,
        arguments=arguments_of(script_function(function), snakemake),
        log=str(snakemake.log[0]),
        title=title_of(snakemake.rule, snakemake.wildcards),
        threads=int(snakemake.threads),
        devices=gpus or int(snakemake.threads),
        gpus=gpus,
        params={name: str(snakemake.params.get(name)) for name in ("spec", "code", "environment")},
        inputs=sorted({str(path) for path in snakemake.input}),
        outputs=[str(path) for path in snakemake.output if str(path) != identity],
        identity=identity,
        driver=int(os.environ.get("THINKSAFE_DRIVER", "0")),
    )
    address = os.environ.get("THINKSAFE_WARM", "")
    if "torch" in json.loads(job["params"]["environment"]) and Path(address).is_socket():
        try:
            sys.exit(warm_worker.ask(address, job))
        except ConnectionRefusedError:
            pass  # the warm process is gone, or does not listen yet
    sys.exit(run(job))


def arguments_of(function: Callable[..., Any], snakemake: Any) -> dict[str, Any]:
    """Return the arguments of a script's ``function``, found by the names of its parameters.

    A parameter is, in this order: an input or output of the rule (a path, or a list of paths where the rule has a
    list); ``spec``, the rule's whole part of the config; ``log``, the path of the job's log; ``gpus``, the number of
    its GPUs; a key of the spec; a resource. What a rule does not have keeps its default. Raises TypeError if a
    parameter has neither a value nor a default, or is the name of an input and of an output.
    """
    spec, given = json.loads(snakemake.params.spec), dict(snakemake.resources.items())
    given |= spec | {"spec": spec, "log": str(snakemake.log[0]), "gpus": gpus_of(snakemake.resources)}
    inputs, outputs = (
        {name: str(found) if isinstance(found, str) else list(map(str, found)) for name, found in files.items()}
        for files in (snakemake.input, snakemake.output)
    )
    given |= inputs | outputs
    arguments = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in inputs and name in outputs:
            raise TypeError(f"{function.__name__}: `{name}` is both an input and an output of rule {snakemake.rule}")
        if name in given:
            arguments[name] = given[name]
        elif parameter.default is parameter.empty and name not in OFFERED:
            raise TypeError(
                f"{function.__name__} needs `{name}`, which is no input, output, resource or key of the spec of rule "
                f"{snakemake.rule}"
            )
    return arguments


def title_of(rule: str, wildcards: Iterable[Any]) -> str:
    """Return the job's display name; `status` finds its log lines by it."""
    return " ".join([rule.replace("_", " "), *map(str, wildcards)])


def gpus_of(resources: Any) -> int:
    """Return how many GPUs a job was given, asked for as a number or as SLURM's generic resource (``gpu:h100:2``)."""
    kind, *rest = str(resources.get("gres", "")).split(":")
    if kind != "gpu":
        return int(resources.get("gpu", 0))
    return int(rest[-1]) if rest and rest[-1].isdigit() else 1


def online(snakemake: Any, script: str) -> None:
    """Run a rule that connects to the hub and makes no artifact, then exit; ``script`` is as in `start`.

    The script's function takes the keys of `snakemake.params.spec` and returns the problems, as lines to print.
    """
    function = Path(script).stem
    for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):  # set for all other jobs
        os.environ.pop(variable, None)
    log_to(snakemake.log[0])
    end_with(int(os.environ.get("THINKSAFE_DRIVER", "0")))
    try:
        problems = script_function(function)(**json.loads(snakemake.params.spec))
    except (Stopped, KeyboardInterrupt):
        say(f"{function} stopped; complete files are kept")
        os._exit(143)  # not sys.exit: a download may be running in another thread
    except Exception as error:
        traceback.print_exc()
        problems = [f"{error}\n    (full log: {snakemake.log[0]})"]
    for problem in problems:
        say(f"error: {problem}")
    sys.exit(1 if problems else 0)
