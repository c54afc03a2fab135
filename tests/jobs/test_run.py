"""How jobs run: progress, environment, exit statuses, and the warm process that computes the same."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from thinksafe.jobs.gpu_leases import lease
from thinksafe.jobs.run import check_environment
from thinksafe.provenance.digests import ROOT

SCRIPT = '''
import os
from pathlib import Path

def {name}(text, output, key, progress):
    """Write a text and what the job was offered."""
    print("to the log")
    os.write(1, b"and this\\n")
    if text == "fail":
        raise ValueError("no such text")
    if text == "exit":
        raise SystemExit("enough")
    if text == "wait":
        import time
        for done in range(3000):
            progress(done, 3000)
            if done == 5:
                Path(output + ".begun").touch()
            time.sleep(0.02)
    if text == "journal":
        from thinksafe.jobs.journal import Journal
        with Journal(output, key, 1) as journal:
            if not journal.rows:
                journal.append([os.getpid()])
            text = str(journal.rows[0])
    import torch
    numbers = torch.nn.functional.gelu(torch.arange(9.0)).tolist()
    Path(output).write_text(f"{{text}} {{key}} {{torch.get_num_threads()}} {{numbers}}")
'''


# -------------------------------------------------------------------------------------------- environment
def test_an_environment_that_is_not_the_pinned_one_is_named(monkeypatch):
    from importlib.metadata import version

    monkeypatch.delenv("THINKSAFE_ANY_VERSION", raising=False)
    check_environment({"numpy": version("numpy"), "torch": version("torch").split("+")[0]})
    with pytest.raises(
        RuntimeError, match=r"numpy 0.1 is pinned, \d.* is installed; no-such-thing 1 is pinned, nothing"
    ):
        check_environment({"numpy": "0.1", "no-such-thing": "1"})
    monkeypatch.setenv("THINKSAFE_ANY_VERSION", "1")
    check_environment({"numpy": "0.1"})


# -------------------------------------------------------------------------------------------- jobs, warm and plain
@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with this project's library and one script, which is for tests."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "thinksafe", root / "thinksafe", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "scripts/stage").mkdir(parents=True)
    for folder in ("scripts", "scripts/stage"):
        (root / folder / "__init__.py").touch()
    (root / "scripts/stage/testing.py").write_text(SCRIPT.format(name="testing"))
    (root / "in.txt").write_text("input")
    return root


def job(folder, text):
    folder.mkdir(exist_ok=True)
    return {
        "function": "testing",
        "arguments": {"text": text, "output": str(folder / "out")},
        "log": str(folder / "log"),
        "title": "test",
        "threads": 1,
        "devices": 1,
        "gpus": 0,
        "params": {"spec": '{"a": 1}', "code": "{}", "environment": '{"torch": "0"}'},
        "inputs": ["in.txt"],
        "outputs": [str(folder / "out")],
        "identity": str(folder / "out.identity.json"),
        "driver": 0,
    }


def environment(project):
    return os.environ | {"PYTHONPATH": str(project), "THINKSAFE_ANY_VERSION": "1", "OMP_NUM_THREADS": "1"}


def plain(project, described):
    code = "import json, sys; from thinksafe.jobs.run import run; sys.exit(run(json.loads(sys.argv[1])))"
    command = [sys.executable, "-c", code, json.dumps(described)]
    return subprocess.run(command, cwd=project, env=environment(project), capture_output=True, text=True)


@pytest.fixture(scope="module")
def server(project, tmp_path_factory):
    """A warm process; its parent is a process that can be killed."""
    address = tmp_path_factory.mktemp("warm") / "socket"
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'thinksafe.jobs.warm_worker', sys.argv[1]])\n"
        "print(child.pid, flush=True)\nchild.wait()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(address)],
        cwd=project,
        env=environment(project),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    number = int(parent.stdout.readline())
    until = time.monotonic() + 30
    while not address.is_socket() and time.monotonic() < until:
        time.sleep(0.05)
    yield SimpleNamespace(address=str(address), parent=parent, pid=number)
    parent.kill()
    parent.wait()


def asked(project, server, described):
    code = (
        "import json, sys; from thinksafe.jobs.warm_worker import ask; "
        "sys.exit(ask(sys.argv[1], json.loads(sys.argv[2])))"
    )
    command = [sys.executable, "-c", code, server.address, json.dumps(described)]
    return subprocess.Popen(command, cwd=project, env=environment(project))


def alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_job_makes_the_same_bytes_warm_and_plain(project, server, tmp_path):
    found = {}
    for way in ("plain", "warm"):
        described = job(tmp_path / "made", "text é")
        status = plain(project, described).returncode if way == "plain" else asked(project, server, described).wait()
        assert status == 0
        log = (tmp_path / "made" / "log").read_text()
        assert "to the log" in log and "and this" in log
        files = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
        assert set(files) == {"out", "out.identity.json", "out.record.json", "log"}
        found[way] = files["out"], files["out.identity.json"]
        for path in (tmp_path / "made").iterdir():
            path.unlink()
    assert found["plain"] == found["warm"] and found["plain"][0].startswith("text é ".encode())


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


def test_a_failing_job_says_why_and_ends_with_status_1(project, server, tmp_path):
    told = plain(project, job(tmp_path / "a", "fail"))
    assert told.returncode == 1
    assert "error in test: ValueError: no such text" in told.stderr and "Traceback" not in told.stderr
    assert "Traceback" in (tmp_path / "a" / "log").read_text()
    assert asked(project, server, job(tmp_path / "b", "fail")).wait() == 1
    assert "ValueError: no such text" in (tmp_path / "b" / "log").read_text()
    assert plain(project, job(tmp_path / "c", "exit")).returncode == 1
    assert asked(project, server, job(tmp_path / "d", "exit")).wait() == 1
    for name in "abcd":
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


def test_sigterm_reaches_the_warm_job(project, server, tmp_path):
    described = job(tmp_path / "a", "wait")
    client = asked(project, server, described)
    until = time.monotonic() + 60
    while not (tmp_path / "a" / "out.begun").exists() and time.monotonic() < until:
        time.sleep(0.05)
    client.send_signal(signal.SIGTERM)
    assert client.wait(20) == 143
    assert not (tmp_path / "a" / "out").exists()


def test_a_client_that_goes_away_without_a_word_leaves_the_server_in_place(project, server, tmp_path):
    import socket

    for words in (b"", b"not json\n"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(server.address)
            client.sendall(words)
    time.sleep(0.5)
    assert Path(server.address).is_socket() and alive(server.pid)
    assert asked(project, server, job(tmp_path / "a", "text")).wait() == 0


def test_the_server_ends_with_its_parent(project, server):
    """The last of these tests: it kills the server's parent."""
    assert alive(server.pid)
    server.parent.kill()
    server.parent.wait()
    until = time.monotonic() + 10
    while alive(server.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(server.pid)
