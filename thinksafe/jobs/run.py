"""How a job runs: its log, progress, signals, environment, identity and record. Nothing here can change an artifact."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from thinksafe.provenance.digests import script_path

TERMINAL = 2  # file descriptor of the terminal's stderr; moved aside when a job's own output goes to its log


class Progress:
    """Prints how far a job is, at most every ``every`` seconds: what, how many of how many, rate, time left."""

    def __init__(self, title: str, unit: str = "", every: float = 10.0) -> None:
        self.title, self.unit, self.every = title, unit, every
        self.first: tuple[float, int] | None = None
        self.last = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Report ``done`` of ``total``; the first call sets from where the rate is measured."""
        if _stopping.is_set() and done < total:
            raise Stopped
        now = time.monotonic()
        if self.first is None:
            self.first, self.last = (now, done), now
            return
        if now - self.last < self.every and (done < total or now - self.first[0] < self.every):
            return
        self.last = now
        rate = (done - self.first[1]) / max(now - self.first[0], 1e-9)
        left = f" · {duration((total - done) / rate)} left" if rate > 0 and done < total else ""
        say(f"{self.title} · {done:,} of {total:,}{' ' + self.unit if self.unit else ''} · {rate:,.1f}/s{left}")


def duration(seconds: float) -> str:
    """Return a time as a person would say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def say(line: str) -> None:
    """Print one line on the terminal, whatever the job's own output is redirected to, and in the log."""
    os.write(TERMINAL, f"  {line}\n".encode())
    logging.getLogger("thinksafe").info(line)


def log_to(path: str | Path) -> None:
    """Send everything that this process prints or logs to ``path``; only `say` still reaches the terminal."""
    global TERMINAL
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush(), sys.stderr.flush()
    TERMINAL = os.dup(2)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", force=True)
    logging.captureWarnings(True)


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
        from thinksafe.jobs.warm_worker import ask

        try:
            sys.exit(ask(address, job))
        except ConnectionRefusedError:
            pass  # the warm process is gone, or does not listen yet
    sys.exit(run(job))


def title_of(rule: str, wildcards: Iterable[Any]) -> str:
    """Return what a job calls itself, by which `make status` finds its words."""
    return " ".join([rule.replace("_", " "), *map(str, wildcards)])


def gpus_of(resources: Any) -> int:
    """Return how many GPUs a job was given, asked for as a number or as SLURM's generic resource (``gpu:h100:2``)."""
    kind, *rest = str(resources.get("gres", "")).split(":")
    if kind != "gpu":
        return int(resources.get("gpu", 0))
    return int(rest[-1]) if rest and rest[-1].isdigit() else 1


def online(snakemake: Any, function: str) -> None:
    """Run a rule that talks to the hub and makes no artifact: ``function`` of the script of the same name, then exit.

    The function takes what `snakemake.params.spec` holds and returns the problems, as lines to print.
    """
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):  # set for jobs (rules/common.smk)
        os.environ.pop(name, None)
    log_to(snakemake.log[0])
    end_with(int(os.environ.get("THINKSAFE_DRIVER", "0")))
    try:
        work = script_function(function)
        problems = work(**json.loads(snakemake.params.spec))
    except (Stopped, KeyboardInterrupt):
        say(f"{function} stopped; what is whole stays")
        os._exit(143)  # a download may be running in another thread
    except Exception as error:
        traceback.print_exc()
        problems = [f"{error}\n    (whole story: {snakemake.log[0]})"]
    for problem in problems:
        say(f"error: {problem}")
    sys.exit(1 if problems else 0)


def script_function(name: str) -> Any:
    """Return the function of the script of the same name."""
    path = script_path(name).removesuffix(".py")
    return getattr(importlib.import_module(path.replace("/", ".")), name)


def run(job: dict[str, Any]) -> int:
    """Run a job described by plain values in this process and return its exit status."""
    from thinksafe.provenance.identity import Attempts, job_key, remove_unfinished, write_identity, write_record

    log_to(job["log"])
    end_with(job["driver"])
    clock, finished, attempts = time.monotonic(), False, None
    try:
        key = job_key(job)
        with _gpus(job["gpus"], job["log"]):
            attempts = Attempts(job, key)  # here, as no job is charged for waiting, or measured by others' GPUs
            check_environment(json.loads(job["params"]["environment"]))
            function = script_function(job["function"])
            if "torch" in json.loads(job["params"]["environment"]):
                import torch

                torch.set_num_threads(job["threads"])
            function(**job["arguments"], **_offered(function, job))
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
        say(f"error in {job['title']}: {type(error).__name__}: {error}\n    (whole story: {job['log']})")
        return 1
    finally:
        if attempts:
            attempts.end(finished)
    return 0


@contextlib.contextmanager
def _gpus(count: int, log: str | Path) -> Iterator[None]:
    """Show this process as many free GPUs as the job asked for, where the run leases them (THINKSAFE_GPUS).

    While others hold them the log's time is renewed, by which `make status` knows that the job is there.
    """
    devices = os.environ.get("THINKSAFE_GPUS", "")
    if not (count and devices):
        yield
        return
    from thinksafe.jobs.gpu_leases import lease

    def waiting() -> None:
        if _stopping.is_set():
            raise Stopped
        os.utime(log)

    with lease(count, devices.split(","), waiting=waiting) as names:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(names)
        yield


def check_environment(pinned: dict[str, str]) -> None:
    """Raise where an installed package is not the pinned one, unless THINKSAFE_ANY_VERSION is set."""
    from thinksafe.provenance.versions import installed

    if os.environ.get("THINKSAFE_ANY_VERSION"):
        return
    wrong = [
        f"{name} {wanted} is pinned, {installed(name) or 'nothing'} is installed"
        for name, wanted in pinned.items()
        if (installed(name) or "").split("+")[0] != wanted
    ]
    if wrong:
        raise RuntimeError(
            "the environment is not the one in envs/versions.yaml: " + "; ".join(wrong) + ". Run `make setup`, or set "
            "THINKSAFE_ANY_VERSION=1 to run anyway (the record says which versions were found)"
        )


def _tally() -> str:
    """Count one more finished job of this run and return which of how many it is, where the workflow counts."""
    path, _, total = os.environ.get("THINKSAFE_TALLY", "").rpartition(":")
    if not path:
        return ""
    with open(path, "ab") as file:
        file.write(b".")
        file.flush()
        return f"[{file.tell():>{len(total)}} of {total}] "


def _offered(function: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Return what a script's function may ask for: its progress, and a digest of all that its output depends on."""
    from thinksafe.provenance.identity import job_key

    asked = inspect.signature(function).parameters
    offered: dict[str, Any] = {"progress": Progress(job["title"])} if "progress" in asked else {}
    if "key" in asked:
        offered["key"] = job_key(job)
    return offered


class Stopped(Exception):  # noqa: N818 - not an error
    """The job was asked to stop, and has come to a place where nothing is lost."""


_stopping = threading.Event()
# SLURM signals every process of a job, and srun and torch's launcher pass on what they get: for so many seconds it is
# the same signal.
ECHO = 5.0
PATIENCE = 60  # seconds for the batch or step at hand once a job is to stop


def end_with(driver: int) -> None:
    """Stop in order at SIGTERM, and also when ``driver``, the workflow that started this job, is gone.

    A job stops at its next `Progress` call, which comes when a batch is safe on disk; a second signal that is no echo
    of the first, or a minute, ends it where it stands. On SLURM the minute does not count: a step of a large model may
    take longer, the profile's warning comes ten before the limit, and SLURM itself ends what goes on for too long.
    """
    asked = 0.0

    def stop(signum: int, frame: Any) -> None:
        nonlocal asked
        if _stopping.is_set():
            if time.monotonic() - asked > ECHO:
                os._exit(143)
            return
        asked = time.monotonic()
        _stopping.set()
        if "SLURM_JOB_ID" not in os.environ:
            signal.signal(signal.SIGALRM, lambda *_: os._exit(143))
            signal.alarm(PATIENCE)

    signal.signal(signal.SIGTERM, stop)
    born = _birth(driver)
    if born is None:
        return

    def watch() -> None:
        while _birth(driver) == born:
            time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _birth(pid: int) -> str | None:
    """Return when a process started, in clock ticks, or None when it has ended; a number alone may be reused."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return None if facts[0] == "Z" else facts[19]
    except (OSError, IndexError):
        return None
