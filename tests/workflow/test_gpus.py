"""A run on one machine with GPUs (`profiles/gpus`), which are names here: jobs lease them and wait for one another."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from thinksafe.files import read_json

ROOT = Path(__file__).parents[2]
ASKED = {"sample_responses": 1, "judge_responses": 2}  # of the two GPUs that the profile has


@pytest.mark.slow
def test_jobs_lease_what_they_ask_for_and_results_know_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", str(ROOT / "config/smoke.yaml"), "--workflow-profile", "none"]
    asked = [f"{rule}:gpu={count}" for rule, count in ASKED.items()]
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    done = subprocess.run(
        [*command, "--profile", str(ROOT / "profiles/gpus"), "--set-resources", *asked, "--", "dataset"],
        cwd=tmp_path,
        env=environment | {"TMPDIR": str(tmp_path / "tmp")},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    assert {path.name for path in (tmp_path / "tmp").glob("thinksafe-*/*")} == {
        "0",
        "1",
    }  # leases, and nothing else left
    for rule, count in ASKED.items():
        folder = {"sample_responses": "responses", "judge_responses": "verdicts"}[rule]
        records = [read_json(path) for path in (tmp_path / "results/smoke" / folder).rglob("*.record.json")]
        assert records
        for record in records:
            assert [attempt["devices"] for attempt in record["attempts"]] == [count]
            assert record["device_seconds"] == pytest.approx(count * record["wall_seconds"], abs=0.002)
    flags = ["--cores", "1", "--rerun-triggers", "mtime", "params", "input", "-n", "dataset"]
    again = subprocess.run([*command, *flags], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "Nothing to be done" in again.stdout + again.stderr
