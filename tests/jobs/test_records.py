"""Records say when, where and how long, over all attempts; they are separate from identities."""

import json
import os
import subprocess
import sys
import time

import pytest

from thinksafe.files import read_json, write_json
from thinksafe.jobs.records import Attempts, write_record
from thinksafe.provenance.digests import ROOT
from thinksafe.provenance.identity import job_key, write_identity


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def job(run):
    """A finished job of a run with one output."""
    write_json(f"results/{run}/made/a.json", "1")
    return {
        "identity": f"results/{run}/made/a.identity.json",
        "outputs": [f"results/{run}/made/a.json"],
        "inputs": [],
        "params": {"spec": "{}", "code": "{}", "environment": '{"numpy": "2.0"}'},
        "threads": 1,
        "devices": 2,
        "gpus": 0,
    }


def test_the_record_is_apart_and_holds_what_varies(project):
    made = job("one")
    write_identity(made)
    before = (project / made["identity"]).read_bytes()
    write_record(made, [{"began": 1000.0, "wall_seconds": 2.5, "devices": 2, "host": "h"}])
    record = read_json("results/one/made/a.record.json")
    assert record["began"] == 1000.0 and record["wall_seconds"] == 2.5 and record["device"] == "cpu"
    assert len(record["processor"]) > 2
    assert record["versions"].keys() == {"numpy"} and record["peak_memory_mb"] > 1
    assert (project / made["identity"]).read_bytes() == before


def test_a_jobs_other_processes_count(project):
    """Training in several processes and scoring do their work in children."""
    made = job("one")
    child = "import time; held = bytearray(b'x') * (400 << 20)\nwhile time.process_time() < 2: pass"
    code = (
        "import json, subprocess, sys; from thinksafe.jobs.records import write_record\n"
        "subprocess.run([sys.executable, '-c', sys.argv[2]], check=True)\n"
        "write_record(json.loads(sys.argv[1]), [{'began': 0, 'wall_seconds': 1, 'devices': 1, 'host': 'h'}])"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, json.dumps(made), child], env=environment, check=True)
    record = read_json("results/one/made/a.record.json")
    assert record["cpu_seconds"] >= 2 and record["peak_memory_mb"] >= 400


# -------------------------------------------------------------------------------------------- attempts
def attempt(made, seconds, finished=False, key=None):
    """An attempt that ran for some seconds; without an end it was killed, and its file is as it was last written."""
    begun = Attempts(made, key or job_key(made), every=0.02)
    time.sleep(seconds)
    found = begun.all()
    begun._ended.set() if finished is None else begun.end(finished)
    return found


def test_a_record_sums_what_killed_and_stopped_attempts_took(project):
    made = job("one")
    attempt(made, 0.3, finished=None)
    time.sleep(0.3)  # nobody works
    attempt(made, 0.2)
    found = attempt(made, 0.1, finished=True)
    write_record(made, found)
    record = read_json("results/one/made/a.record.json")
    assert [round(one["wall_seconds"], 1) for one in record["attempts"]] == pytest.approx([0.3, 0.2, 0.1], abs=0.11)
    assert record["wall_seconds"] == pytest.approx(sum(one["wall_seconds"] for one in found))
    assert record["device_seconds"] == pytest.approx(2 * record["wall_seconds"])
    assert record["began"] == found[0]["began"] < found[1]["began"] < found[2]["began"]
    assert not list(project.glob("results/one/made/.a*"))


def test_attempts_at_something_else_and_broken_files_do_not_count(project):
    made = job("one")
    attempt(made, 0.05)
    assert len(attempt(made, 0.0, key="other")) == 1
    assert len(attempt(made, 0.0, key="other")) == 2
    (project / "results/one/made/.a.attempts.json").write_text('{"key": "oth')
    assert len(attempt(made, 0.0, key="other")) == 1
    (project / "results/one/made/.a.attempts.json").unlink()
    assert len(attempt(made, 0.0, key="other", finished=True)) == 1
