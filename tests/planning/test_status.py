"""`thinksafe status`: states from files alone, while a run goes on and after it has ended."""

import json
import os
import platform
import time

import pytest

from thinksafe.planning import status

BEGAN = 1_000_000.0


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a run an hour old with a job in each state, and the folder that it is in, which is the current one."""
    monkeypatch.chdir(tmp_path)
    jobs = []
    for number, state in enumerate(["done", "done", "running", "queued", "failed"]):
        made = tmp_path / f"results/mine/responses/part-{number}"
        log = tmp_path / f"results/mine/logs/part-{number}.log"
        for path in (made, log):
            path.parent.mkdir(parents=True, exist_ok=True)
        attempts = made.with_name(f".{made.name}.attempts.json")
        if state == "done":
            record = {"wall_seconds": 1200.0, "device_seconds": 1200.0, "cpu_seconds": 600.0, "peak_memory_mb": 2048}
            each = {"wall_seconds": 1200 / (1 + number)}
            record |= {"tokens": 120_000, "attempts": [{"began": BEGAN + n} | each for n in range(1 + number)]}
            write(made.with_name(f"{made.name}.record.json"), json.dumps(record), BEGAN + 1200 * (number + 1))
        if state in ("running", "failed"):
            write(
                attempts,
                json.dumps({"attempts": [{"began": BEGAN + 3000}]}),
                BEGAN + (3595 if state == "running" else 3100),
            )
        if state == "running":
            write(log, "2026 thinksafe: sample responses a · 120 of 800 · 3.1/s · 4 min 00 s left\n", BEGAN + 3595)
        if state == "failed":
            write(log, "working\nthinksafe: error in it: ValueError: no room\n", BEGAN + 3100)
        names = {"student": "mine", "part": str(number)}
        jobs.append(
            {"rule": "sample_responses", "title": f"sample responses mine {number}", "wildcards": names}
            | {"identity": f"results/mine/responses/part-{number}.identity.json", "log": str(log.relative_to(tmp_path))}
        )
    plan = {"run": "mine", "began": BEGAN, "driver": os.getpid(), "host": platform.node(), "elsewhere": False}
    return plan | {"jobs": jobs}, tmp_path


def report(plan, now):
    return status.render(status.report(plan, now))


def write(path, text, when):
    path.write_text(text)
    os.utime(path, (when, when))


def test_states_of_a_run_that_goes_on(run):
    plan, folder = run
    lines = report(plan, BEGAN + 3600)
    assert lines[0] == "mine: running for 1 h 00 min"
    assert lines[1].split() == ["done", "running", "queued", "failed"]
    assert lines[2].split() == ["generation", "2", "1", "1", "1"] and lines[3].split() == ["all", "2", "1", "1", "1"]
    assert "tokens per second and sampling job: 100" in lines
    # 600 s of the one that runs and 1200 s of the one that waits; 3000 s of work were done in an hour
    assert "time left: about 36 min 00 s" in lines
    assert "running: sample responses mine 2 · 120 of 800 · 3.1/s · 4 min 00 s left" in lines
    at = lines.index("failed or stopped: sample responses mine 4 (results/mine/logs/part-4.log)")
    assert lines[at + 1 : at + 3] == ["    working", "    thinksafe: error in it: ValueError: no room"]
    assert lines[-1].split(maxsplit=1)[1] == (
        "2 jobs · 40 min 00 s · processor 50 % · memory up to 2.0 GiB · 1 attempts more than jobs"
    )


def test_the_time_left_says_of_what_it_knows_nothing(run):
    """Five short jobs say nothing of how long a training takes."""
    plan, folder = run
    more = {"title": "", "wildcards": {}, "identity": "results/mine/x.identity.json", "log": "results/mine/logs/x.log"}
    plan["jobs"] += [{"rule": "train_student"} | more, {"rule": "train_student"} | more, {"rule": "write_cost"} | more]
    lines = report(plan, BEGAN + 3600)
    told = "time left: about 36 min 00 s, not counting 2 train student, 1 write cost: none of these has ended yet"
    assert told in lines


def test_a_run_whose_driver_is_gone(run):
    """What ran has stopped, what waited has not begun, and nothing is left to wait for."""
    plan, folder = run
    plan["driver"] = 2**22 + 1  # beyond the largest process id
    lines = report(plan, BEGAN + 7200)
    assert lines[0].startswith("mine: ended after ") and not [line for line in lines if line.startswith("time left")]
    assert lines[1].split() == ["done", "running", "queued", "failed", "not", "begun"]
    assert lines[2].split() == ["generation", "2", "0", "0", "2", "1"]


def test_jobs_on_a_cluster_go_on_without_their_driver(run):
    """SLURM has them: a job runs as long as it renews its file."""
    plan, folder = run
    plan |= {"driver": 2**22 + 1, "elsewhere": True}
    lines = report(plan, BEGAN + 3600)
    assert lines[2].split() == ["generation", "2", "1", "0", "1", "1"]
    assert "Snakemake has ended; jobs that it had submitted go on without it (docs/slurm.md)" in lines
    assert report(plan, BEGAN + 7200)[2].split() == ["generation", "2", "0", "0", "2", "1"]


def test_a_driver_on_another_node_is_not_said_to_run(run):
    plan, folder = run
    told = "whether Snakemake still runs is known only on login02, where it was started"
    assert told in report(plan | {"host": "login02"}, BEGAN + 3600)
    assert told not in report(plan, BEGAN + 3600)


def test_what_was_done_before_this_driver_says_nothing_of_how_much_runs_at_once(run):
    """A job of ten hours that this driver has run the last ten minutes of, and one of which two are left."""
    plan, folder = run
    plan["began"], first = BEGAN + 3000, folder / "results/mine/responses/part-1.record.json"
    attempts = [{"began": BEGAN - 40_000, "wall_seconds": 35_400.0}, {"began": BEGAN + 3000, "wall_seconds": 600.0}]
    write(
        first,
        json.dumps(json.loads(first.read_text()) | {"wall_seconds": 36_000.0, "attempts": attempts}),
        BEGAN + 3600,
    )
    attempts = [{"began": BEGAN - 40_000, "wall_seconds": 28_200.0}, {"began": BEGAN + 3000, "wall_seconds": 0.0}]
    write(folder / "results/mine/responses/.part-2.attempts.json", json.dumps({"attempts": attempts}), BEGAN + 3595)
    plan["jobs"] = plan["jobs"][1:3]
    assert "time left: about 1 h 00 min" in report(plan, BEGAN + 3600)  # 7,200 s of one, two at once


def test_a_job_that_waits_for_a_gpu_runs(run):
    """It renews its log only, and what an earlier attempt left is old (thinksafe/jobs/run.py)."""
    plan, folder = run
    write(folder / plan["jobs"][4]["log"], "", BEGAN + 3595)
    assert report(plan, BEGAN + 3600)[2].split() == ["generation", "2", "2", "1", "0"]


def test_what_an_earlier_run_left_is_queued(run):
    plan, folder = run
    plan["began"] = BEGAN + 3590
    assert report(plan, BEGAN + 3600)[2].split() == ["generation", "0", "1", "4", "0"]


def test_a_job_that_has_just_failed_is_told_at_once(run):
    plan, folder = run
    write(folder / plan["jobs"][2]["log"], "thinksafe: error in it: OSError: full\n", BEGAN + 3580)
    os.utime(folder / "results/mine/responses/.part-2.attempts.json", (BEGAN + 3580, BEGAN + 3580))
    assert report(plan, BEGAN + 3600)[2].split() == ["generation", "2", "0", "1", "2"]


def test_status_is_quick_for_a_run_of_the_papers_size(run):
    plan, folder = run
    plan["jobs"] = plan["jobs"] * 532
    began = time.process_time()
    report(plan, BEGAN + 3600)
    assert time.process_time() - began < 3
