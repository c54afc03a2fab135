"""A guard as a server on loopback: for GRPO, whose own process and GPU are busy with the policy (paper Sec. 5.3, E.2).

It listens once the guard is loaded. ``GET /health`` answers 200; ``POST /verdicts`` takes
``{"pairs": [[prompt, response], ...]}`` and gives ``{"verdicts": [...]}``, or another status with ``{"error": text}``.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from thinksafe.jobs.server import LOCAL, free_port, served

Pair = tuple[str, str]
Ask = Callable[[Sequence[Pair]], Sequence[dict[str, Any]]]


@contextmanager
def guard_server(
    folder: str,
    spec: dict[str, Any],
    format_file: str | None,
    log: str | Path,
    environment: dict[str, str] | None = None,
    waiting: Callable[[], None] = lambda: None,
) -> Iterator[str]:
    """Give the address at which a guard beside this process is asked for verdicts (`ask`)."""
    port = free_port()
    settings = json.dumps({"folder": folder, "spec": spec, "format_file": format_file, "port": port})
    command = [sys.executable, "-m", __name__, settings]
    address = f"http://{LOCAL}:{port}"
    with served(command, f"{address}/health", log, environment, waiting):
        yield address


def ask(address: str, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Return the verdicts of the guard at ``address``; RuntimeError with its own words if it fails."""
    request = urllib.request.Request(
        f"{address}/verdicts",
        data=json.dumps({"pairs": pairs}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["verdicts"]
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"guard server: {error.code}: {error.read().decode(errors='replace')[:500]}") from None


def serve(verdicts: Ask, port: int) -> None:
    """Answer until this process is ended."""
    lock = Lock()  # one engine, one request at a time

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
            self._answer(200, {"ready": True})

        def do_POST(self) -> None:  # noqa: N802
            try:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    found = list(verdicts(asked["pairs"]))
            except Exception as error:  # whatever it is, the asker must hear of it
                self._answer(500, {"error": f"{type(error).__name__}: {error}"})
            else:
                self._answer(200, {"verdicts": found})

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    ThreadingHTTPServer((LOCAL, port), Handler).serve_forever()


def _main() -> None:
    from thinksafe.inference.guards import Guard

    settings = json.loads(sys.argv[1])
    serve(Guard(settings["folder"], settings["spec"], settings["format_file"]).verdicts, settings["port"])


if __name__ == "__main__":
    _main()
