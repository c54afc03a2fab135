"""The smoke configuration through `snakemake --profile slurm all`: what each job asked for, and what came out."""

import re
from pathlib import Path

import pytest

from tests.slurm.driver import Driver
from thinksafe.files import IDENTITY, read_json

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1500)]

# What the rules and the profile say, as SLURM understood it: partition, CPUs, H100s, memory in MB, time limit.
ASKED = {
    "sample_responses": ("h100", 8, 1, 20000, "04:30:00"),
    "sample_answers": ("h100", 8, 1, 20000, "04:30:00"),
    "judge_responses": ("h100", 8, 1, 48000, "04:00:00"),
    "judge_answers": ("h100", 8, 1, 48000, "04:00:00"),
    "train_student": ("h100", 16, 2, 40000, "06:30:00"),
    "filter_responses": ("cpu", 1, 0, 16000, "01:00:00"),
    "score_safety": ("cpu", 1, 0, 8000, "00:30:00"),
    "score_reasoning": ("cpu", 1, 0, 8000, "01:00:00"),
}


def test_it_comes_to_the_results_of_a_run_without_slurm(smoke, local):
    ours, theirs = (identities(driver.folder) for driver in (smoke, local))
    assert len(ours) > 30 and ours == theirs
    for name in ("table1.csv", "table1.md", "table3.csv", "table4.csv"):
        path = Path("results/smoke/tables") / name
        assert (smoke.folder / path).read_bytes() == (local.folder / path).read_bytes()


def identities(folder: Path) -> dict[str, dict]:
    """Return the identity of each result: what it is made of, and the digest of what it is."""
    run = folder / "results/smoke"
    return {str(path.relative_to(run)): read_json(path) for path in run.rglob(f"*{IDENTITY}")}


def test_each_job_asked_for_what_its_rule_and_the_profile_say(smoke, cluster):
    seen = {}
    name = re.search(r"SLURM run ID: (\S+)", smoke.told())[1]
    columns = "Comment%200,State,Partition,ReqTRES%200,AllocTRES%200,Timelimit"
    for line in cluster.ask("sacct", "-X", "-n", "-P", "--name", name, "-S", "now-1hour", "-o", columns).splitlines():
        comment, state, partition, asked, got, limit = line.split("|")
        rule = next((name for name in ASKED if comment.startswith(f"rule_{name}")), None)
        if rule:
            found = dict(entry.split("=") for entry in asked.split(","))
            gpus = int(found.get("gres/gpu:h100", 0))
            seen.setdefault(rule, set()).add((partition, int(found["cpu"]), gpus, int(found["mem"][:-1]), limit))
            assert state == "COMPLETED" and asked == got
    assert seen == {rule: {facts} for rule, facts in ASKED.items()}


def test_nothing_is_left_to_do(smoke, cluster):
    again = Driver(smoke.folder, cluster, "all", "--configfile", "config/smoke.yaml")
    assert "Nothing to be done" in again.finish() and not again.job()
