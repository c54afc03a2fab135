"""Leases of devices: never one device twice, and free again however a job ends. The devices are names only."""

import multiprocessing
import os
import signal
import time

import pytest

from thinksafe.jobs.gpu_leases import devices_of, lease

FORK = multiprocessing.get_context("fork")


def hold(folder, count, pipe):
    with lease(count, ["0", "1", "2"], folder) as names:
        pipe.send(names)
        time.sleep(60)


@pytest.fixture
def holder(tmp_path):
    """Return a function that starts a process with a lease, and gives the process and its devices."""
    started = []

    def start(count):
        mine, its = FORK.Pipe()
        process = FORK.Process(target=hold, args=(tmp_path, count, its))
        process.start()
        started.append(process)
        assert mine.poll(10)
        return process, mine.recv()

    yield start
    for process in started:
        process.kill()
        process.join()


def test_two_jobs_have_different_devices(tmp_path, holder):
    _, first = holder(2)
    with lease(1, ["0", "1", "2"], tmp_path) as second:
        assert sorted(first + second) == ["0", "1", "2"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_crashed_job_frees_its_devices(tmp_path, holder, how):
    process, names = holder(3)
    with pytest.raises(InterruptedError), lease(1, names, tmp_path, waiting=stop):
        pass  # none is free while it lives
    os.kill(process.pid, how)
    process.join()
    with lease(3, names, tmp_path) as again:
        assert again == names


def stop():
    raise InterruptedError


def test_a_job_that_cannot_have_all_holds_none(tmp_path, holder):
    holder(2)
    with pytest.raises(InterruptedError), lease(2, ["0", "1", "2"], tmp_path, waiting=stop):
        pass
    with lease(1, ["0", "1", "2"], tmp_path) as rest:
        assert rest == ["2"]


def test_more_than_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"asks for 2 GPUs, and this run has 1 \(3\)"), lease(2, ["3"], tmp_path):
        pass


def test_devices_of_a_run(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices_of(2) == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a, GPU-b,GPU-c")
    assert devices_of(2) == ["GPU-a", "GPU-b"]
    with pytest.raises(ValueError, match="names 3"):
        devices_of(4)


def test_a_lease_is_no_old_file(tmp_path):
    """What cleans a folder for temporary files by age would free a device that is held."""
    with lease(1, ["0"], tmp_path):
        pass
    os.utime(tmp_path / "0", (0, 0))
    with lease(1, ["0"], tmp_path):
        assert time.time() - (tmp_path / "0").stat().st_mtime < 60
