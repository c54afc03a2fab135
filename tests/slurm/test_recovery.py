"""An interruption on SLURM costs the current batch, is reported, and changes no byte of the result."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.slurm import cluster as slurm
from tests.slurm.driver import TWO_DEVICES, Driver, Sampling, site
from thinksafe.files import read_json

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1500)]

# Ten prompts, forty draws each, one at a time: some 30 seconds of sampling. Nothing else of the run is stale.
TARGET = "results/smoke/responses/qwen3-mini/steered-by/prefix/draws-40/replicate-0/harmful/part-0.parquet"
SAMPLE = ("--configfile", "config/smoke.yaml", "--config", "engine={batch_size: 1}", "--", TARGET)
# Training in which no checkpoint is due before the end.
ADAPTER = "results/smoke/adapters/qwen3-mini/trained-with/thinksafe/replicate-0"
LONGER = ("methods={thinksafe: {epochs: 80}}", "training={checkpoint_steps: 100000}")
TRAIN = ("--configfile", "config/smoke.yaml", "--config", *LONGER, "--", f"{ADAPTER}.identity.json")


def field(cluster: slurm.Cluster, job: str, name: str) -> str:
    """Return a fact that the controller has of a job, as `scontrol` writes it."""
    return (re.findall(rf"\b{name}=(\S+)", cluster.ask("scontrol", "show", "job", job)) or [""])[0]


def account(cluster: slurm.Cluster, job: str, columns: str) -> list[str]:
    """Return what the accounting has of a job, a line for each time that it ran."""
    return cluster.ask("sacct", "-X", "-D", "-n", "-P", "-j", job, "-o", columns).splitlines()


# ------------------------------------------------------------------------------------------ a journey
def driver_is_killed(cluster: slurm.Cluster, sampling: Sampling) -> None:
    """Kill the driver. Its job goes on, and a new driver stops at the lock: cancelled, unlocked, begun again."""
    job, folder = sampling.driver.job(), sampling.driver.folder
    sampling.driver.process.kill()
    sampling.driver.process.wait()
    assert "--unlock" in Driver(folder, cluster, *SAMPLE).finish(1)
    assert field(cluster, job, "JobState") == "RUNNING"
    cluster.ask("scancel", job)
    cluster.wait(lambda: "RUNNING" not in account(cluster, job, "State"), "the end of the job")
    Driver(folder, cluster, "--configfile", "config/smoke.yaml", "--unlock", quick=()).finish()
    sampling.driver = Driver(folder, cluster, *SAMPLE)


def script_is_killed(cluster: slurm.Cluster, sampling: Sampling) -> None:
    """Kill the script's process, as a node short of memory does: a new job, with more time and memory."""
    first = sampling.driver.job()
    (script,) = [
        pid for pid in cluster.processes() if re.search(rb"^[^\0]+\0[^\0]+\.sample_responses\.py", read(pid, "cmdline"))
    ]
    os.kill(script, signal.SIGKILL)
    sampling.wait(lambda: sampling.driver.job() != first, "another attempt")
    assert "status is: 'FAILED'" in sampling.driver.told()
    asked = [
        (field(cluster, job, "TimeLimit"), field(cluster, job, "MinMemoryNode"))
        for job in (first, sampling.driver.job())
    ]
    assert asked == [("04:30:00", "20000M"), ("09:00:00", "30000M")]


def read(pid: int, name: str) -> bytes:
    """Return the kernel's status of a process, empty if it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


def send(pids: list[int], number: int) -> None:
    """Send a signal to those processes of a job that are still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def is_preempted(cluster: slurm.Cluster, sampling: Sampling) -> None:
    """Want its GPU for something more urgent: the same job is requeued."""
    job = sampling.driver.job()
    cluster.ask("sbatch", "-p", "urgent", "--gpus=h100:2", "--mem=1000", "-o", "/dev/null", "--wrap", "sleep 1")
    sampling.wait(lambda: field(cluster, job, "Restarts") == "1", "preemption")


def node_goes_down(cluster: slurm.Cluster, sampling: Sampling) -> None:
    """Take its node away for a moment: the same job is requeued."""
    job = sampling.driver.job()
    cluster.ask("scontrol", "update", "NodeName=gpu01", "State=DOWN", "Reason=test")
    try:
        sampling.wait(lambda: field(cluster, job, "Restarts") == "2", "requeueing")
    finally:
        cluster.ask("scontrol", "update", "NodeName=gpu01", "State=RESUME")


def test_a_job_goes_on_where_it_was_whatever_happens(cluster, copy_of_run):
    alone = copy_of_run.with_name("alone")
    subprocess.run(["cp", "-a", str(copy_of_run), str(alone)], check=True)
    reference = Driver(alone, None, *SAMPLE)
    sampling = Sampling(Driver(copy_of_run, cluster, *SAMPLE), copy_of_run / TARGET)
    try:
        for disturb in (driver_is_killed, script_is_killed, is_preempted, node_goes_down):
            sampling.advance()
            disturb(cluster, sampling)
        sampling.driver.finish()
        assert account(cluster, sampling.driver.job(), "State") == ["PREEMPTED", "NODE_FAIL", "COMPLETED"]
        reference.finish()
        assert sampling.output.read_bytes() == (alone / TARGET).read_bytes()
    finally:
        sampling.driver.end()
        reference.end()


# ------------------------------------------------------------------------------------------ the time limit
def test_before_its_time_limit_training_keeps_a_checkpoint_and_then_gets_more_time(cluster, copy_of_run):
    log = copy_of_run / f"{ADAPTER}.training.jsonl"
    log.unlink()
    alone = copy_of_run.with_name("alone")
    subprocess.run(["cp", "-a", str(copy_of_run), str(alone)], check=True)
    site(copy_of_run, warning="100")
    driver, reference = Driver(copy_of_run, cluster, *TRAIN), None
    try:
        cluster.wait(lambda: log.exists() and '"step"' in log.read_text(), "training", 240)
        job = driver.job()
        # The limit comes nearer than the warning is long; SLURM looks every half minute, for which the job is held.
        mine = [pid for pid in cluster.processes() if f"SLURM_JOB_ID={job}\0".encode() in read(pid, "environ")]
        send(mine, signal.SIGSTOP)
        hours, minutes, _ = field(cluster, job, "RunTime").split(":")
        cluster.ask("scontrol", "update", f"JobId={job}", f"TimeLimit={int(hours) * 60 + int(minutes) + 2}")
        time.sleep(35)
        send(mine, signal.SIGCONT)
        cluster.wait(
            lambda: "RUNNING" not in account(cluster, job, "State"), "the end of the job before its limit", 120
        )
        assert account(cluster, job, "State") == ["FAILED"]
        reference = Driver(alone, None, *TWO_DEVICES, *TRAIN)
        assert "Trying to restart" in driver.finish()
        reference.finish()
    finally:
        driver.end()
        if reference:
            reference.end()
    begun = [line for line in map(json.loads, log.read_text().splitlines()) if "attempt" in line]
    assert [line["attempt"] for line in begun] == [1, 2]
    assert begun[1]["from_step"] > 0  # kept when the warning came
    assert account(cluster, driver.job(), "Timelimit,State") == ["13:00:00|COMPLETED"]
    assert read_json(copy_of_run / f"{ADAPTER}.identity.json") == read_json(alone / f"{ADAPTER}.identity.json")
