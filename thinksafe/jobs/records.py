"""The record of a job, which varies from run to run: when, where, how long and with what it ran, over all attempts.

A job that was stopped or killed leaves its attempts in a file beside its output, for the attempt that finishes.
"""

import json
import os
import platform
import resource
import shutil
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, RECORD, read_json, write_json
from thinksafe.jobs.gpu_meter import GpuMeter
from thinksafe.provenance.versions import installed


class Attempts:
    """Keeps, in a file beside a job's output, how long each attempt at the job ran, however it ended.

    The file's modification time, renewed every ``every`` seconds, shows how long the latest attempt has run, so that
    SIGKILL loses no more than that. Attempts with another ``key`` (spec, code, environment, inputs) do not count.
    """

    def __init__(self, job: dict[str, Any], key: str, every: float = 5.0) -> None:
        output = Path(job["identity"].removesuffix(IDENTITY))
        self.path, self.devices = output.with_name(f".{output.name}.attempts.json"), job["devices"]
        self.began, self.clock, self.meter = time.time(), time.monotonic(), GpuMeter(job["gpus"])
        self.earlier = self._closed(key)
        write_json(self.path, {"key": key, "attempts": [*self.earlier, self._line(0.0)]})
        self._ended = threading.Event()
        threading.Thread(target=self._renew, args=(every,), daemon=True).start()

    def _closed(self, key: str) -> list[dict[str, Any]]:
        """Return the earlier attempts with this key; the file's modification time gives the last one's duration."""
        try:
            last, found = self.path.stat().st_mtime, read_json(self.path)
        except (OSError, ValueError):
            return []
        if found["key"] != key:
            return []
        *earlier, latest = found["attempts"]
        return [*earlier, latest | {"wall_seconds": round(max(0.0, last - latest["began"]), 3)}]

    def _renew(self, every: float) -> None:
        while not self._ended.wait(every):
            self._touch()
            self.meter.sample()

    def _touch(self) -> None:
        with suppress(OSError):  # removed by somebody: then only this attempt is missing in the record
            os.utime(self.path)

    def _line(self, seconds: float) -> dict[str, Any]:
        return dict(began=self.began, wall_seconds=round(seconds, 3), devices=self.devices, host=platform.node())

    def all(self) -> list[dict[str, Any]]:
        """Return every attempt, this one up to now."""
        return [*self.earlier, self._line(time.monotonic() - self.clock)]

    def end(self, finished: bool) -> None:
        """Stop the clock, and remove the file if the job has finished."""
        self._ended.set()
        self._touch()
        if finished:
            self.path.unlink(missing_ok=True)


def write_record(job: dict[str, Any], attempts: list[dict[str, Any]], meters: dict[str, Any] | None = None) -> None:
    """Write when, where, how long and with what a job ran: times over all attempts, the rest of the last one.

    ``device_seconds`` are wall seconds times the job's GPUs, or times its threads if it has none. ``cpu_seconds``
    count all its processes, ``peak_memory_mb`` is that of the largest. ``meters`` is from `thinksafe.jobs.gpu_meter`;
    ``tokens`` counts those of the responses that the job sampled.
    """
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    torch = sys.modules.get("torch")
    write_json(
        job["identity"].removesuffix(IDENTITY) + RECORD,
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
            "device": torch.cuda.get_device_name() if torch and torch.cuda.is_available() else "cpu",
            "processor": _processor(),
            "threads": job["threads"],
            **(meters or {}),
            **_tokens(job),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
            "versions": {name: installed(name) for name in json.loads(job["params"]["environment"])},
        },
    )


def remove_unfinished(job: dict[str, Any], key: str) -> None:
    """Remove this job's journal and checkpoints after success; those of other settings stay.

    Call it after identity and record are written. Until then, a full disk or a kill makes Snakemake delete the
    outputs, and only the journal or the checkpoints keep the work.
    """
    for output in map(Path, job["outputs"]):
        output.with_name(f".{output.name}.{key}.journal").unlink(missing_ok=True)
        shutil.rmtree(output.with_name(f".{output.name}.{key}.checkpoints"), ignore_errors=True)


def _tokens(job: dict[str, Any]) -> dict[str, int]:
    """Return the number of tokens in the responses of a sampling job."""
    if not job.get("function", "").startswith("sample_"):
        return {}
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    paths = [path for path in job["outputs"] if path.endswith(".parquet")]
    return {"tokens": sum(pc.sum(pq.read_table(path, columns=["tokens"])["tokens"]).as_py() or 0 for path in paths)}


def _processor() -> str:
    """Return the processor's name and its widest vector instructions: rounding depends on both."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    widest = next((f" ({flag})" for flag in ("amx_tile", "avx512f", "avx2") if flag in flags), "")
    return facts.get("model name", platform.machine()) + widest
