"""How a job stops."""

import os
import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize("environment, status", [({}, 143), ({"SLURM_JOB_ID": "7"}, 0)])
def test_a_step_that_takes_long_is_cut_off_where_nobody_else_would(environment, status):
    """A job that is told to stop in the middle of a step: SLURM, which has warned it, leaves it the time to end it."""
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
