"""A warm process beside the workflow: it imports torch and transformers once and forks one child per job.

Importing them costs 5 to 7 CPU seconds here, and the miniature has about a hundred such jobs. The child imports the
project's own modules afresh, so a job computes exactly what it computes without this (THINKSAFE_WARM=off).
On clusters each job is a process of its own.
"""

import importlib
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from thinksafe.jobs.signals import die_with_parent

PRELOADED = ("torch", "transformers", "trl", "peft", "datasets", "pyarrow.parquet")


def serve(address: str) -> None:
    """Answer jobs at the Unix socket ``address`` until the process that started this one is gone."""
    parent = os.getppid()
    die_with_parent()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    listener.settimeout(1.0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        while os.getppid() == parent:
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            _preload()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                try:
                    os._exit(_answer(client))
                finally:  # whatever happens, this child must not go on as a second server
                    os._exit(1)
            client.close()
    finally:
        Path(address).unlink(missing_ok=True)


def _preload() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401
    from trl import SFTTrainer  # noqa: F401


def _answer(client: socket.socket) -> int:
    """Run the job that ``client`` sends, in this forked child."""
    from thinksafe.jobs.run import run

    die_with_parent()
    with client.makefile("r", encoding="utf-8") as lines:
        request = json.loads(lines.readline())
        os.chdir(request["folder"])
        threading.Thread(target=_watch, args=(client,), daemon=True).start()
        status = 1
        try:
            status = run(request["job"])
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else int(error.code is not None)
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            client.sendall(f"{status}\n".encode())
    return status


def _watch(client: socket.socket) -> None:
    """Stop this job when the process that sent it goes away."""
    client.recv(1, socket.MSG_PEEK)
    os.kill(os.getpid(), signal.SIGTERM)


def ask(address: str, job: dict[str, Any]) -> int:
    """Have the warm process run ``job`` and return its exit status."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        # Closing our side of the connection asks the job to stop; its answer is still awaited.
        signal.signal(signal.SIGTERM, lambda *_: server.shutdown(socket.SHUT_WR))
        server.sendall(json.dumps({"job": job, "folder": os.getcwd()}).encode() + b"\n")
        with server.makefile("r", encoding="utf-8") as lines:
            return int(lines.readline().strip() or 1)


if __name__ == "__main__":
    serve(sys.argv[1])
