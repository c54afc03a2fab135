"""Finished samples, kept beside an output that is not complete yet, so that an interrupted job loses one batch at most.

The journal's name has a key, the digest of all that its rows depend on (`thinksafe.provenance.identity.job_key`): a
journal of other settings is never read, and changing a setting back finds the old one again. Snakemake deletes the
outputs of a failed job, so a journal is none of them; `thinksafe.jobs.records.remove_unfinished` removes it.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Self

from thinksafe.files import locked


class JournalBusyError(RuntimeError):
    """Another process is writing the same output."""


class Journal:
    """Append-only records of one job, beside its ``output``; ``rows`` holds what earlier attempts finished.

    Records come in batches of the size ``batch``; an incomplete batch is dropped and redone whole.
    """

    def __init__(self, output: str | Path, key: str, batch: int) -> None:
        output = Path(output)
        output.parent.mkdir(parents=True, exist_ok=True)
        self.path = output.with_name(f".{output.name}.{key}.journal")
        if not (file := locked(self.path)):
            raise JournalBusyError(f"{output}: another job is writing it now (journal {self.path} is locked)")
        self._file = file
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
