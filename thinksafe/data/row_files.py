"""Rows of a CSV, TSV, JSON, JSONL or Parquet file, with every text exactly as in the file.

No value is interpreted: "NA" and "None" stay texts, 025 keeps its zero, a number in a JSON file is the text in which it
is written. An encoding that the file does not declare is inferred from all of its bytes by a fixed rule and reported.
"""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thinksafe.files import Row

Rows = list[Row]
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
MARKS = {  # the longest first
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
NOT_IN_CP1252 = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D])
END = "\x00end\x00"  # a last line of its own, which an open quote would swallow


def parse_rows(
    name: str,
    content: bytes,
    where: str,
    say: Callable[[str], None],
    encoding: str | None = None,
    separator: str | None = None,
) -> Rows:
    """Return the rows of a file as dicts; ValueError with the place where it breaks its format or encoding.

    Parameters
    ----------
    name : its name, whose ending gives the format
    content : its bytes
    where : its name in errors
    say : gets a message about the encoding if the file is not UTF-8
    encoding : of a text; inferred by `decode` if None
    separator : of a CSV file's fields; by the ending if None
    """
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{where}: cannot read {suffix or 'a file without ending'}; use one of {', '.join(SUFFIXES)}")
    if suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.read_table(io.BytesIO(content)).to_pylist()
        except pa.ArrowInvalid as error:
            raise ValueError(f"{where}: this is not Parquet ({error})") from error
    text = decode(content, where, say, encoding)
    if suffix == ".jsonl":
        return _lines(text, where)
    if suffix == ".json":
        return _json(text, where)
    return _table(text, where, separator or ("\t" if suffix == ".tsv" else ","))


def decode(content: bytes, where: str, say: Callable[[str], None], encoding: str | None = None) -> str:
    """Return bytes as text, without a byte-order mark.

    A byte-order mark gives the encoding. Without one, a text that can be UTF-8 is UTF-8, zeros at many second bytes are
    UTF-16, and anything else is Windows-1252, which has all printable characters of Latin-1, or Latin-1 if a byte is no
    character of Windows-1252.
    """
    if encoding is None:
        mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
        if mark:
            encoding = MARKS[mark]
        elif zeros := [start for start in (0, 1) if content[start:4096:2].count(0) > len(content[:4096]) / 8]:
            encoding = "utf-16-be" if zeros[0] == 0 else "utf-16-le"
        else:
            try:
                return content.decode("utf-8")
            except UnicodeDecodeError as error:
                encoding = "latin-1" if any(code in content for code in NOT_IN_CP1252) else "cp1252"
                line = content.count(b"\n", 0, error.start) + 1
                sample = content[max(0, error.start - 20) : error.start + 20].decode(encoding)
                say(
                    f"{where}: is not UTF-8 (line {line}), taken for {encoding}, in which that place reads {sample!r}; "
                    "if that is wrong, say `encoding:` in its source"
                )
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise ValueError(f"{where}: no encoding is called {encoding!r}; utf-8, cp1252 and utf-16 are some") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{where}, line {line}: byte {content[error.start]:#04x} is no character in {encoding}; say `encoding:` "
            "in its source, or save the file as UTF-8"
        ) from None


def _load(text: str) -> Any:
    """Return JSON with each number as the text in which it is written."""
    return json.loads(text, parse_int=str, parse_float=str)


def _lines(text: str, where: str) -> Rows:
    rows = []
    # Only a newline ends a record: JSON strings may hold other characters that `splitlines` would cut at.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append(_load(line))
            except ValueError as error:
                raise ValueError(f"{where}, line {number}: this is not JSON ({error})") from error
            if not isinstance(rows[-1], dict):
                raise ValueError(f'{where}, line {number}: a row must be a JSON object, as {{"prompt": ...}}')
    return rows


def _json(text: str, where: str) -> Rows:
    """Return the rows of a JSON document: a list of objects, an object of columns, or objects line by line."""
    if not text.strip():
        return []
    try:
        found = _load(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # JSON lines with the ending .json, as on the hub
            return _lines(text, where)
        raise ValueError(f"{where}: this is not JSON ({error})") from error
    if isinstance(found, dict) and len(found) == 1:  # {"data": [{...}, ...]}
        (inside,) = found.values()
        if isinstance(inside, list) and inside and all(isinstance(row, dict) for row in inside):
            found = inside
    if isinstance(found, dict) and found:
        found = _columns(found)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ValueError(f"{where}: a JSON source must be a list of objects, or an object of columns of one length")
    return found


def _columns(found: dict[str, Any]) -> Rows | None:
    """Return the rows of {"prompt": [...], ...}, or of {"prompt": {"0": ..., ...}, ...} as of pandas; else None."""
    parts = list(found.values())
    if all(isinstance(part, dict) for part in parts):
        if any(part.keys() != parts[0].keys() for part in parts):
            return None
        parts = [list(part.values()) for part in parts]
    if not all(isinstance(part, list) for part in parts) or len({len(part) for part in parts}) != 1:
        return None
    return [dict(zip(found, values, strict=True)) for values in zip(*parts, strict=True)]


def _table(text: str, where: str, separator: str) -> Rows:
    """Return the rows of delimited text; quotes may hold separators, line ends and doubled quotes."""
    if not text.strip():
        return []
    csv.field_size_limit(2**31 - 1)
    # Line ends inside a quoted field are kept.
    text += ("" if text.endswith(("\n", "\r")) else "\n") + END
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    head = next(reader)
    # A duplicate name names no column; this is an error only for a source that uses it.
    head = [f"{name} (column {n})" if head.count(name) > 1 else name for n, name in enumerate(head, 1)]
    rows, began = [], reader.line_num + 1
    for cells in reader:
        if cells == [END]:
            return rows
        if cells and cells[-1].endswith(END):
            break
        if len(cells) > len(head):
            raise ValueError(
                f"{where}, line {began}: {len(cells)} fields under {len(head)} columns; a field that holds "
                f"{separator!r} must be in quotes"
            )
        if cells:
            rows.append(dict(zip(head, cells + [None] * (len(head) - len(cells)), strict=True)))
        began = reader.line_num + 1
    raise ValueError(f"{where}, line {began}: a quote that opens in this row is never closed")
