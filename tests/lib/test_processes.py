"""Several processes: what the parent tells of how they ended."""

import tempfile

import pytest

from scripts.lib.processes import in_processes
from scripts.lib.running import Stopped


def work(fails, progress):
    """Go through two steps, of which a stop that is asked for in the last one is not heard; or fail then."""
    import time

    progress(1, 2)
    progress(2, 2)
    time.sleep(1)  # the parent asks for a stop meanwhile
    if fails:
        raise ValueError("the disk is full")


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
def test_a_stop_at_the_last_step_hides_neither_success_nor_failure(fails, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # read again
    asked = []

    def progress(done, total):
        if done == total:
            asked.append(done)
            raise Stopped

    if fails:
        with pytest.raises(RuntimeError, match="ValueError: the disk is full"):
            in_processes(2, work, {"fails": True}, progress)
    else:
        in_processes(2, work, {"fails": False}, progress)
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
