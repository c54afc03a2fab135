"""The identity beside each artifact, which is deterministic: digests of content, config, code, environment and inputs.

Later rules take it as input if the artifact is a folder. `trace` follows identities from a table's cell back to the
raw answers.
"""

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, read_json, write_json
from thinksafe.provenance.digests import ROOT, digest_of

SNAKEMAKES = ".snakemake_timestamp"  # Snakemake's own file in a folder, written after the identity


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
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != SNAKEMAKES)
    listing = [[str(file.relative_to(path)), file_digest(file)] for file in files]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def input_digest(path: str | Path) -> str:
    """Return the digest of an input's content; for an identity, of the contents that it describes."""
    if str(path).endswith(IDENTITY):
        return hashlib.sha256(json.dumps(read_json(path)["content"], sort_keys=True).encode()).hexdigest()
    return content_digest(path)


def job_key(job: dict[str, Any]) -> str:
    """Return a digest of all that a job's outputs depend on."""
    return digest_of([job["params"], [input_digest(path) for path in job["inputs"]]])


def write_identity(job: dict[str, Any]) -> None:
    """Write what a finished job's outputs are made of."""
    write_json(
        job["identity"],
        {
            "content": {_name(output, job): content_digest(output) for output in job["outputs"]},
            "spec": json.loads(job["params"]["spec"]),
            "code": json.loads(job["params"]["code"]),
            "environment": json.loads(job["params"]["environment"]),
            "inputs": {_name(path, job): input_digest(path) for path in job["inputs"]},
        },
    )


def _name(path: str | Path, job: dict[str, Any]) -> str:
    """Return a path from the run's folder, so that a moved run keeps its identities; else from the workflow's."""
    parts = Path(job["identity"]).parts
    run = Path(*parts[: parts.index("results") + 2]) if "results" in parts else None
    for folder in (run, ROOT):
        if folder and Path(path).is_relative_to(folder):
            return Path(path).relative_to(folder).as_posix()
    return str(path)
