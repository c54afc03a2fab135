"""A guard as a server on loopback, for GRPO, whose own process and GPU are busy with the policy (paper Sec. 5.3, E.2).

It listens once the guard is loaded. ``GET /health`` answers 200. ``POST /verdicts`` takes
``{"pairs": [[prompt, response], ...]}`` and returns ``{"verdicts": [...]}``, or ``{"error": text}`` and another status.
"""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from thinksafe.jobs.server import LOCAL, free_port, served


@contextmanager
def guard_server(
    folder: str,
    spec: dict[str, Any],
    format_file: str | None,
    log: str | Path,
    environment: dict[str, str] | None = None,
    waiting: Callable[[], None] = lambda: None,
) -> Iterator[str]:
    """Start a guard in a process of its own and give its address (`ask`); the process ends with the block."""
    port = free_port()
    settings = json.dumps({"folder": folder, "spec": spec, "format_file": format_file, "port": port})
    command = [sys.executable, "-m", __name__, settings]
    address = f"http://{LOCAL}:{port}"
    with served(command, f"{address}/health", log, environment, waiting):
        yield address


def ask(address: str, pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the verdicts of the guard at ``address``; RuntimeError with its message if it fails."""
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


def serve(verdicts: Callable[[Sequence[tuple[str, str]]], Iterable[dict[str, Any]]], port: int) -> None:
    """Answer requests until this process is ended."""
    lock = Lock()  # the engine takes one request at a time

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
            self._answer(200, {"ready": True})

        def do_POST(self) -> None:  # noqa: N802
            try:
                pairs = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["pairs"]
                with lock:
                    found = list(verdicts(pairs))
            except Exception as error:  # whatever it is, the client must learn of it
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


if __name__ == "__main__":
    from thinksafe.inference.guards import Guard

    settings = json.loads(sys.argv[1])
    port = settings.pop("port")
    serve(Guard(**settings).verdicts, port)
