"""Planning is cheap: a dry run of the paper costs little more than Snakemake's own work on as many jobs."""

import json
from pathlib import Path

import pytest

from dev.dag_scale import bare_workflow, dry_run, measure

FACTOR = 1.3


@pytest.mark.slow
def test_planning_the_paper_is_cheap() -> None:
    """In time beside a bare workflow of as many jobs, and in memory."""
    found = measure(1, repeats=3)
    assert found["ratio"] <= FACTOR and found["memory_mib"] < 1024, found
    print(found)


def test_the_bare_workflow_has_as_many_jobs(tmp_path: Path) -> None:
    """What we are compared with: the same jobs, inputs and outputs, nothing else."""
    jobs = [
        ["make", {"n": "0"}, {}, [], ["a", "b"]],
        ["make", {"n": "1"}, {}, [], ["c", "d"]],
        ["use", {}, {}, ["a", "c", "elsewhere"], ["e"]],
    ]
    bare_workflow(tmp_path, jobs)
    seconds, memory = dry_run(tmp_path)
    assert seconds > 0 and 20 < memory < 1024
    asked = json.loads((tmp_path / "jobs.json").read_text())
    assert asked == {
        "inputs": {"make": {"0": [], "1": []}, "use": {"0": ["out/make/0/0", "out/make/1/0"]}},
        "targets": ["out/use/0/0"],
    }
