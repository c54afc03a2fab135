"""Identities are deterministic and follow content."""

import json
import time

import pytest

from thinksafe.files import read_json, write_json
from thinksafe.provenance.identity import (
    content_digest,
    file_digest,
    input_digest,
    write_identity,
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
