"""Finished samples, kept beside an output that is not complete yet, so that an interrupted job loses one batch at most.

The journal's name has a key, the digest of everything that its rows depend on: the job's spec, code, environment and
inputs (`thinksafe.provenance.identity.job_key`; `thinksafe.jobs.run` passes it to the script as ``key``). A journal of
other settings is never read, and changing a setting back finds the old one again. Snakemake deletes the declared
outputs of a failed job, so a journal is never declared; it is removed after the job's identity and record are written
(`thinksafe.jobs.records.remove_unfinished`).
"""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Self


class JournalBusyError(RuntimeError):
    """Another process is writing the same output."""


class Journal:
    """Append-only records of one job; ``rows`` holds what earlier attempts finished.

    Parameters
    ----------
    output : path
        The file that the job makes; the journal is beside it.
    key : str
        Digest of everything that the rows depend on.
    batch : int
        Records come in batches of this size; an incomplete batch is dropped and redone whole.
    """

    def __init__(self, output: str | Path, key: str, batch: int) -> None:
        output = Path(output)
        output.parent.mkdir(parents=True, exist_ok=True)
        self.path = output.with_name(f".{output.name}.{key}.journal")
        self._file = open(self.path, "a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise JournalBusyError(
                f"{output}: another job is writing it now (journal {self.path} is locked)"
            ) from error
        if not os.fstat(self._file.fileno()).st_nlink:  # its owner finished and removed it just now
            self._file.close()
            raise JournalBusyError(f"{output}: another job has just written it")
        self.rows, keep = self._read(batch)
        self._file.truncate(keep)
        self._file.seek(keep)

    def _read(self, batch: int) -> tuple[list[Any], int]:
        self._file.seek(0)
        rows, ends = [], [0]
        for line in self._file:
            check, _, body = line.rstrip(b"\n").partition(b" ")
            if not line.endswith(b"\n") or check != _checksum(body):
                break
            rows.append(json.loads(body))
            ends.append(ends[-1] + len(line))
        whole = len(rows) - len(rows) % batch
        return rows[:whole], ends[whole]

    def append(self, rows: list[Any]) -> None:
        """Write the records of one batch and wait until they are on disk."""
        for row in rows:
            body = json.dumps(row, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
            self._file.write(_checksum(body) + b" " + body + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.rows.extend(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:16].encode()
