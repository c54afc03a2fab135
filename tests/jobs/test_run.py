"""How a job runs: environment, GPUs, exit status, and what it keeps until its identity is written."""

import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.jobs.jobs import job, plain
from thinksafe.errors import UserError
from thinksafe.jobs.gpu_leases import lease
from thinksafe.jobs.run import check_environment


def test_an_environment_that_is_not_the_pinned_one_is_named(monkeypatch):
    from importlib.metadata import version

    monkeypatch.delenv("THINKSAFE_ANY_VERSION", raising=False)
    check_environment({"numpy": version("numpy"), "torch": version("torch").split("+")[0]})
    with pytest.raises(UserError, match=r"numpy 0.1 is pinned, \d.* is installed; no-such-thing 1 is pinned, nothing"):
        check_environment({"numpy": "0.1", "no-such-thing": "1"})
    monkeypatch.setenv("THINKSAFE_ANY_VERSION", "1")
    check_environment({"numpy": "0.1"})


def test_a_job_is_not_charged_for_waiting_for_a_gpu(project, tmp_path, monkeypatch):
    """Its time and its meter begin with its lease (docs/jobs.md); the other run's job holds the only GPU until then."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("THINKSAFE_GPUS", "7")
    monkeypatch.setattr(tempfile, "tempdir", None)  # read again
    described = job(tmp_path / "made", "text") | {"gpus": 1}
    with lease(1, ["7"]), ThreadPoolExecutor() as pool:
        waiting = pool.submit(plain, project, described)
        until = time.monotonic() + 60
        while not (tmp_path / "made/log").exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(3)
        early, freed = list((tmp_path / "made").glob("*out*")), time.time()
        assert freed - (tmp_path / "made/log").stat().st_mtime < 2  # it is there: `thinksafe status` looks at this
        os.rename(tmp_path / f"thinksafe-gpus-{os.getuid()}/7", tmp_path / "still-held")  # who comes now finds it free
        assert waiting.result().returncode == 0
    record = json.loads((tmp_path / "made/out.record.json").read_text())
    assert not early and record["began"] >= freed and record["attempts"][0]["began"] >= freed


def test_a_failing_job_says_why_and_ends_with_status_1(project, tmp_path):
    told = plain(project, job(tmp_path / "a", "fail"))
    assert told.returncode == 1
    assert "error in test: ValueError: no such text" in told.stderr and "Traceback" not in told.stderr
    assert "Traceback" in (tmp_path / "a" / "log").read_text()
    assert plain(project, job(tmp_path / "b", "exit")).returncode == 1
    for name in "ab":
        assert not list((tmp_path / name).glob("out*"))


def test_what_a_job_kept_outlives_it_until_its_identity_is_written(project, tmp_path):
    described = job(tmp_path / "a", "journal")
    Path(described["identity"]).mkdir()  # stands for a disk that is full when the output has just been written
    assert plain(project, described).returncode == 1
    first = Path(tmp_path / "a" / "out").read_text().split()[0]
    (tmp_path / "a" / "out").unlink()  # as Snakemake does
    Path(described["identity"]).rmdir()
    assert plain(project, described).returncode == 0
    assert Path(tmp_path / "a" / "out").read_text().split()[0] == first
    left = {path.name for path in (tmp_path / "a").iterdir()}
    assert left == {"out", "out.identity.json", "out.record.json", "log"}
