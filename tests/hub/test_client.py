"""The hub: locks that move nothing, a check before the download, downloads that get through, jobs that stay off it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import constants

from tests.hub.hub_server import Fault, Hub, serving
from thinksafe.data.sources import source_rows
from thinksafe.hub import client
from thinksafe.hub.cache import cached_download, cached_snapshot, download_path
from thinksafe.hub.lock import HubError, read_lock, unpinned, write_lock
from thinksafe.models.location import locate

A, B, C = "a" * 40, "b" * 40, "c" * 40
MODEL = {
    "config.json": b'{"max_position_embeddings": 64}',
    "model.safetensors": bytes(range(256)) * 3000,
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"never unpickled",
    "original/params.json": b"{}",
    "README.md": b"# Model",
}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Return a client, which `huggingface_hub` takes for the real one, with a cache of its own and no token."""
    with serving() as served:
        served.add("model", "org/student", MODEL)
        for name, value in {
            "ENDPOINT": served.endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": served.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "HF_ASSETS_CACHE": str(tmp_path / "assets"),
            "HF_TOKEN_PATH": str(tmp_path / "token"),
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_OFFLINE": False,
        }.items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setattr("huggingface_hub.utils._cache_assets.HF_ASSETS_CACHE", str(tmp_path / "assets"))
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        sleep = time.sleep
        monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.01)))
        yield served


@pytest.fixture
def said() -> list[str]:
    """Return what the terminal is told."""
    return []


def model(name: str = "org/student", **more: str) -> dict[str, Any]:
    return {"hub": name, "kind": "model", "paths": [f"models.{name.split('/')[1]}.source"], **more}


def dataset(name: str) -> dict[str, Any]:
    return {"hub": name, "kind": "dataset", "paths": ["prompts.harmful.source"]}


EMPTY: dict[str, dict] = {"models": {}, "datasets": {}}


def locked(sources: list[dict[str, Any]], said: list[str], lock: Any = EMPTY) -> Any:
    """Return a lock of all sources."""
    made, wrong = client.lock_sources(sources, lock, [], said.append)
    assert not wrong
    return made


def fetched(sources: list[dict[str, Any]], said: list[str]) -> Any:
    """Lock, inspect and download all sources, and return the lock."""
    lock = locked(sources, said)
    found, wrong = client.inspect(sources, lock, said.append)
    assert not wrong
    client.fetch_all(sources, found, lambda done, total: None, said.append)
    return lock


# ---------------------------------------------------------------- the lock
def test_a_lock_adds_what_is_missing_and_moves_nothing(server: Hub, said: list[str], tmp_path: Path) -> None:
    path = tmp_path / "hub.lock.yaml"
    first = locked([model()], said)
    write_lock(path, first)
    assert read_lock(path) == first
    assert first["models"]["org/student"]["main"]["commit"] == A
    assert first["models"]["org/student"]["main"]["bytes"] == sum(
        len(MODEL[name]) for name in ("config.json", "model.safetensors", "tokenizer.json")
    )
    server.repos["model", "org/student"].push(B, MODEL | {"README.md": b"# Other"})
    server.add("dataset", "org/rows", {"data.csv": b"a\n1\n"}, C)
    second, wrong = client.lock_sources([model(), dataset("org/rows")], first, [], said.append)
    assert second["models"] == first["models"]
    assert second["datasets"]["org/rows"]["main"]["commit"] == C
    assert len(wrong) == 1 and f"org/student: main has moved from {A}" in wrong[0] and B in wrong[0]
    assert "snakemake lock_hub --config 'hub={accept: [org/student]}'" in wrong[0]
    third, wrong = client.lock_sources([model(), dataset("org/rows")], second, ["org/student"], said.append)
    assert not wrong
    assert third["models"]["org/student"]["main"]["commit"] == B
    assert third["datasets"] == second["datasets"]
    assert first["models"]["org/student"]["main"]["commit"] == A  # not changed in place


def test_branches_tags_and_commits_are_locked_apart(server: Hub, said: list[str]) -> None:
    repo = server.repos["model", "org/student"]
    repo.push(B, MODEL, "v1")
    lock = locked([model(), model(revision="v1"), model(revision=A)], said)
    asked = lock["models"]["org/student"]
    assert {name: entry["commit"] for name, entry in asked.items()} == {"main": A, "v1": B, A: A}
    server.asked.clear()
    locked([model(revision=A)], said, lock)
    assert not server.asked  # a commit does not move: nobody is asked


def test_what_the_config_does_not_take_cannot_be_accepted(server: Hub, said: list[str]) -> None:
    with pytest.raises(HubError, match=r"hub.accept: the config takes no org/studnt from the hub"):
        client.lock_sources([model()], EMPTY, ["org/studnt"], said.append)


def test_a_broken_lock_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hub.lock.yaml"
    assert read_lock(path) == EMPTY
    for text in ("- a", "models: {a/b: {main: {commit: abc}}}", "modles: {}", "models: {a/b: main}", "{"):
        path.write_text(text)
        with pytest.raises(HubError, match="hub.lock.yaml: this is not a lock"):
            read_lock(path)


def test_a_spec_names_what_has_no_commit() -> None:
    assert unpinned(json.dumps({"model": {"hub": "b/b"}, "data": [{"hub": "a/a", "revision": "main"}]})) == [
        "a/a",
        "b/b",
    ]
    assert unpinned(json.dumps({"model": {"hub": "b/b", "revision": A}})) == []


# ---------------------------------------------------------------- before the download
def gates(server: Hub) -> list[dict[str, Any]]:
    server.add("model", "meta-llama/Llama-Guard-3-8B", MODEL, gated=True)
    server.add("dataset", "allenai/wildjailbreak", {"eval/eval.tsv": b"a\tb\n"}, gated=True)
    return [model("meta-llama/Llama-Guard-3-8B"), dataset("allenai/wildjailbreak")]


def test_every_gate_is_named_before_anything_is_downloaded(
    server: Hub, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [*gates(server), model()]
    lock = locked(sources, said)
    found, wrong = client.inspect(sources, lock, said.append)
    assert [one.name for one in found] == ["org/student"]
    assert len(wrong) == 2
    for text, page in zip(wrong, ("meta-llama/Llama-Guard-3-8B", "datasets/allenai/wildjailbreak"), strict=True):
        assert "there is no token" in text and f"https://huggingface.co/{page} " in text and "hf auth login" in text
    monkeypatch.setenv("HF_TOKEN", "stranger")
    wrong = client.inspect(sources, lock, said.append)[1]
    assert len(wrong) == 2 and all("the licence is not accepted" in text for text in wrong)
    assert "https://huggingface.co/datasets/allenai/wildjailbreak" in wrong[1]
    monkeypatch.setenv("HF_TOKEN", "mistyped")
    wrong = client.inspect(sources[:1], lock, said.append)[1]
    assert len(wrong) == 1 and "refuses your token" in wrong[0]
    assert not [path for path in server.paths() if "/resolve/" in path]
    monkeypatch.setenv("HF_TOKEN", "reader")
    assert not client.inspect(sources, lock, said.append)[1]


def test_a_gate_before_the_listing_is_named_when_locking(server: Hub, said: list[str]) -> None:
    server.repos["model", "org/student"].hidden = True
    lock, wrong = client.lock_sources([model()], EMPTY, [], said.append)
    assert lock == EMPTY
    assert len(wrong) == 1 and "there is no token. Visit https://huggingface.co/org/student " in wrong[0]


def test_what_is_not_there_is_named_with_its_place_in_config(
    server: Hub, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "reader")
    lock, wrong = client.lock_sources([model("org/nobody"), model(revision="v9"), model()], EMPTY, [], said.append)
    assert "model org/nobody (models.nobody.source): is not on the hub under this id" in wrong[0]
    assert "model org/student (models.student.source): has no revision v9" in wrong[1]
    assert list(lock["models"]["org/student"]) == ["main"]  # the rest is locked all the same
    assert (
        "is not in the lock; run `snakemake lock_hub`" in client.inspect([model("org/other")], lock, said.append)[1][0]
    )


def test_a_locked_commit_that_is_gone_or_changed_says_how_to_go_on(server: Hub, said: list[str]) -> None:
    lock = locked([model()], said)
    repo = server.repos["model", "org/student"]
    repo.commits[A] = MODEL | {"config.json": b"{}"}
    assert f"lists other files for commit {A}" in client.inspect([model()], lock, said.append)[1][0]
    repo.commits, repo.refs = {B: MODEL}, {"main": B}
    (text,) = client.inspect([model()], lock, said.append)[1]
    assert "no longer on the hub" in text and "hub={accept: [org/student]}" in text


def test_a_model_without_safetensors_is_refused(server: Hub, said: list[str]) -> None:
    server.add("model", "org/old", {"config.json": b"{}", "pytorch_model.bin": b"x"})
    assert (
        "has no *.safetensors"
        in client.inspect([model("org/old")], locked([model("org/old")], said), said.append)[1][0]
    )


@pytest.mark.filterwarnings("ignore:Not enough free disk space")
def test_too_little_disk_is_told_with_both_numbers(
    server: Hub, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = locked([model()], said)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=500_000))
    found, wrong = client.inspect([model()], lock, said.append)
    assert "too little disk: 783.4 kB are still to come and 500.0 kB are free" in wrong[0] and "HF_HOME" in wrong[0]
    client.fetch_all([model()], found, lambda done, total: None, said.append)
    assert not client.inspect([model()], lock, said.append)[1]  # what is here needs no room
    assert said[-1] == "1 repositories, 768.0 kB, of which 0 B to come"


def test_a_hub_that_cannot_be_reached_is_one_error(
    server: Hub, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="the hub at http://127.0.0.1:9 cannot be reached"):
        client.lock_sources([model(), model("org/other")], EMPTY, [], said.append)


# ---------------------------------------------------------------- the download
def test_what_is_wanted_is_downloaded_and_found_by_jobs(server: Hub, said: list[str]) -> None:
    fetched([model()], said)
    folder = locate({"hub": "org/student", "revision": A}, [])
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (folder / "model.safetensors").read_bytes() == MODEL["model.safetensors"]
    assert said[-1] == "org/student: 3 files, 768.0 kB, verified"
    server.asked.clear()
    fetched([model()], said)
    assert not [path for path in server.paths() if "/resolve/" in path]  # nothing twice


def test_a_connection_cut_in_the_middle_goes_on_there(
    server: Hub, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # what is kept of a file is whole chunks
    server.faults.append(Fault("model.safetensors"))
    fetched([model()], said)
    ranges = [place for _, path, place in server.asked if path.endswith("model.safetensors") and place]
    half = len(MODEL["model.safetensors"]) // 2
    assert half % 1000 == 0
    assert ranges == [f"bytes={half}-"]
    assert (cached_snapshot("org/student", "model", A) / "model.safetensors").read_bytes() == MODEL["model.safetensors"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_hub_is_asked_again(server: Hub, said: list[str], status: int) -> None:
    lock = locked([model()], said)
    found = client.inspect([model()], lock, said.append)[0]
    server.faults.append(Fault("tokenizer.json", status, headers={"Retry-After": "0"}))
    server.faults.append(Fault("config.json", status, method="HEAD", times=2, headers={"Retry-After": "0"}))
    client.fetch_all([model()], found, lambda done, total: None, said.append)
    assert cached_snapshot("org/student", "model", A)


def test_a_hub_that_stays_down_is_told_and_what_came_stays(
    server: Hub, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENT", 3)
    found = client.inspect([model()], locked([model()], said), said.append)[0]
    server.faults.append(Fault("model.safetensors", 500, times=99))
    with pytest.raises(HubError, match="org/student .*What is here stays; `snakemake fetch` continues the download"):
        client.fetch_all([model()], found, lambda done, total: None, said.append)
    assert sum("attempt" in line for line in said) == 2
    with pytest.raises(FileNotFoundError, match="model org/student is incomplete at revision a.*run `snakemake fetch`"):
        cached_snapshot("org/student", "model", A)
    server.faults.clear()
    server.asked.clear()
    client.fetch_all([model()], found, lambda done, total: None, said.append)
    assert [path.rsplit("/", 1)[1] for path in server.paths() if "/resolve/" in path] == ["model.safetensors"]


def test_a_damaged_file_is_found_and_fetched_again(server: Hub, said: list[str]) -> None:
    fetched([model()], said)
    folder = cached_snapshot("org/student", "model", A)
    for name in ("model.safetensors", "config.json"):
        path = (folder / name).resolve()
        path.write_bytes(b"x" + path.read_bytes()[1:])
    fetched([model()], said)
    assert (folder / "model.safetensors").read_bytes() == MODEL["model.safetensors"]
    assert (folder / "config.json").read_bytes() == MODEL["config.json"]
    assert any("model.safetensors (768.0 kB) is not what the hub says it is" in line for line in said)


def test_what_comes_must_be_what_was_locked(server: Hub, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENT", 2)
    found = client.inspect([model()], locked([model()], said), said.append)[0]
    server.repos["model", "org/student"].commits[A] = MODEL | {"config.json": b"{}"}  # listed and sent since
    with pytest.raises(HubError, match=r"config.json \(2 B\) is not what the hub says it is"):
        client.fetch_all([model()], found, lambda done, total: None, said.append)
    with pytest.raises(FileNotFoundError, match="is incomplete"):
        cached_snapshot("org/student", "model", A)


def test_jobs_say_what_to_run_where_nothing_was_fetched(server: Hub) -> None:
    with pytest.raises(FileNotFoundError, match="model org/student is not there at revision a.*`snakemake fetch`"):
        locate({"hub": "org/student", "revision": A}, [])
    with pytest.raises(FileNotFoundError, match="dataset org/rows is not there at revision main"):
        source_rows({"hub": "org/rows", "split": "train"}, [])
    assert not server.asked


def test_a_model_with_a_missing_part_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    )
    (tmp_path / "model-1.safetensors").touch()
    with pytest.raises(ValueError, match="model-2.safetensors missing, which model.safetensors.index.json names"):
        locate({"folder": str(tmp_path)}, [])


# ---------------------------------------------------------------- a file behind an address
def test_a_pinned_address(server: Hub, said: list[str]) -> None:
    import hashlib

    content = b'[{"prompt": "a"}]'
    server.files["/raw/a.json"] = content
    source = {"url": f"{server.endpoint}/raw/a.json", "sha256": hashlib.sha256(content).hexdigest()}
    asked = source | {"kind": "url", "paths": ["benchmarks.harmbench.source"]}
    with pytest.raises(FileNotFoundError, match="has not been fetched; run `snakemake fetch`"):
        source_rows(source, [])
    server.faults.append(Fault("/raw/a.json", 503))
    assert client.inspect([asked], EMPTY, said.append) == ([], [])
    client.fetch_all([asked], [], lambda done, total: None, said.append)
    server.files.clear()
    assert client.inspect([asked], EMPTY, said.append) == ([], [])  # it is here
    assert source_rows(source, []) == [{"prompt": "a"}]
    path = download_path(source["url"], source["sha256"])
    path.write_bytes(b"[]")
    with pytest.raises(ValueError, match="not the pinned"):
        cached_download(source["url"], source["sha256"])
    path.unlink()
    (text,) = client.inspect([asked], EMPTY, said.append)[1]
    assert "benchmarks.harmbench.source" in text and f"find a copy with sha256 {source['sha256']}" in text
    server.files["/raw/a.json"] = b"[]"
    with pytest.raises(HubError, match=f"find a copy with sha256 {source['sha256']}"):
        client.fetch_all([asked], [], lambda done, total: None, said.append)


# ---------------------------------------------------------------- data sets in the layouts of the hub
def parquet(rows: list[dict[str, Any]]) -> bytes:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def readme(*configs: str) -> list[str]:
    """Return the lines that tell `datasets` which configs there are."""
    return ["---", "configs:", *configs, "---", "# Rows"]


# Files with the numbers of their rows, what a source asks for, and the lines of README.md.
LAYOUTS: dict[str, tuple[dict[str, list[int]], dict[str, str], list[str]]] = {
    "parts in data/": (
        {"data/train-00000-of-00002.parquet": [0, 1], "data/train-00001-of-00002.parquet": [2]},
        {"split": "train"},
        [],
    ),
    "a folder for each config": (
        {"main/test-0.parquet": [0, 1, 2], "main/train-0.parquet": [1], "other/test.csv": [1]},
        {"config": "main", "split": "test"},
        readme(
            "- config_name: main\n  data_files: [{split: test, path: main/test-*}, {split: train, path: main/train-*}]",
            "- config_name: other\n  data_files: [{split: test, path: other/test*}]",
        ),
    ),
    "tab-separated, by config": (
        {"train/train.tsv": [1], "eval/eval.tsv": [0, 1, 2]},
        {"config": "eval", "split": "train"},
        readme(
            '- config_name: train\n  sep: "\\t"\n  data_files: train/train.tsv',
            '- config_name: eval\n  sep: "\\t"\n  data_files: eval/eval.tsv',
        ),
    ),
    "one of several csv files": (
        {"main.csv": [1], "diamond.csv": [0, 1, 2]},
        {"config": "diamond", "split": "train"},
        readme("- config_name: main\n  data_files: main.csv", "- config_name: diamond\n  data_files: diamond.csv"),
    ),
    "a file of lines for each split": ({"test.jsonl": [0, 1, 2], "train.jsonl": [1]}, {"split": "test"}, []),
    "lines under the name of .json": ({"test.json": [0, 1, 2]}, {"split": "test"}, []),
}
ROWS = [
    {"Question": 'Is "NA" a word, or\nnot?', "Answer": "None"},
    {"Question": "naïve\tΔ 东京", "Answer": "025"},
    {"Question": r"\frac{1}{2}, 3", "Answer": "NA"},
]


def written(path: str, numbers: list[int]) -> bytes:
    import csv
    import io

    rows = [ROWS[n] for n in numbers]
    if path.endswith(".parquet"):
        return parquet(rows)
    if path.endswith((".csv", ".tsv")):
        out = io.StringIO()
        writer = csv.DictWriter(out, ["Question", "Answer"], delimiter="\t" if path.endswith(".tsv") else ",")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().encode()
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_data_set_is_read_as_it_is_laid_out(
    server: Hub, said: list[str], layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "arrow"))
    files, asked, lines = LAYOUTS[layout]
    held = {path: written(path, numbers) for path, numbers in files.items()}
    if lines:
        held["README.md"] = "\n".join(lines).encode()
    held["load.py"] = b"raise SystemExit('code of a data set is never run')"
    server.add("dataset", "org/rows", held)
    fetched([dataset("org/rows")], said)
    source = {"hub": "org/rows", "revision": A} | asked
    server.asked.clear()
    assert source_rows(source, []) == ROWS
    assert not server.asked
    with pytest.raises(ValueError, match="data set org/rows: has no split 'nowhere' but '(train|test)'"):
        source_rows(source | {"split": "nowhere"}, [])
