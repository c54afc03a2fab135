"""Run one job that is described by plain values: log, GPUs, environment, function, identity and record."""

import contextlib
import importlib
import inspect
import json
import os
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thinksafe.errors import UserError
from thinksafe.jobs.gpu_leases import lease
from thinksafe.jobs.log import Progress, duration, log_to, say
from thinksafe.jobs.records import Attempts, remove_unfinished, write_record
from thinksafe.jobs.signals import Stopped, end_with, stopping
from thinksafe.provenance.digests import script_path
from thinksafe.provenance.identity import job_key, write_identity
from thinksafe.provenance.versions import installed


def script_function(name: str) -> Any:
    """Return the function of the script of the same name."""
    path = script_path(name).removesuffix(".py")
    return getattr(importlib.import_module(path.replace("/", ".")), name)


def run(job: dict[str, Any]) -> int:
    """Run a job (`thinksafe.jobs.start.start` describes it) in this process and return its exit status."""
    log_to(job["log"])
    end_with(job["driver"])
    clock, finished, attempts = time.monotonic(), False, None
    try:
        key = job_key(job)
        with _gpus(job["gpus"], job["log"]):
            attempts = Attempts(job, key)  # only now: waiting for a GPU is not the job's time
            environment = json.loads(job["params"]["environment"])
            check_environment(environment)
            function = script_function(job["function"])
            if "torch" in environment:
                import torch

                torch.set_num_threads(job["threads"])
            offered = {"progress": Progress(job["title"]), "key": key}
            parameters = inspect.signature(function).parameters
            function(**job["arguments"], **{name: value for name, value in offered.items() if name in parameters})
        write_identity(job)
        write_record(job, attempts.all(), attempts.meter.summary())
        remove_unfinished(job, key)
        finished = True
        say(f"{_tally()}{job['title']} · done in {duration(time.monotonic() - clock)}")
    except Stopped:
        say(f"{job['title']} stopped; what it had finished is kept")
        return 143
    except Exception as error:
        traceback.print_exc()
        say(f"error in {job['title']}: {type(error).__name__}: {error}\n    (full log: {job['log']})")
        return 1
    finally:
        if attempts:
            attempts.end(finished)
    return 0


@contextlib.contextmanager
def _gpus(count: int, log: str | Path) -> Iterator[None]:
    """Show this process ``count`` free GPUs, where the run leases them (THINKSAFE_GPUS).

    While the job waits, it renews its log's modification time, so that `status` sees that it is alive.
    """

    def waiting() -> None:
        if stopping.is_set():
            raise Stopped
        os.utime(log)

    if not (count and (devices := os.environ.get("THINKSAFE_GPUS"))):
        yield
        return
    with lease(count, devices.split(","), waiting=waiting) as names:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(names)
        yield


def check_environment(pinned: dict[str, str]) -> None:
    """Raise UserError if an installed package is not the pinned one, unless THINKSAFE_ANY_VERSION is set."""
    if os.environ.get("THINKSAFE_ANY_VERSION"):
        return
    wrong = [
        f"{name} {wanted} is pinned, {installed(name) or 'nothing'} is installed"
        for name, wanted in pinned.items()
        if (installed(name) or "").split("+")[0] != wanted
    ]
    if wrong:
        raise UserError(
            f"the environment is not the one in envs/versions.yaml: {'; '.join(wrong)}. Run `make setup`, or set "
            "THINKSAFE_ANY_VERSION=1 to run anyway (the record says which versions were found). vLLM for GPUs comes "
            "with `--sdm conda` or an image (docs/environments.md)"
        )


def _tally() -> str:
    """Count one more finished job of this run and return its place (``[ 3 of 12] ``), where the driver counts."""
    path, _, total = os.environ.get("THINKSAFE_TALLY", "").rpartition(":")
    if not path:
        return ""
    with open(path, "ab") as file:
        file.write(b".")
        file.flush()
        return f"[{file.tell():>{len(total)}} of {total}] "
