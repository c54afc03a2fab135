"""The content of the user's own files, as part of what jobs depend on.

Snakemake looks into an input only if it is younger than the output: a file that is replaced by another one with an
older time would pass for the old one. So a source on this machine counts by its content.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from thinksafe.provenance.identity import file_digest

WHOLE = 1 << 26  # bytes; larger files of a model's folder, which are weights, are identified by samples
BLOCK = 1 << 20
BLOCKS = 16


def with_contents(value: Any) -> Any:
    """Return a part of a spec in which every local source has ``content``: the digest of its file or files."""
    if isinstance(value, list | tuple):
        return [with_contents(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: with_contents(part) for key, part in value.items()}
    if isinstance(path := value.get("file"), str):
        found["content"] = content_of(path)
    elif isinstance(path := value.get("folder"), str):
        files = sorted(file for file in Path(path).iterdir() if file.is_file())
        found["content"] = {file.name: content_of(file, samples=True) for file in files}
    return found


def content_of(path: str | Path, samples: bool = False) -> str:
    """Return a short digest of a file's content.

    ``samples``: of a file above `WHOLE` bytes, use the size and `BLOCKS` blocks from its first to its last byte.
    Training moves every weight, so other weights differ in them; reading gigabytes for each plan is too slow.
    """
    state = Path(path).stat()
    if samples and state.st_size > WHOLE:
        return _sampled(str(path), state.st_size, state.st_mtime_ns, state.st_ino)
    return file_digest(path)[:16]


@cache
def _sampled(path: str, size: int, _time: int, _inode: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        for number in range(BLOCKS):
            file.seek((size - BLOCK) * number // (BLOCKS - 1))
            digest.update(file.read(BLOCK))
    return f"{digest.hexdigest()[:16]} by samples"
