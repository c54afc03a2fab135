"""A server for the length of a block: on loopback, ready when its health address answers, ended in any case."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from thinksafe.jobs.signals import die_with_parent

LOCAL = "127.0.0.1"


class ServerError(RuntimeError):
    """A server ended before it was ready."""


def free_port() -> int:
    """Return an unused port of loopback."""
    with socket.socket() as listener:
        listener.bind((LOCAL, 0))
        return listener.getsockname()[1]


@contextmanager
def served(
    command: Sequence[str],
    health: str,
    log: str | Path,
    environment: Mapping[str, str] | None = None,
    waiting: Callable[[], None] = lambda: None,
    grace: float = 20.0,
) -> Iterator[subprocess.Popen]:
    """Run ``command`` and enter the block once the address ``health`` answers with status 200.

    The wait has no limit but the job's own: a large model may load from a slow disk. At the end of the block, the
    server and all that it started get SIGTERM, and SIGKILL after ``grace`` seconds; if this process is killed, the
    kernel ends the server. ``environment`` is added to this process's own. ``waiting`` is called twice a second while
    the server is not ready, and what it raises ends the wait. Raises ServerError with the end of its log if the server
    ends before it is ready.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as output:
        server = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a process group of its own, to be ended as one
            close_fds=False,  # it holds the lease of its GPU: thinksafe/jobs/gpu_leases.py
            preexec_fn=die_with_parent,
        )
    try:
        while not _healthy(health):
            if (status := server.poll()) is not None:
                tail = Path(log).read_text(encoding="utf-8", errors="replace")[-2000:]
                raise ServerError(f"{command[0]} ended with status {status} before it was ready; {log} ends:\n{tail}")
            waiting()
            time.sleep(0.5)
        yield server
    finally:
        # The whole group: a child may outlive the group's first process.
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, None)):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(server.pid, number)
                server.wait(seconds)
        server.wait()


def _healthy(address: str) -> bool:
    with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    return False
