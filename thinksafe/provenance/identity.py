"""What stands beside each artifact: its identity, which is deterministic, and its record, which is not.

The identity says what the artifact is made of: digests of its content, its share of the config, its code, its
environment and its inputs. Later rules take it as input where the artifact is a folder, and from a cell of a table one
walks back along it to the raw answers (`make trace`). The record says when, where and how long, over all attempts: a
job that was stopped or killed has left a line in a file of attempts beside its output, for the attempt that finishes.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import shutil
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, RECORD, read_json, write_json
from thinksafe.jobs.gpu_meter import GpuMeter
from thinksafe.provenance.digests import ROOT, digest_of
from thinksafe.provenance.versions import installed

SNAKEMAKES = ".snakemake_timestamp"  # what Snakemake leaves in a folder when its job has ended, after the identity


def file_digest(path: str | Path) -> str:
    """Return the sha256 of a file's content; one process reads an unchanged file once (a user's weights are large)."""
    found = os.stat(path)
    return _file_digest(str(Path(path).absolute()), found.st_ino, found.st_mtime_ns, found.st_size)


@cache
def _file_digest(path: str, *state: int) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def content_digest(path: str | Path) -> str:
    """Return the sha256 of a file, or of the names and contents of a folder's files."""
    path = Path(path)
    if path.is_file():
        return file_digest(path)
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != SNAKEMAKES)
    listing = [[str(file.relative_to(path)), file_digest(file)] for file in files]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def input_digest(path: str | Path) -> str:
    """Return the digest of an input's content; an identity stands for the artifact that it describes."""
    if str(path).endswith(IDENTITY):
        return hashlib.sha256(json.dumps(read_json(path)["content"], sort_keys=True).encode()).hexdigest()
    return content_digest(path)


def job_key(job: dict[str, Any]) -> str:
    """Return a digest of all that a job's outputs depend on."""
    return digest_of([job["params"], [input_digest(path) for path in job["inputs"]]])


def write_identity(job: dict[str, Any]) -> None:
    """Write what a finished job's outputs are made of."""
    write_json(
        job["identity"],
        {
            "content": {_name(output, job): content_digest(output) for output in job["outputs"]},
            "spec": json.loads(job["params"]["spec"]),
            "code": json.loads(job["params"]["code"]),
            "environment": json.loads(job["params"]["environment"]),
            "inputs": {_name(path, job): input_digest(path) for path in job["inputs"]},
        },
    )


def remove_unfinished(job: dict[str, Any], key: str) -> None:
    """Delete what a job kept in case it would not come to its end; what other settings have left stays for them.

    Called when identity and record are written. Before that, a full disk or a kill makes Snakemake delete the outputs,
    and the journal or the checkpoints are all that is left of the work.
    """
    for output in map(Path, job["outputs"]):
        output.with_name(f".{output.name}.{key}.journal").unlink(missing_ok=True)
        shutil.rmtree(output.with_name(f".{output.name}.{key}.checkpoints"), ignore_errors=True)


class Attempts:
    """Keeps, beside a job's output, how long each attempt at it ran, whatever ended the attempt.

    The file has a line per attempt. How long the latest has run so far is the file's own time, renewed every ``every``
    seconds, so that even SIGKILL loses no more than that. Attempts at something else (another spec, code, environment
    or input, told by ``key``) do not count.
    """

    def __init__(self, job: dict[str, Any], key: str, every: float = 5.0) -> None:
        output = Path(job["identity"].removesuffix(IDENTITY))
        self.path, self.key, self.devices = output.with_name(f".{output.name}.attempts.json"), key, job["devices"]
        self.began, self.clock, self.meter = time.time(), time.monotonic(), GpuMeter(job["gpus"])
        self.earlier = self._closed()
        write_json(self.path, {"key": key, "attempts": [*self.earlier, self._line(0.0)]})
        self._ended = threading.Event()
        threading.Thread(target=self._renew, args=(every,), daemon=True).start()

    def _closed(self) -> list[dict[str, Any]]:
        """Return the earlier attempts at the same thing, the last with the time that it is known to have run."""
        try:
            last, found = self.path.stat().st_mtime, read_json(self.path)
        except (OSError, ValueError):
            return []
        if found["key"] != self.key:
            return []
        *earlier, open_ended = found["attempts"]
        return [*earlier, open_ended | {"wall_seconds": round(max(0.0, last - open_ended["began"]), 3)}]

    def _renew(self, every: float) -> None:
        while not self._ended.wait(every):
            self._touch()
            self.meter.sample()

    def _touch(self) -> None:
        try:
            os.utime(self.path)
        except OSError:
            pass  # removed from outside: then this attempt is lost to the record, and nothing else

    def _line(self, seconds: float) -> dict[str, Any]:
        return dict(began=self.began, wall_seconds=round(seconds, 3), devices=self.devices, host=platform.node())

    def all(self) -> list[dict[str, Any]]:
        """Return every attempt, this one up to now."""
        return [*self.earlier, self._line(time.monotonic() - self.clock)]

    def end(self, finished: bool) -> None:
        """Stop counting; what finished needs no file any more."""
        self._ended.set()
        self._touch()
        if finished:
            self.path.unlink(missing_ok=True)


def write_record(job: dict[str, Any], attempts: list[dict[str, Any]], meters: dict[str, Any] | None = None) -> None:
    """Write when, where, how long and with what a job ran: times over all attempts, the rest of the one that finished.

    ``device_seconds`` are wall seconds times the GPUs that the job held, or times its threads where it held none.
    ``cpu_seconds`` are those of all its processes, ``peak_memory_mb`` is of the largest of them. ``meters`` has what
    its GPUs did (`thinksafe.jobs.gpu_meter`), ``tokens`` are those of the responses that it made.
    """
    path = Path(job["identity"].removesuffix(IDENTITY) + RECORD)
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    write_json(
        path,
        {
            "began": attempts[0]["began"],
            "wall_seconds": round(sum(attempt["wall_seconds"] for attempt in attempts), 3),
            "device_seconds": round(sum(attempt["wall_seconds"] * attempt["devices"] for attempt in attempts), 3),
            "attempts": attempts,
            "cpu_seconds": round(sum(usage.ru_utime + usage.ru_stime for usage in usages), 3),
            "peak_memory_mb": max(usage.ru_maxrss for usage in usages) // 1024,
            "host": platform.node(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "device": _device(),
            "processor": _processor(),
            "threads": job["threads"],
            **(meters or {}),
            **_tokens(job),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
            "versions": {name: installed(name) for name in json.loads(job["params"]["environment"])},
        },
    )


def _tokens(job: dict[str, Any]) -> dict[str, int]:
    """Return how many tokens the responses among a job's outputs have, where it sampled any."""
    if not job.get("function", "").startswith("sample_"):
        return {}
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    paths = [path for path in job["outputs"] if path.endswith(".parquet")]
    return {"tokens": sum(pc.sum(pq.read_table(path, columns=["tokens"])["tokens"]).as_py() or 0 for path in paths)}


def _name(path: str | Path, job: dict[str, Any]) -> str:
    """Return a path as it reads from the run's folder, so that a moved or renamed run keeps its identities.

    A file that comes with the workflow reads from the workflow's, wherever that is (docs/module.md).
    """
    parts = Path(job["identity"]).parts
    run = Path(*parts[: parts.index("results") + 2]) if "results" in parts else None
    for folder in (run, ROOT):
        if folder and Path(path).is_relative_to(folder):
            return Path(path).relative_to(folder).as_posix()
    return str(path)


def _processor() -> str:
    """Return the processor's name and the widest of its instructions: how it rounds depends on both."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = told.get("flags", "").split()
    widest = next((f" ({flag})" for flag in ("amx_tile", "avx512f", "avx2") if flag in flags), "")
    return told.get("model name", platform.machine()) + widest


def _device() -> str:
    import sys

    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return "cpu"
    return torch.cuda.get_device_name()
