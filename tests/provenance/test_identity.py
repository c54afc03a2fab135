"""Identities are deterministic and follow content; records are apart."""

import json
import os
import subprocess
import sys
import time

import pytest

from thinksafe.files import read_json, write_json
from thinksafe.provenance.digests import ROOT
from thinksafe.provenance.identity import (
    Attempts,
    content_digest,
    file_digest,
    input_digest,
    job_key,
    write_identity,
    write_record,
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def job(run):
    """A finished job of a run, with an input file, an input folder's identity, and two outputs."""
    base = f"results/{run}"
    for path, text in (("prompts/harmful.parquet", "prompts"), ("models/m/config.json", "{}"), ("made/a.json", "1")):
        write_json(f"{base}/{path}", text)
    write_json(f"{base}/models/m.identity.json", {"content": {"models/m": "abc"}, "spec": {}})
    write_json(f"{base}/made/adapter/weights", "w")
    params = {"spec": {"b": 1, "a": [2]}, "code": {"scripts/x.py": "12"}, "environment": {"numpy": "2.0"}}
    return {
        "identity": f"{base}/made/a.identity.json",
        "outputs": [f"{base}/made/a.json", f"{base}/made/adapter"],
        "inputs": [f"{base}/prompts/harmful.parquet", f"{base}/models/m.identity.json", "config/guards/x.txt"],
        "params": {name: json.dumps(value) for name, value in params.items()},
        "threads": 1,
        "devices": 2,
        "gpus": 0,
    }


@pytest.fixture
def form(project):
    write_json("config/guards/x.txt", "form")


def test_an_identity_has_no_times_no_places_and_survives_a_renamed_run(project, form):
    first, second = job("one"), job("two")
    write_identity(first)
    before = (project / first["identity"]).read_bytes()
    time.sleep(0.01)
    write_identity(first)
    write_identity(second)
    assert (project / first["identity"]).read_bytes() == (project / second["identity"]).read_bytes() == before
    assert str(project).encode() not in before and b"one" not in before
    made = json.loads(before)
    assert set(made) == {"content", "spec", "code", "environment", "inputs"}
    assert set(made["content"]) == {"made/a.json", "made/adapter"}
    assert set(made["inputs"]) == {"prompts/harmful.parquet", "models/m.identity.json", "config/guards/x.txt"}
    assert made["spec"] == {"a": [2], "b": 1} and made["environment"] == {"numpy": "2.0"}


@pytest.mark.parametrize("changed", ["made/a.json", "made/adapter/weights", "prompts/harmful.parquet"])
def test_an_identity_follows_content(project, form, changed):
    made = job("one")
    write_identity(made)
    before = read_json(made["identity"])
    write_json(f"results/one/{changed}", "other")
    write_identity(made)
    after = read_json(made["identity"])
    assert sum(before[part] != after[part] for part in before) == 1


def test_an_inputs_identity_counts_by_its_content_alone(project):
    write_json("m.identity.json", {"content": {"m": "1"}, "code": {"x": "1"}})
    before = input_digest("m.identity.json")
    write_json("m.identity.json", {"content": {"m": "1"}, "code": {"x": "2"}})
    assert input_digest("m.identity.json") == before
    write_json("m.identity.json", {"content": {"m": "2"}, "code": {"x": "2"}})
    assert input_digest("m.identity.json") != before


def test_a_folders_digest_follows_names_and_contents(tmp_path):
    def made(name, files):
        for path, text in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        return content_digest(tmp_path / name)

    first = made("a", {"x": "1", "sub/y": "2"})
    assert made("b", {"sub/y": "2", "x": "1"}) == first == input_digest(tmp_path / "a")
    others = [
        made("c", {"x": "1", "sub/y": "3"}),
        made("d", {"x": "1", "y": "2"}),
        made("e", {"x": "2", "sub/y": "1"}),
        made("f", {"x": "1"}),
        made("g", {"x": "1", "sub/y": "2", "z": ""}),
    ]
    assert len({first, *others}) == 6
    assert (
        content_digest(tmp_path / "a" / "x") == file_digest(tmp_path / "a" / "x") == file_digest(tmp_path / "c" / "x")
    )


def test_the_record_is_apart_and_holds_what_varies(project, form):
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
        "import json, subprocess, sys; from thinksafe.provenance.identity import write_record\n"
        "subprocess.run([sys.executable, '-c', sys.argv[2]], check=True)\n"
        "write_record(json.loads(sys.argv[1]), [{'began': 0, 'wall_seconds': 1, 'devices': 1, 'host': 'h'}])"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, json.dumps(made), child], env=environment, check=True)
    record = read_json("results/one/made/a.record.json")
    assert record["cpu_seconds"] >= 2 and record["peak_memory_mb"] >= 400


# -------------------------------------------------------------------------------------------- attempts
def attempt(made, seconds, finished=False, key=None):
    """An attempt that ran for some seconds; without an end it was killed, and its file stands as it last was."""
    begun = Attempts(made, key or job_key(made), every=0.02)
    time.sleep(seconds)
    found = begun.all()
    begun._ended.set() if finished is None else begun.end(finished)
    return found


def test_a_record_sums_what_killed_and_stopped_attempts_took(project, form):
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


def test_attempts_at_something_else_and_broken_files_do_not_count(project, form):
    made = job("one")
    attempt(made, 0.05)
    assert len(attempt(made, 0.0, key="other")) == 1
    assert len(attempt(made, 0.0, key="other")) == 2
    (project / "results/one/made/.a.attempts.json").write_text('{"key": "oth')
    assert len(attempt(made, 0.0, key="other")) == 1
    (project / "results/one/made/.a.attempts.json").unlink()
    assert len(attempt(made, 0.0, key="other", finished=True)) == 1
