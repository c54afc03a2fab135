"""What a job prints: its log file, one-line messages on the terminal, and its progress."""

import logging
import os
import sys
import time
from pathlib import Path

from thinksafe.jobs.signals import Stopped, stopping

TERMINAL = 2  # file descriptor of the terminal's stderr; moved aside when a job's own output goes to its log


class Progress:
    """Prints a job's progress at most every ``every`` seconds: title, done of total, rate, time left."""

    def __init__(self, title: str, unit: str = "", every: float = 10.0) -> None:
        self.title, self.unit, self.every = title, f" {unit}" if unit else "", every
        self.first: tuple[float, int] | None = None
        self.last = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Report ``done`` of ``total``; the rate is measured from the first call. Raises Stopped in a stopping job."""
        if stopping.is_set() and done < total:
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
        say(f"{self.title} · {done:,} of {total:,}{self.unit} · {rate:,.1f}/s{left}")


def duration(seconds: float) -> str:
    """Return a duration as text: ``3 h 05 min``, ``3 min 05 s`` or ``5 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def say(line: str) -> None:
    """Print one line on the terminal, even where the job's output is redirected, and in the log."""
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
