"""Which GPUs a job on this machine uses: Snakemake counts the GPUs of local jobs but does not assign them.

A lease is a lock on a file per device, held by the job's process and those that it starts to use the device (with
``close_fds=False``): when the last of them ends, however it ends, the system drops the lock. Runs of the same user on
one machine share the folder, so that two of them never use one device.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from thinksafe.files import locked


def devices_of(count: int) -> list[str]:
    """Return the names of this run's devices: those of CUDA_VISIBLE_DEVICES, or the first ``count``."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(number) for number in range(count)]
    found = [name.strip() for name in named.split(",") if name.strip()]
    if len(found) < count:
        raise ValueError(f"resources: gpu={count}, and CUDA_VISIBLE_DEVICES={named} names {len(found)}")
    return found[:count]


@contextmanager
def lease(
    count: int, devices: Sequence[str], folder: Path | None = None, waiting: Callable[[], None] = lambda: None
) -> Iterator[list[str]]:
    """Hold ``count`` of ``devices`` and yield their names; ``waiting`` is called each second until they are free.

    ``folder`` has a file per device; all runs of a user on a machine share the default one.
    """
    if count > len(devices):
        raise ValueError(f"a job asks for {count} GPUs, and this run has {len(devices)} ({', '.join(devices)})")
    folder = folder or Path(tempfile.gettempdir()) / f"thinksafe-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as held:
        names: list[str] = []
        while len(names) < count:
            for name in devices:
                if len(names) < count and (file := locked(folder / name)):
                    held.enter_context(file)
                    os.set_inheritable(file.fileno(), True)
                    os.utime(folder / name)  # old files in folders for temporary files may be deleted
                    names.append(name)
            if len(names) < count:  # hold all or none: two jobs must not wait for each other
                held.close()
                names.clear()
                waiting()
                time.sleep(1.0)
        yield names
