"""How a job stops: at SIGTERM, or with the process that started it, at a point where nothing is lost."""

import ctypes
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

# SLURM signals every process of a job, and srun and torch's launcher forward what they receive: a second SIGTERM
# within this many seconds is the same one.
ECHO = 5.0
PATIENCE = 60  # seconds that a stopping job has for its current batch or step
stopping = threading.Event()


class Stopped(Exception):  # noqa: N818 - not an error
    """The job was asked to stop, and has reached a point where nothing is lost."""


def end_with(driver: int) -> None:
    """Stop in order at SIGTERM, and when ``driver``, the process id of the workflow, has ended.

    A job stops at its next `thinksafe.jobs.log.Progress` call, which comes when a batch is safe on disk. A second
    signal that is no echo of the first, or `PATIENCE`, ends it at once. On SLURM `PATIENCE` does not apply: a step of
    a large model may take longer, the profile warns ten minutes before the limit, and SLURM itself ends what goes on.
    """
    first = 0.0

    def stop(signum: int, frame: Any) -> None:
        nonlocal first
        if stopping.is_set():
            if time.monotonic() - first > ECHO:
                os._exit(143)
            return
        first = time.monotonic()
        stopping.set()
        if "SLURM_JOB_ID" not in os.environ:
            signal.signal(signal.SIGALRM, lambda *_: os._exit(143))
            signal.alarm(PATIENCE)

    def watch() -> None:
        while _started(driver) == born:
            time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    if born := _started(driver):
        threading.Thread(target=watch, daemon=True).start()


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _started(pid: int) -> str | None:
    """Return when a process started, in clock ticks, or None if it has ended; the system reuses process ids."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return None if facts[0] == "Z" else facts[19]
    except (OSError, IndexError):
        return None
