"""A hub on loopback: what `huggingface_hub` needs to look up, list, download and push, with its faults."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Repo:
    """A repository: the files of each commit, what its branches and tags point to, and who may read files."""

    commits: dict[str, dict[str, bytes]]
    refs: dict[str, str]
    gated: bool = False
    hidden: bool = False  # so that its listing is gated as well

    def push(self, commit: str, files: dict[str, bytes], ref: str = "main") -> None:
        """Let ``ref`` point to a new commit."""
        self.commits[commit], self.refs[ref] = files, commit


@dataclass
class Fault:
    """What happens at the next ``times`` requests whose path contains ``path``: a status, or a cut connection."""

    path: str
    status: int = 0  # 0: the connection is cut in the middle of the body
    times: int = 1
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)


class Hub:
    """The content of the server, and the requests that it got."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.files: dict[str, bytes] = {}  # plain files, at addresses of their own
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, Range
        self.readers = {"reader"}  # tokens that have accepted every licence
        self.tokens = {"reader", "stranger"}
        self.large: dict[str, bytes] = {}  # files that were uploaded before their commit, by sha256
        self.endpoint = ""

    def add(self, kind: str, name: str, files: dict[str, bytes], commit: str = "a" * 40, gated: bool = False) -> Repo:
        """Serve a repository with one commit."""
        self.repos[kind, name] = Repo({commit: files}, {"main": commit}, gated)
        return self.repos[kind, name]

    def paths(self, method: str = "GET") -> list[str]:
        """Return the requested paths."""
        return [path for found, path, _ in self.requests if found == method]


def large(path: str) -> bool:
    """Return whether a file is stored by its sha256, as with Git LFS."""
    return path.endswith((".safetensors", ".parquet", ".bin"))


def digest(path: str, content: bytes) -> str:
    """Return the digest by which the hub names a file's content."""
    if large(path):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:  # noqa: N802
        self.answer()

    def do_GET(self) -> None:  # noqa: N802
        self.answer()

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path, self.headers.get("Range")))
        cut = False
        for fault in self.hub.faults:
            if fault.times and fault.path in path and fault.method == self.command:
                fault.times -= 1
                if fault.status:
                    return self.reply(fault.status, b"", fault.headers)
                cut = True
                break
        if path in self.hub.files:
            return self.reply(200, self.hub.files[path], {}, cut)
        parts = path.strip("/").split("/")
        api = parts[0] == "api"
        kind = "dataset" if "datasets" in parts[: 1 + api] else "model"
        parts = parts[1 + api :] if api else parts[kind == "dataset" :]
        name, (verb, revision, *rest) = "/".join(parts[:2]), (*parts[2:], "", "")
        repo = self.hub.repos.get((kind, name))
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            return self.refuse(401, "", "Invalid credentials in Authorization header")
        if repo is None:  # the hub does not say what exists without a login
            return self.refuse(404 if token else 401, "RepoNotFound", "Repository not found")
        commit = repo.refs.get(revision, revision)
        if commit not in repo.commits:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        files = repo.commits[commit]
        if token not in self.hub.readers and (repo.hidden or repo.gated and not api):
            return self.refuse(403 if token else 401, "GatedRepo", f"Access to {kind} {name} is restricted.")
        if api:
            return self.send_info(name, commit, files) if verb == "revision" else self.list(files)
        file = "/".join(part for part in rest if part)
        if file not in files:
            return self.refuse(404, "EntryNotFound", "Entry not found")
        content, name_of = files[file], digest(file, files[file])
        headers = {"X-Repo-Commit": commit, "ETag": f'"{name_of}"', "Accept-Ranges": "bytes"}
        if large(file):
            headers |= {"X-Linked-Etag": f'"{name_of}"', "X-Linked-Size": str(len(content))}
        self.reply(200, content, headers, cut)

    def do_PUT(self) -> None:  # noqa: N802
        """Take a large file."""
        content = self.body()
        if self.failed():
            return
        self.hub.large[hashlib.sha256(content).hexdigest()] = content
        self.reply(200, b"", {})

    def do_POST(self) -> None:  # noqa: N802
        """Take what is pushed: a new repository, a question about files, a commit."""
        path, content = unquote(urlsplit(self.path).path), self.body()
        if self.failed():
            return
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in self.hub.readers:
            return self.refuse(401, "", "Invalid credentials in Authorization header")
        if path == "/api/repos/create":
            asked = json.loads(content)
            kind, name = asked.get("type", "model"), f"{asked['organization']}/{asked['name']}"
            if (kind, name) in self.hub.repos:
                return self.say({"url": f"{self.hub.endpoint}/{name}"}, 409)
            self.hub.repos[kind, name] = Repo(
                {"0" * 40: {}}, {"main": "0" * 40}, hidden=asked.get("visibility") == "private"
            )
            return self.say({"url": f"{self.hub.endpoint}/{name}"})
        if path == "/api/validate-yaml":
            return self.say({"errors": [], "warnings": []})
        if path.endswith("/objects/batch"):
            objects = json.loads(content)["objects"]
            for entry in objects:
                if entry["oid"] not in self.hub.large:
                    entry["actions"] = {"upload": {"href": f"{self.hub.endpoint}/large/{entry['oid']}"}}
            return self.say({"transfer": "basic", "objects": objects})
        _, kinds, owner, name, verb, revision = path.strip("/").split("/")
        repo = self.hub.repos[kinds.removesuffix("s"), f"{owner}/{name}"]
        files = repo.commits[repo.refs[revision]]
        if verb == "preupload":
            asked = [file["path"] for file in json.loads(content)["files"]]
            modes = [{"path": p, "uploadMode": "lfs" if large(p) else "regular", "shouldIgnore": False} for p in asked]
            return self.say({"files": modes})
        new = dict(files)
        for line in map(json.loads, content.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                new[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                new[value["path"]] = self.hub.large[value["oid"]]
        commit = hashlib.sha1(repr(sorted(new.items())).encode()).hexdigest()
        repo.push(commit, new)
        self.say(
            {"success": True, "commitUrl": f"{self.hub.endpoint}/{owner}/{name}/commit/{commit}", "commitOid": commit}
        )

    def body(self) -> bytes:
        """Read what was sent, in one piece or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def failed(self) -> bool:
        """Record the request, and answer with a fault if there is one for it."""
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path, None))
        for fault in self.hub.faults:
            if fault.times and fault.path in path and fault.method == self.command:
                fault.times -= 1
                self.reply(fault.status, b"", fault.headers)
                return True
        return False

    def say(self, value: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send_info(self, name: str, commit: str, files: dict[str, bytes]) -> None:
        """Answer what a repository is."""
        facts = {"_id": "1", "id": name, "sha": commit, "siblings": [{"rfilename": file} for file in files]}
        self.reply(200, json.dumps(facts).encode(), {"Content-Type": "application/json"})

    def list(self, files: dict[str, bytes]) -> None:
        """Answer with a repository's files."""
        listing: list[dict[str, Any]] = []
        for file, content in files.items():
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry = {"type": "file", "path": file, "size": len(content), "oid": git}
            if large(file):
                entry["lfs"] = {"oid": digest(file, content), "size": len(content), "pointerSize": 134}
            listing.append(entry)
        self.reply(200, json.dumps(listing).encode(), {"Content-Type": "application/json"})

    def refuse(self, status: int, code: str, message: str) -> None:
        """Answer as the hub refuses."""
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self.reply(status, json.dumps({"error": message}).encode(), headers)

    def reply(self, status: int, body: bytes, headers: dict[str, str], cut: bool = False) -> None:
        """Send an answer, or a part of it."""
        wanted = self.headers.get("Range")
        if status == 200 and wanted:
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            headers = headers | {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            status, body = 206, body[start:]
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.wfile.flush()
            self.close_connection = True


@contextmanager
def serving() -> Iterator[Hub]:
    """Give a hub that is served on loopback while the block runs."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
