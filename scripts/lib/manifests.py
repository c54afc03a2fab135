"""What stands beside each artifact: its identity, which is deterministic, and its record, which is not.

The identity says what the artifact is made of: digests of its content, its share of the config, its code, its
environment and its inputs. Later rules take it as input where the artifact is a folder, and from a cell of a table one
walks back along it to the raw answers (`make trace`). The record says when, where and how long.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
from functools import cache
from pathlib import Path
from typing import Any

from scripts.lib.files import read_json, write_json
from scripts.lib.models import IDENTITY
from scripts.lib.versions import installed

RECORD = ".record.json"


def file_digest(path: str | Path) -> str:
    """Return the sha256 of a file's content; one process reads an unchanged file once (a user's weights are large)."""
    found = os.stat(path)
    return _file_digest(str(Path(path).absolute()), found.st_ino, found.st_mtime_ns, found.st_size)


@cache
def _file_digest(path: str, *state: int) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def content_digest(path: str | Path) -> str:
    """Return the sha256 of a file, or of the names and contents of a folder's files."""
    path = Path(path)
    if path.is_file():
        return file_digest(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    listing = [[str(file.relative_to(path)), file_digest(file)] for file in files]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def input_digest(path: str | Path) -> str:
    """Return the digest of an input's content; an identity stands for the artifact that it describes."""
    if str(path).endswith(IDENTITY):
        return hashlib.sha256(json.dumps(read_json(path)["content"], sort_keys=True).encode()).hexdigest()
    return content_digest(path)


def write_identity(job: dict[str, Any]) -> None:
    """Write what a finished job's outputs are made of."""
    write_json(
        job["identity"],
        {
            "content": {_name(output): content_digest(output) for output in job["outputs"]},
            "spec": json.loads(job["params"]["spec"]),
            "code": json.loads(job["params"]["code"]),
            "environment": json.loads(job["params"]["environment"]),
            "inputs": {_name(path): input_digest(path) for path in job["inputs"]},
        },
    )


def write_record(job: dict[str, Any], began: float, seconds: float) -> None:
    """Write when, where, how long and with what the attempt that finished a job ran."""
    path = Path(job["identity"].removesuffix(IDENTITY) + RECORD)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    write_json(
        path,
        {
            "began": began,
            "wall_seconds": round(seconds, 3),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            "peak_memory_mb": usage.ru_maxrss // 1024,
            "host": platform.node(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "device": _device(),
            "threads": job["threads"],
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
            "versions": {name: installed(name) for name in json.loads(job["params"]["environment"])},
        },
    )


def _name(path: str | Path) -> str:
    """Return a path as it reads from the run's folder, so that a moved or renamed run keeps its identities."""
    parts = Path(path).parts
    return "/".join(parts[2:]) if parts[:1] == ("results",) and len(parts) > 2 else str(path)


def _device() -> str:
    import sys

    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return "cpu"
    return torch.cuda.get_device_name()
