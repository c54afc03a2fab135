"""The warm process computes what a plain one computes, stops its jobs, and ends with its parent."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.jobs.jobs import environment, job, plain


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


def test_a_failing_job_says_why_and_ends_with_status_1(project, server, tmp_path):
    assert asked(project, server, job(tmp_path / "a", "fail")).wait() == 1
    assert "ValueError: no such text" in (tmp_path / "a" / "log").read_text()
    assert asked(project, server, job(tmp_path / "b", "exit")).wait() == 1
    for name in "ab":
        assert not list((tmp_path / name).glob("out*"))


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
