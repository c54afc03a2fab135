"""The hub and the workflow: a lock changes its own jobs only; the login node fetches; jobs run without the hub."""

import copy
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hub.hub_server import Hub, serving
from tests.workflow.dags import ROOT, plans
from thinksafe.config import settings
from thinksafe.config.types import plain
from thinksafe.files import read_rows
from thinksafe.hub.lock import read_lock

A, B = "a" * 40, "b" * 40
SMOKE = plain(settings.load([ROOT / "config/config.yaml", ROOT / "config/smoke.yaml"]))
OVERLAY = {
    "select": {"students": ["mine"], "methods": ["initial"], "benchmarks": ["gsm8k"]},
    "models": {"mine": {"label": "Mine", "size": "1B", "family": "qwen3", "source": {"hub": "org/student"}}},
    "benchmarks": {"gsm8k": {"source": {"hub": "org/rows", "split": "test"}, "rows": 2}},
    "prompts": {role: {"source": {"hub": "org/prompts", "split": "train"}} for role in ("harmful", "benign")},
}


def specs(cases: list[tuple[dict[str, Any], dict[str, Any]]], folder: Path) -> list[dict[str, str]]:
    """Return the spec of each job, by its first output, for each pair of a config and a lock."""
    mutations = []
    for number, (config, lock) in enumerate(cases):
        path = folder / f"{number}.lock.yaml"
        path.write_text(yaml.safe_dump(lock))
        mutations.append({"config": config | {"hub": {"lock": str(path)}}})
    found = plans(mutations, folder)
    assert not [plan["error"] for plan in found if "error" in plan]
    return [{job[4][0]: job[2]["spec"] for job in plan["jobs"]} for plan in found]


@pytest.mark.slow
def test_locking_is_writing_a_revision_and_touches_no_other_job(tmp_path: Path) -> None:
    config = plain(settings.validate(settings.merge([SMOKE, {**OVERLAY, "prompts": {}}])))
    written = copy.deepcopy(config)
    written["models"]["mine"]["source"]["revision"] = A
    student, rows = {"models": {"org/student": {"main": {"commit": A}}}}, {"org/rows": {"main": {"commit": B}}}
    none, one, both, same = specs(
        [(config, {}), (config, student), (config, {**student, "datasets": rows}), (written, {})], tmp_path
    )
    assert one == same
    assert none.keys() == one.keys() == both.keys()
    assert {path.split("/")[2] for path in none if none[path] != one[path]} == {"answers"}
    assert {path.split("/")[2] for path in none if one[path] != both[path]} == {"benchmarks"}


@pytest.fixture
def server() -> Iterator[Hub]:
    """Return a hub with a student and two data sets."""
    with serving() as served:
        served.add("model", "org/student", {"config.json": b"{}", "model.safetensors": b"weights"}, A)
        served.add("dataset", "org/rows", {"test.jsonl": b'{"question": "1 + 1?", "answer": "#### 2"}\n' * 2}, B)
        served.add("dataset", "org/prompts", {"train.csv": b"instruction,label\na,vanilla_harmful\n"}, A, gated=True)
        yield served


@pytest.mark.slow
def test_lock_check_fetch_and_run_without_the_hub(server: Hub, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("*.lock.yaml"))
    overlay = {"run": "fetched", **OVERLAY, "guards": {"llama-guard-3": {"source": {"hub": "org/student"}}}}
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(overlay))

    def snakemake(*arguments: str, **more: str) -> tuple[int, str]:
        command = [
            sys.executable,
            "-m",
            "snakemake",
            *arguments,
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--cores",
            "2",
        ]
        done = subprocess.run(
            [*command, "--workflow-profile", str(ROOT / "profiles/default"), "--configfile", "overlay.yaml"],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if not key.startswith(("HF_", "THINKSAFE_"))}
            | {"HF_ENDPOINT": server.endpoint, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1", **more},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    lock, target = tmp_path / "config/hub.lock.yaml", "results/fetched/benchmarks/gsm8k.parquet"
    code, text = snakemake(target)
    assert code and "org/rows: taken from the hub at no fixed commit. Run `snakemake lock_hub`" in text
    assert not server.requests
    code, text = snakemake("fetch")  # locks first; one of the sources is gated
    assert code and "https://huggingface.co/datasets/org/prompts" in text and "there is no token" in text
    assert read_lock(lock)["datasets"]["org/rows"]["main"]["commit"] == B
    assert not [path for path in server.paths() if "/resolve/" in path]
    code, text = snakemake("check_hub", HF_TOKEN="reader")
    assert not code and "3 repositories" in text, text
    before = lock.read_bytes()
    code, text = snakemake("fetch", HF_TOKEN="reader")
    assert not code, text
    assert lock.read_bytes() == before
    server.requests.clear()
    code, text = snakemake(target)
    assert not code, text
    assert not server.requests
    assert [row["answer"] for row in read_rows(tmp_path / target)] == ["2", "2"]
    server.repos["dataset", "org/rows"].push(A, {"test.jsonl": b'{"question": "1 + 2?", "answer": "3"}\n' * 2})
    code, text = snakemake("lock_hub")
    assert code and f"org/rows: main has moved from {B}, which the lock keeps, to {A}" in text
    assert yaml.safe_load(lock.read_text())["datasets"] == yaml.safe_load(before)["datasets"]
    code, text = snakemake("lock_hub", "--config", "hub={accept: [org/rows]}")
    # The whole config is locked, so that what this hub lacks of it is reported too.
    assert "moved  dataset org/rows" in text and "allenai/wildguard" in text
    assert read_lock(lock)["datasets"]["org/rows"]["main"]["commit"] == A
    code, text = snakemake(target)  # another commit: made again, once it is here
    assert code and f"dataset org/rows is not there at revision {A}" in text and "`snakemake fetch`" in text
