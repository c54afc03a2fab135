"""Which GPUs a job on this machine uses. Snakemake counts the GPUs of local jobs and hands out none of them.

A lease is a lock on a file per device, held by the job's process and those that it starts to use the device (with
``close_fds=False``): when the last of them ends, however it ends, the system drops the lock. Runs of the same user on
one machine share the folder, so that two of them never use one device.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO


def devices_of(count: int) -> list[str]:
    """Return the names of this run's devices: those of CUDA_VISIBLE_DEVICES, or the first ``count``.

    Raises
    ------
    ValueError
        If CUDA_VISIBLE_DEVICES names fewer.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(number) for number in range(count)]
    found = [name.strip() for name in named.split(",") if name.strip()]
    if len(found) < count:
        raise ValueError(f"resources: gpu={count}, and CUDA_VISIBLE_DEVICES={named} names {len(found)}")
    return found[:count]


def folder_of_leases() -> Path:
    """Return the folder with a file per device, for all runs of this user on this machine."""
    return Path(tempfile.gettempdir()) / f"thinksafe-gpus-{os.getuid()}"


@contextmanager
def lease(
    count: int, devices: Sequence[str], folder: Path | None = None, waiting: Callable[[], None] = lambda: None
) -> Iterator[list[str]]:
    """Hold ``count`` of ``devices`` and yield their names; ``waiting`` is called each second until they are free.

    Raises
    ------
    ValueError
        If there are not that many.
    """
    if count > len(devices):
        raise ValueError(f"a job asks for {count} GPUs, and this run has {len(devices)} ({', '.join(devices)})")
    folder = folder or folder_of_leases()
    folder.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as held:
        while True:
            if names := _take(count, devices, folder, held):
                yield names
                return
            waiting()
            time.sleep(1.0)


def _take(count: int, devices: Sequence[str], folder: Path, held: ExitStack) -> list[str]:
    """Return the names of ``count`` devices that are ours from now on, or none of them."""
    with ExitStack() as taken:
        names: list[str] = []
        for name in devices:
            if (file := _lock(folder / name)) is not None:
                taken.enter_context(file)
                names.append(name)
            if len(names) == count:
                held.push(taken.pop_all())
                return names
    return []


def _lock(path: Path) -> IO[bytes] | None:
    file = open(path, "ab")  # noqa: SIM115 - it is closed by whoever holds the lease
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    os.set_inheritable(file.fileno(), True)
    os.utime(path)  # folders for temporary files are cleaned of what is old
    return file
