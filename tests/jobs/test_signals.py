"""How a job stops."""

import os
import signal
import subprocess
import sys
import time

import pytest

from thinksafe.jobs import signals
from thinksafe.jobs.log import Progress


@pytest.mark.parametrize("environment, status", [({}, 143), ({"SLURM_JOB_ID": "7"}, 0)])
def test_a_step_that_takes_long_is_cut_off_where_nobody_else_would(environment, status):
    """A job that is asked to stop in the middle of a step: SLURM, which has warned it, leaves it time to finish."""
    step = (
        "import os, signal, sys, time; from thinksafe.jobs import signals; signals.PATIENCE = 1;"
        "signals.end_with(os.getppid()); print('begun', flush=True); end = time.monotonic() + 3\n"
        "while time.monotonic() < end: time.sleep(0.1)"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    job = subprocess.Popen(
        [sys.executable, "-c", step], stdout=subprocess.PIPE, env=clean | {"PYTHONPATH": "."} | environment
    )
    assert job.stdout.readline() == b"begun\n"
    job.send_signal(signal.SIGTERM)
    assert job.wait(20) == status


def forked(work, *arguments) -> int:
    """Run ``work`` in a child and return its number."""
    child = os.fork()
    if not child:
        status = 99
        try:
            status = work(*arguments) or 0
        finally:
            os._exit(status)
    return child


def test_a_second_sigterm_ends_at_once_unless_it_is_the_first_passed_on(tmp_path):
    def deaf():
        signals.ECHO = 0.5
        signals.end_with(0)
        (tmp_path / "ready").touch()
        while True:
            time.sleep(0.05)

    child = forked(deaf)
    while not (tmp_path / "ready").exists():
        time.sleep(0.01)
    for _ in range(2):
        os.kill(child, signal.SIGTERM)
        time.sleep(0.1)
    time.sleep(0.8)
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 143


def test_a_job_ends_when_its_driver_is_gone(tmp_path):
    def step(driver):
        signals.end_with(driver)
        progress = Progress("test", every=1000)
        try:
            for done in range(2000):
                progress(done, 2000)
                time.sleep(0.02)
        except signals.Stopped:
            return 143
        return 0

    driver = forked(time.sleep, 60)
    child = forked(step, driver)
    time.sleep(0.5)
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    os.kill(driver, signal.SIGKILL)
    os.waitpid(driver, 0)
    began = time.monotonic()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 143
    assert time.monotonic() - began < 5
