"""Several processes: how the parent reports their end."""

import multiprocessing
import os
import signal
import tempfile
import time

import pytest

from thinksafe.jobs.distributed import in_processes
from thinksafe.jobs.gpu_leases import lease
from thinksafe.jobs.signals import Stopped


def work(fails, mark, progress):
    """Go through two steps, of which a stop that is asked for in the last one is not heard; or fail then.

    The process that tells how far they are comes last, as a training's processes take each step together.
    """
    import os
    import time
    from pathlib import Path

    progress(1, 2)
    while os.environ["RANK"] == "0" and not Path(mark).exists():
        time.sleep(0.05)
    progress(2, 2)
    Path(mark).touch()
    time.sleep(1)  # the parent asks for a stop meanwhile
    if fails:
        raise ValueError("the disk is full")


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
def test_a_stop_at_the_last_step_hides_neither_success_nor_failure(fails, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # read again
    asked, arguments = [], {"fails": fails, "mark": str(tmp_path / "mark")}

    def progress(done, total):
        if done == total:
            asked.append(done)
            raise Stopped

    if fails:
        with pytest.raises(RuntimeError, match="ValueError: the disk is full"):
            in_processes(2, work, arguments, progress)
    else:
        in_processes(2, work, arguments, progress)
    assert asked == [2] and not list(tmp_path.glob("t*"))  # neither our folder nor the launcher's is left


@pytest.mark.slow
def test_a_stop_before_the_last_step_is_told():
    def progress(done, total):
        raise Stopped

    with pytest.raises(Stopped):
        in_processes(2, waits, {}, progress)


def waits(progress):
    """Take a step now and then until a stop is asked for."""
    import time

    for done in range(600):
        progress(done, 600)
        time.sleep(0.1)


def one_long_step(mark, progress):
    """Begin a step that takes five seconds, whatever is asked for meanwhile."""
    import time
    from pathlib import Path

    progress(0, 2)
    Path(mark).touch()
    time.sleep(5)
    progress(1, 2)


def leases_and_works(folder, mark):
    with lease(2, ["0", "1"], folder):
        in_processes(2, one_long_step, {"mark": str(mark)}, lambda done, total: None)


@pytest.mark.slow
def test_devices_are_leased_until_the_last_process_has_ended(tmp_path):
    """The first is killed; the others, which use the devices, come to the end of their step before they stop."""
    mark, until = tmp_path / "began", time.monotonic() + 120
    parent = multiprocessing.get_context("fork").Process(target=leases_and_works, args=(tmp_path / "leases", mark))
    parent.start()
    while not mark.exists() and time.monotonic() < until:
        time.sleep(0.05)
    began = time.monotonic()
    os.kill(parent.pid, signal.SIGKILL)
    parent.join()
    with lease(2, ["0", "1"], tmp_path / "leases"):
        assert 3 < time.monotonic() - began < 60
