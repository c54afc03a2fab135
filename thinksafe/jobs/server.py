"""A server for the length of a block: on loopback, waited for by its health, ended whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from thinksafe.jobs.signals import die_with_parent

LOCAL = "127.0.0.1"


class ServerError(RuntimeError):
    """A server ended before it was ready."""


def free_port() -> int:
    """Return a port of loopback that nobody listens at now."""
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

    There is no limit to the wait but the job's own: a model of 8 B parameters may load from a slow disk. When the
    block is left, in whatever way, the server and all that it started are asked to end, and killed after ``grace``
    seconds; if this process is killed, the kernel ends the server.

    Parameters
    ----------
    environment : mapping
        Added to this process's environment.
    waiting : callable
        Called twice a second while the server is not ready; what it raises ends the wait.

    Raises
    ------
    ServerError
        If the server ends before it is ready; the end of its log is in the message.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as output:
        server = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, to be ended as one
            close_fds=False,  # its GPU is leased as long as it lives: thinksafe/jobs/gpu_leases.py
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
        _end(server, grace)


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _end(server: subprocess.Popen, grace: float) -> None:
    """End the server's whole group; a child of it may outlive its first process."""
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, None)):
        try:
            os.killpg(server.pid, number)
        except ProcessLookupError:
            break
        try:
            server.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
    server.wait()
