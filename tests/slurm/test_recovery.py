"""What disturbs a job on SLURM costs the batch at hand, is told, and changes no byte of the result."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.lib.files import read_json
from tests.slurm import cluster as slurm
from tests.slurm.driver import TWO_DEVICES, Driver, Sampling

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]

# Ten prompts, so many draws each, in batches so small that there are a hundred of them: some 20 seconds of sampling.
BATCH = 4
TARGET = "results/smoke/responses/qwen3-mini/steered-by/prefix/draws-40/replicate-0/harmful/part-0.parquet"
SAMPLE = ("--configfile", "config/smoke.yaml", "--config", f"engine={{batch_size: {BATCH}}}", "--", TARGET)
ADAPTER = "results/smoke/adapters/qwen3-mini/trained-with/thinksafe/replicate-0"
TRAIN = (
    *("--configfile", "config/smoke.yaml", "--config", "methods={thinksafe: {epochs: 250}}"),
    *("training={checkpoint_steps: 100000}", "--", f"{ADAPTER}.identity.json"),
)


def site(folder: Path, **facts: str) -> None:
    """Set facts at the head of the profile, as somebody who has copied this checkout would."""
    path = folder / "profiles/slurm/config.yaml"
    text = path.read_text(encoding="utf-8")
    for name, value in facts.items():
        text, count = re.subn(rf"(?m)^  {name}: \S+", f"  {name}: {value}", text)
        assert count == 1, name
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def undisturbed(local: Driver, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the sampled file as it comes out on this machine without SLURM."""
    local.finish()
    folder = tmp_path_factory.mktemp("undisturbed") / "checkout"
    subprocess.run(["cp", "-a", str(local.folder), str(folder)], check=True)
    Driver(folder, None, *SAMPLE).finish()
    return (folder / TARGET).read_bytes()


@pytest.fixture
def sampling(cluster: slurm.Cluster, copy_of_run: Callable[[], Path], undisturbed: bytes) -> Iterator[Sampling]:
    """Return a sampling job that has begun on SLURM; it must come to the same bytes."""
    folder = copy_of_run()
    driver = Driver(folder, cluster, *SAMPLE)
    job = Sampling(driver, folder / TARGET, BATCH)
    try:
        job.advance()
        yield job
        assert job.output.read_bytes() == undisturbed
    finally:
        job.driver.end()


def field(cluster: slurm.Cluster, job: str, name: str) -> str:
    """Return a fact that the controller has of a job, as `scontrol` writes it."""
    return (re.findall(rf"\b{name}=(\S+)", cluster.ask("scontrol", "show", "job", job)) or [""])[0]


def states(cluster: slurm.Cluster, job: str) -> list[str]:
    """Return how each run of a job ended, requeued ones included."""
    return cluster.ask("sacct", "-X", "-D", "-n", "-P", "-j", job, "-o", "State").splitlines()


def test_preempted_it_is_requeued_and_goes_on(cluster, sampling):
    job = sampling.driver.job()
    cluster.ask("sbatch", "-p", "urgent", "--gpus=h100:2", "--mem=1000", "-o", "/dev/null", "--wrap", "sleep 1")
    sampling.wait(lambda: field(cluster, job, "Restarts") == "1", "preemption")
    sampling.driver.finish()
    assert states(cluster, job) == ["PREEMPTED", "COMPLETED"]


def test_killed_it_is_tried_again_with_more_time_and_memory(cluster, sampling):
    first = sampling.driver.job()
    victims = [pid for pid in cluster.processes() if is_script(pid)]
    assert len(victims) == 1
    os.kill(victims[0], signal.SIGKILL)
    told = sampling.driver.finish()
    second = sampling.driver.job()
    assert "status is: 'FAILED'" in told and "Trying to restart" in told and second != first
    asked = [cluster.ask("sacct", "-X", "-n", "-P", "-j", job, "-o", "Timelimit,ReqMem") for job in (first, second)]
    assert asked == ["04:30:00|20000M", "09:00:00|30000M"]


def is_script(pid: int) -> bool:
    """Return whether a process is the Python that runs a rule's script."""
    return b".sample_responses.py" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1]


def test_its_node_goes_down_and_comes_back(cluster, sampling):
    job = sampling.driver.job()
    cluster.ask("scontrol", "update", "NodeName=gpu01", "State=DOWN", "Reason=test")
    try:
        sampling.wait(lambda: field(cluster, job, "JobState") == "PENDING", "requeueing")
    finally:
        cluster.ask("scontrol", "update", "NodeName=gpu01", "State=RESUME")
    sampling.driver.finish()
    assert states(cluster, job) == ["NODE_FAIL", "COMPLETED"]


def test_its_driver_is_killed_and_started_again(cluster, sampling):
    job = sampling.driver.job()
    sampling.driver.process.kill()
    sampling.driver.process.wait()
    again = Driver(sampling.driver.folder, cluster, *SAMPLE)
    assert "--unlock" in again.finish(1)
    assert field(cluster, job, "JobState") == "RUNNING"  # nobody has told SLURM
    cluster.ask("scancel", job)
    cluster.wait(lambda: "RUNNING" not in states(cluster, job), "the end of the job")
    Driver(sampling.driver.folder, cluster, *SAMPLE[:4], "--unlock", quick=()).finish()
    sampling.driver = Driver(sampling.driver.folder, cluster, *SAMPLE)
    sampling.advance()
    sampling.driver.finish()


# ------------------------------------------------------------------------------------------ the time limit
def test_before_its_time_limit_training_keeps_a_checkpoint_and_then_gets_more_time(cluster, copy_of_run):
    folder = copy_of_run()
    log = folder / f"{ADAPTER}.training.jsonl"
    log.unlink()
    alone = folder.with_name("alone")
    subprocess.run(["cp", "-a", str(folder), str(alone)], check=True)
    site(folder, warning="100")
    driver = Driver(folder, cluster, *TRAIN)
    try:
        cluster.wait(lambda: log.exists() and '"step"' in log.read_text(), "training", 240)
        job = driver.job()
        # The limit comes nearer than the warning is long; SLURM, which looks every half minute, gives the warning.
        hours, minutes, _ = field(cluster, job, "RunTime").split(":")
        cluster.ask("scontrol", "update", f"JobId={job}", f"TimeLimit={int(hours) * 60 + int(minutes) + 2}")
        cluster.wait(lambda: "RUNNING" not in states(cluster, job), "the end of the job before its limit", 120)
        assert states(cluster, job) == ["FAILED"]
        reference = Driver(alone, None, *TWO_DEVICES, *TRAIN)
        assert "Trying to restart" in driver.finish()
        reference.finish()
    finally:
        driver.end()
    begun = [line for line in map(json.loads, log.read_text().splitlines()) if "attempt" in line]
    assert [line["attempt"] for line in begun] == [1, 2]
    assert begun[1]["from_step"] > 0  # no checkpoint is due before the end: this one was kept for the signal
    assert cluster.ask("sacct", "-X", "-n", "-P", "-j", driver.job(), "-o", "Timelimit,State") == "13:00:00|COMPLETED"
    assert read_json(folder / f"{ADAPTER}.identity.json") == read_json(alone / f"{ADAPTER}.identity.json")


# ------------------------------------------------------------------------------------------ what a site refuses
@pytest.mark.parametrize(
    "facts, told",
    [
        ({"gpu_partition": "nowhere"}, "invalid partition specified: nowhere"),
        ({"account": "strangers"}, "The given account strangers appears to be invalid. Available"),
        ({"gpu_partition": "closed"}, "Invalid account or account/partition combination specified"),
    ],
    ids=["no such partition", "no such account", "account without rights"],
)
def test_a_refusal_is_told_at_once(cluster, copy_of_run, facts, told):
    folder = copy_of_run()
    site(folder, **facts)
    driver = Driver(folder, cluster, *SAMPLE)
    assert told in driver.finish(1, 120)
    assert not driver.job()


# ------------------------------------------------------------------------------------------ a site without accounting
def test_without_accounting_squeue_tells_what_jobs_do(copy_of_run):
    folder = copy_of_run()
    table = "results/smoke/tables/table5.csv"
    with slurm.running(accounting=False) as bare:
        arguments = ("--configfile", "config/smoke.yaml", "--forcerun", "write_table5", "--", table)
        driver = Driver(folder, bare, "--slurm-status-command", "squeue", *arguments)
        assert "1 of 1 steps (100%) done" in driver.finish() and driver.job()
