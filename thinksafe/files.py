"""Rows in Parquet and facts in JSON; a file is written completely or not at all."""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

Row = dict[str, Any]  # of a table, or of prompts, responses, verdicts
# Suffixes of the files with an artifact's dependencies, and with when and where it was made (provenance/identity.py).
IDENTITY = ".identity.json"
RECORD = ".record.json"


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path that replaces ``path``, flushed to disk, when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def locked(path: str | Path) -> IO[bytes] | None:
    """Open a file for reading and appending, and lock it until it is closed; None if somebody else has locked it."""
    file = open(path, "a+b")  # noqa: SIM115 - whoever holds the lock closes it
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def write_rows(path: str | Path, rows: Sequence[Row], columns: dict[str, type]) -> None:
    """Write ``rows`` as Parquet with exactly ``columns`` (str, int, float or bool; each may be null)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    table = pa.table({name: [row.get(name) for row in rows] for name in columns}, schema=schema)
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_table(path: str | Path, rows: Sequence[Row]) -> None:
    """Write ``rows`` as Parquet with the columns of the first row, and types that are inferred."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with atomic(path) as temporary:
        pq.write_table(pa.Table.from_pylist(list(rows)), temporary, compression="zstd")


def read_rows(paths: str | Path | Sequence[str | Path]) -> list[Row]:
    """Return the rows of one Parquet file, or of several in their order."""
    import pyarrow.parquet as pq

    if isinstance(paths, (str, Path)):
        paths = [paths]
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def read_json(path: str | Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a whole file."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as JSON with sorted keys, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
