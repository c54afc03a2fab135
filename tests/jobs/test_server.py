"""Servers beside a job: waited for by their health, and ended whatever happens."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from thinksafe.jobs.server import LOCAL, ServerError, free_port, served
from thinksafe.provenance.digests import ROOT

SERVER = """
import subprocess, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
port, seconds, child = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
began = time.monotonic()
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(child, "w").write(str(helper.pid))
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if time.monotonic() - began > seconds else 503)
        self.end_headers()
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def start(folder, seconds=0.0, **options):
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port), str(seconds), str(folder / "child")]
    return served(command, f"http://{LOCAL}:{port}/health", folder / "log", **options)


def alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def ended(pid, seconds=10):
    until = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not alive(pid)


def test_the_block_begins_when_the_server_is_healthy_and_leaves_nothing_behind(tmp_path):
    began, waits = time.monotonic(), []
    with start(tmp_path, 1.0, waiting=lambda: waits.append(1)) as server:
        assert time.monotonic() - began > 1.0 and waits
        child = int((tmp_path / "child").read_text())
        assert alive(server.pid) and alive(child)
    assert ended(server.pid) and ended(child)


def test_an_error_in_the_block_ends_the_server_too(tmp_path):
    with pytest.raises(KeyError):
        with start(tmp_path) as server:
            raise KeyError("x")
    assert ended(server.pid) and ended(int((tmp_path / "child").read_text()))


def test_a_stop_while_waiting_ends_the_server(tmp_path):
    def waiting():
        if (tmp_path / "child").exists():
            raise InterruptedError

    with pytest.raises(InterruptedError):
        with start(tmp_path, 1e9, waiting=waiting):
            raise AssertionError("never healthy")
    assert ended(int((tmp_path / "child").read_text()))


def test_a_server_that_fails_to_start_is_told_with_the_end_of_its_log(tmp_path):
    command = [sys.executable, "-c", "import sys; print('no such model'); sys.exit(3)"]
    with pytest.raises(ServerError, match="ended with status 3 before it was ready; (.|\n)*no such model"):
        with served(command, f"http://{LOCAL}:{free_port()}/", tmp_path / "log"):
            pass


def test_a_server_that_ignores_sigterm_is_killed(tmp_path):
    code = SERVER.replace("began =", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); began =")
    port = free_port()
    command = [sys.executable, "-c", code, str(port), "0", str(tmp_path / "child")]
    with served(command, f"http://{LOCAL}:{port}/", tmp_path / "log", grace=0.5) as server:
        pass
    assert ended(server.pid)


def test_a_killed_job_takes_its_server_along(tmp_path):
    code = (
        "import sys; from pathlib import Path; from tests.jobs.test_server import start\n"
        "with start(Path(sys.argv[1])) as server:\n"
        "    print(server.pid, flush=True); import time; time.sleep(600)"
    )
    job = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    server = int(job.stdout.readline())
    assert alive(server)
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    assert ended(server)
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)  # of a server that minds none of its own
