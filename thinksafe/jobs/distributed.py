"""One function in several processes that share their gradients, started by torch's own launcher.

The number of devices is a fact of the machine: the result is the same (training/losses/base.py). The parent waits,
reports progress, and asks the processes to stop when it is asked to; they stop together, at the next step.
"""

import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thinksafe.files import read_json, write_json
from thinksafe.jobs.log import Progress
from thinksafe.jobs.signals import Stopped, end_with

GRACE = 600  # seconds that the launcher leaves a process for its checkpoint before it kills it


def in_processes(
    count: int, function: Callable[..., Any], arguments: dict[str, Any], progress: Callable[[int, int], None]
) -> None:
    """Call ``function`` with JSON-like ``arguments`` and ``progress`` in ``count`` processes, or here if it is one.

    Raises Stopped if ``progress`` raised it and the processes stopped before their end, and RuntimeError with the first
    error if one of them failed.
    """
    if count == 1:
        function(**arguments, progress=progress)
        return
    with tempfile.TemporaryDirectory(prefix="thinksafe-") as name:
        folder, stopped = Path(name), False
        job = {"module": function.__module__, "function": function.__name__, "arguments": arguments}
        write_json(folder / "job.json", job | {"parent": os.getpid()})
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        launcher += [f"--log-dir={folder}/launcher", f"--shutdown-timeout={GRACE}", "-m", __name__, str(folder)]
        with subprocess.Popen(launcher, close_fds=False) as group:  # holds the GPUs' leases as long as it lives
            while group.poll() is None:
                time.sleep(0.2)
                if not stopped and (folder / "done.json").exists():
                    try:
                        progress(*read_json(folder / "done.json"))
                    except Stopped:
                        stopped = True
                        (folder / "stop").touch()
        if errors := sorted(folder.glob("error-*"), key=lambda path: path.stat().st_mtime):
            raise RuntimeError(errors[0].read_text())
        if group.returncode:  # 0 if it came to its end before it was asked to stop
            raise Stopped if stopped else RuntimeError(f"a process of {count} ended ({group.returncode})")


def main() -> None:
    """Run one of the processes of the job in the folder that the command line names."""
    folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    job = read_json(folder / "job.json")
    end_with(job["parent"])
    stop_at_sigterm = Progress("", every=float("inf"))  # prints nothing

    def progress(done: int, total: int) -> None:
        if rank == 0:
            write_json(folder / "done.json", [done, total])
        if (folder / "stop").exists() and done < total:
            raise Stopped
        stop_at_sigterm(done, total)

    try:
        getattr(importlib.import_module(job["module"]), job["function"])(**job["arguments"], progress=progress)
    except Stopped:
        sys.exit(143)
    except Exception as error:
        (folder / f"error-{rank}").write_text(f"{type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    main()
