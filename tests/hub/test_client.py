"""The login node: locks that move nothing, a check before the download, downloads that succeed in the end."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import constants

from tests.hub.hub_server import Fault, Hub
from tests.hub.sources import EMPTY, MODEL, A, B, C, dataset, fetched, locked, model
from thinksafe.errors import UserError
from thinksafe.hub import client
from thinksafe.hub.cache import cached_snapshot
from thinksafe.hub.lock import read_lock, write_lock
from thinksafe.models.location import locate


# ---------------------------------------------------------------- the lock
def test_a_lock_adds_what_is_missing_and_moves_nothing(server: Hub, printed: list[str], tmp_path: Path) -> None:
    path = tmp_path / "hub.lock.yaml"
    first = locked([model()], printed)
    write_lock(path, first)
    assert read_lock(path) == first
    assert first["models"]["org/student"]["main"]["commit"] == A
    assert first["models"]["org/student"]["main"]["bytes"] == sum(
        len(MODEL[name]) for name in ("config.json", "model.safetensors", "tokenizer.json")
    )
    server.repos["model", "org/student"].push(B, MODEL | {"README.md": b"# Other"})
    server.add("dataset", "org/rows", {"data.csv": b"a\n1\n"}, C)
    second, wrong = client.lock_sources([model(), dataset("org/rows")], first, [], printed.append)
    assert second["models"] == first["models"]
    assert second["datasets"]["org/rows"]["main"]["commit"] == C
    assert len(wrong) == 1 and f"org/student: main has moved from {A}" in wrong[0] and B in wrong[0]
    assert "snakemake lock_hub --config 'hub={accept: [org/student]}'" in wrong[0]
    third, wrong = client.lock_sources([model(), dataset("org/rows")], second, ["org/student"], printed.append)
    assert not wrong
    assert third["models"]["org/student"]["main"]["commit"] == B
    assert third["datasets"] == second["datasets"]
    assert first["models"]["org/student"]["main"]["commit"] == A  # not changed in place


def test_branches_tags_and_commits_are_locked_apart(server: Hub, printed: list[str]) -> None:
    repo = server.repos["model", "org/student"]
    repo.push(B, MODEL, "v1")
    lock = locked([model(), model(revision="v1"), model(revision=A)], printed)
    revisions = lock["models"]["org/student"]
    assert {name: entry["commit"] for name, entry in revisions.items()} == {"main": A, "v1": B, A: A}
    server.requests.clear()
    locked([model(revision=A)], printed, lock)
    assert not server.requests  # a commit does not move: no request


def test_what_the_config_does_not_take_cannot_be_accepted(server: Hub, printed: list[str]) -> None:
    with pytest.raises(UserError, match=r"hub.accept: the config takes no org/studnt from the hub"):
        client.lock_sources([model()], EMPTY, ["org/studnt"], printed.append)


# ---------------------------------------------------------------- before the download
def gates(server: Hub) -> list[dict[str, Any]]:
    server.add("model", "meta-llama/Llama-Guard-3-8B", MODEL, gated=True)
    server.add("dataset", "allenai/wildjailbreak", {"eval/eval.tsv": b"a\tb\n"}, gated=True)
    return [model("meta-llama/Llama-Guard-3-8B"), dataset("allenai/wildjailbreak")]


def test_every_gate_is_named_before_anything_is_downloaded(
    server: Hub, printed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [*gates(server), model()]
    lock = locked(sources, printed)
    found, wrong = client.inspect(sources, lock, printed.append)
    assert [one.name for one in found] == ["org/student"]
    assert len(wrong) == 2
    for text, page in zip(wrong, ("meta-llama/Llama-Guard-3-8B", "datasets/allenai/wildjailbreak"), strict=True):
        assert "there is no token" in text and f"https://huggingface.co/{page} " in text and "hf auth login" in text
    monkeypatch.setenv("HF_TOKEN", "stranger")
    wrong = client.inspect(sources, lock, printed.append)[1]
    assert len(wrong) == 2 and all("the licence is not accepted" in text for text in wrong)
    assert "https://huggingface.co/datasets/allenai/wildjailbreak" in wrong[1]
    monkeypatch.setenv("HF_TOKEN", "mistyped")
    wrong = client.inspect(sources[:1], lock, printed.append)[1]
    assert len(wrong) == 1 and "refuses your token" in wrong[0]
    assert not [path for path in server.paths() if "/resolve/" in path]
    monkeypatch.setenv("HF_TOKEN", "reader")
    assert not client.inspect(sources, lock, printed.append)[1]


def test_a_gate_before_the_listing_is_named_when_locking(server: Hub, printed: list[str]) -> None:
    server.repos["model", "org/student"].hidden = True
    lock, wrong = client.lock_sources([model()], EMPTY, [], printed.append)
    assert lock == EMPTY
    assert len(wrong) == 1 and "there is no token. Visit https://huggingface.co/org/student " in wrong[0]


def test_what_is_not_there_is_named_with_its_place_in_config(
    server: Hub, printed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "reader")
    lock, wrong = client.lock_sources([model("org/nobody"), model(revision="v9"), model()], EMPTY, [], printed.append)
    assert "model org/nobody (models.nobody.source): is not on the hub under this id" in wrong[0]
    assert "model org/student (models.student.source): has no revision v9" in wrong[1]
    assert list(lock["models"]["org/student"]) == ["main"]  # the rest is locked all the same
    assert (
        "is not in the lock; run `snakemake lock_hub`"
        in client.inspect([model("org/other")], lock, printed.append)[1][0]
    )


def test_a_locked_commit_that_is_gone_or_changed_says_how_to_go_on(server: Hub, printed: list[str]) -> None:
    lock = locked([model()], printed)
    repo = server.repos["model", "org/student"]
    repo.commits[A] = MODEL | {"config.json": b"{}"}
    assert f"lists other files for commit {A}" in client.inspect([model()], lock, printed.append)[1][0]
    repo.commits, repo.refs = {B: MODEL}, {"main": B}
    (text,) = client.inspect([model()], lock, printed.append)[1]
    assert "no longer on the hub" in text and "hub={accept: [org/student]}" in text


def test_a_model_without_safetensors_is_refused(server: Hub, printed: list[str]) -> None:
    server.add("model", "org/old", {"config.json": b"{}", "pytorch_model.bin": b"x"})
    assert (
        "has no *.safetensors"
        in client.inspect([model("org/old")], locked([model("org/old")], printed), printed.append)[1][0]
    )


@pytest.mark.filterwarnings("ignore:Not enough free disk space")
def test_too_little_disk_is_reported_with_both_numbers(
    server: Hub, printed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = locked([model()], printed)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=500_000))
    found, wrong = client.inspect([model()], lock, printed.append)
    assert "too little disk: 783.4 kB are still to come and 500.0 kB are free" in wrong[0] and "HF_HOME" in wrong[0]
    client.fetch_all([model()], found, lambda done, total: None, printed.append)
    assert not client.inspect([model()], lock, printed.append)[1]  # what is here needs no room
    assert printed[-1] == "1 repositories, 768.0 kB, of which 0 B to come"


def test_a_hub_that_cannot_be_reached_is_one_error(
    server: Hub, printed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="the hub at http://127.0.0.1:9 cannot be reached"):
        client.lock_sources([model(), model("org/other")], EMPTY, [], printed.append)


# ---------------------------------------------------------------- the download
def test_what_is_wanted_is_downloaded_and_found_by_jobs(server: Hub, printed: list[str]) -> None:
    fetched([model()], printed)
    folder = locate({"hub": "org/student", "revision": A}, [])
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (folder / "model.safetensors").read_bytes() == MODEL["model.safetensors"]
    assert printed[-1] == "org/student: 3 files, 768.0 kB, verified"
    server.requests.clear()
    fetched([model()], printed)
    assert not [path for path in server.paths() if "/resolve/" in path]  # nothing twice


def test_a_connection_cut_in_the_middle_goes_on_there(
    server: Hub, printed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # what is kept of a file is whole chunks
    server.faults.append(Fault("model.safetensors"))
    fetched([model()], printed)
    ranges = [place for _, path, place in server.requests if path.endswith("model.safetensors") and place]
    half = len(MODEL["model.safetensors"]) // 2
    assert half % 1000 == 0
    assert ranges == [f"bytes={half}-"]
    assert (cached_snapshot("org/student", "model", A) / "model.safetensors").read_bytes() == MODEL["model.safetensors"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_hub_is_asked_again(server: Hub, printed: list[str], status: int) -> None:
    lock = locked([model()], printed)
    found = client.inspect([model()], lock, printed.append)[0]
    server.faults.append(Fault("tokenizer.json", status, headers={"Retry-After": "0"}))
    server.faults.append(Fault("config.json", status, method="HEAD", times=2, headers={"Retry-After": "0"}))
    client.fetch_all([model()], found, lambda done, total: None, printed.append)
    assert cached_snapshot("org/student", "model", A)


def test_a_hub_that_stays_down_is_reported_and_what_came_stays(
    server: Hub, printed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENT", 3)
    found = client.inspect([model()], locked([model()], printed), printed.append)[0]
    server.faults.append(Fault("model.safetensors", 500, times=99))
    with pytest.raises(UserError, match="org/student .*What is here stays; `snakemake fetch` continues the download"):
        client.fetch_all([model()], found, lambda done, total: None, printed.append)
    assert sum("attempt" in line for line in printed) == 2
    with pytest.raises(FileNotFoundError, match="model org/student is incomplete at revision a.*run `snakemake fetch`"):
        cached_snapshot("org/student", "model", A)
    server.faults.clear()
    server.requests.clear()
    client.fetch_all([model()], found, lambda done, total: None, printed.append)
    assert [path.rsplit("/", 1)[1] for path in server.paths() if "/resolve/" in path] == ["model.safetensors"]


def test_a_damaged_file_is_found_and_fetched_again(server: Hub, printed: list[str]) -> None:
    fetched([model()], printed)
    folder = cached_snapshot("org/student", "model", A)
    for name in ("model.safetensors", "config.json"):
        path = (folder / name).resolve()
        path.write_bytes(b"x" + path.read_bytes()[1:])
    fetched([model()], printed)
    assert (folder / "model.safetensors").read_bytes() == MODEL["model.safetensors"]
    assert (folder / "config.json").read_bytes() == MODEL["config.json"]
    assert any("model.safetensors (768.0 kB) is not what the hub says it is" in line for line in printed)


def test_what_comes_must_be_what_was_locked(server: Hub, printed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENT", 2)
    found = client.inspect([model()], locked([model()], printed), printed.append)[0]
    server.repos["model", "org/student"].commits[A] = MODEL | {"config.json": b"{}"}  # listed and sent since
    with pytest.raises(UserError, match=r"config.json \(2 B\) is not what the hub says it is"):
        client.fetch_all([model()], found, lambda done, total: None, printed.append)
    with pytest.raises(FileNotFoundError, match="is incomplete"):
        cached_snapshot("org/student", "model", A)
