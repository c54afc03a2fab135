"""The cluster of these tests: it is a real one, and nothing of it is left, however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.slurm import cluster as slurm

# Beside the smoke runs in the background.
pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("begun")]


def test_it_runs_jobs_and_counts_gpus(cluster):
    told = cluster.ask(
        "sbatch", "--parsable", "-p", "h100", "--gpus=h100:1", "--mem=1000", "-o", "/dev/null", "--wrap", "sleep 2"
    )
    cluster.wait(lambda: "COMPLETED" in cluster.ask("sacct", "-X", "-n", "-j", told, "-o", "State"), "accounting", 240)
    row = cluster.ask("sacct", "-X", "-n", "-P", "-j", told, "-o", "Account,Partition,AllocTRES")
    assert row.startswith("paper|h100|") and "gres/gpu:h100=1" in row


def test_killed_while_it_starts_nothing_is_left():
    folder = Path(tempfile.mkdtemp(prefix="thinksafe-slurm-"))
    code = (
        "import sys, pathlib; from tests.slurm import cluster; cluster.start(pathlib.Path(sys.argv[1])).stdout.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=slurm.ROOT)
    cluster = slurm.Cluster(folder)
    cluster.wait((folder / "mariadbd.out.log").exists, "the start of MariaDB")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    cluster.wait(lambda: not folder.exists() and not cluster.processes(), "the end of all processes")
