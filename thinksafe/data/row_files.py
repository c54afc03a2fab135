"""Rows of a CSV, TSV, JSON, JSONL or Parquet file, perhaps compressed, with every text exactly as in the file.

No value is interpreted: "NA" and "None" stay texts, 025 keeps its zero, a number in a JSON file is the text in which it
is written. Nothing is guessed that could change a text: an encoding that neither the file nor the config names, a quote
that ends in the middle of a field, a row with another number of fields and half a character are errors with their line.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from thinksafe.files import Row

Rows = list[Row]
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
}
MARKS = {  # the longest first
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# Encodings in which an error shows the place; those whose bytes are all ASCII are found by a mark.
LEGACY = ("gb18030", "big5", "cp932", "euc_jp", "cp949", "cp1252", "cp1251", "koi8_r", "cp1250", "mac_roman")
SEVEN_BIT = {"iso2022_jp": b"\x1b$", "iso2022_kr": b"\x1b$", "hz": b"~{"}
MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# How a table is read: names, defaults and meaning as of pandas' `read_csv`, which the cards of data sets use.
TABLE: dict[str, Any] = dict(
    sep=",", quotechar='"', quoting=0, escapechar=None, doublequote=True, skipinitialspace=False,
    header="infer", names=None, comment=None, skiprows=None, nrows=None, skipfooter=0, na_values=None,
)  # fmt: skip


def parse_rows(
    name: str,
    content: bytes,
    where: str,
    encoding: str | None = None,
    table: Mapping[str, Any] | None = None,
    field: str | None = None,
) -> Rows:
    """Return the rows of a file as dicts; ValueError with the place where it breaks its format or encoding.

    Parameters
    ----------
    name : its name, whose ending gives the format, and behind it the compression
    content : its bytes
    where : its name in errors
    encoding : of a text; that of its byte-order mark, or UTF-8, if None
    table : how a CSV or TSV file is read where it differs from `TABLE`
    field : under which a JSON document holds the rows
    """
    path = Path(name.lower())
    if path.suffix in COMPRESSED:
        try:
            content = COMPRESSED[path.suffix](content)
        except (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise ValueError(f"{where}: this is not a whole {path.suffix} file ({error})") from error
        path = path.with_suffix("")
    if (suffix := path.suffix) not in SUFFIXES:
        raise ValueError(
            f"{where}: cannot read {suffix or 'a file without ending'}; use one of {', '.join(SUFFIXES)}, as it is or "
            f"with {', '.join(COMPRESSED)} behind it"
        )
    if suffix == ".parquet":
        return _parquet(content, where)
    text = decode(content, where, encoding)
    if suffix == ".jsonl":
        return _lines(text, where)
    if suffix == ".json":
        return _json(text, where, field)
    return _table(text, where, {"sep": "\t" if suffix == ".tsv" else ",", **(table or {})})


def _parquet(content: bytes, where: str) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_table(io.BytesIO(content))
    except pa.ArrowInvalid as error:
        raise ValueError(f"{where}: this is not Parquet ({error})") from error
    rows: Rows = []
    try:
        for batch in found.to_batches():
            rows += batch.to_pylist()
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: a text after row {len(rows)} is not UTF-8 ({error}); write the file anew") from None
    return rows


def decode(content: bytes, where: str, encoding: str | None = None) -> str:
    """Return bytes as text, without a byte-order mark.

    A byte-order mark gives the encoding; without one, zeros at many second bytes are UTF-16, and all else is UTF-8. No
    other encoding is guessed: in a text with few letters beyond ASCII a guess is often wrong, and nothing tells.
    """
    given = encoding
    if encoding is None:
        mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
        zeros = [start for start in (0, 1) if content[start:4096:2].count(0) > len(content[:4096]) / 8]
        encoding = MARKS[mark] if mark else ("utf-16-be" if zeros[0] == 0 else "utf-16-le") if zeros else "utf-8"
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise ValueError(f"{where}: no encoding is called {encoding!r}; utf-8, cp1252 and utf-16 are some") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].decode(encoding, "replace").count("\n") + 1
        raise ValueError(
            f"{where}, line {line}: {content[error.start]:#04x}, byte {error.start + 1} of the file, is no character "
            f"in {encoding}; {_remedy(content, error.start, encoding)}"
        ) from None
    for name, mark in SEVEN_BIT.items():
        if given is None and mark in content and _readable(content, name):
            line = content.count(b"\n", 0, content.index(mark)) + 1
            raise ValueError(
                f"{where}, line {line}: reads {_line_at(content, content.index(mark), name)!r} in {name}; set "
                f"`encoding: {name}` in its source, or `encoding: utf-8` if it is ASCII"
            )
    return text


def _readable(content: bytes, encoding: str) -> bool:
    """Return whether bytes are text in an encoding: all of them are characters, and none is a control character."""
    try:
        return not re.search(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ue000-\uf8ff]", content.decode(encoding))
    except UnicodeDecodeError:
        return False


def _line_at(content: bytes, place: int, encoding: str) -> str:
    """Return the part around a byte of the line that it is in."""
    start = content.rfind(b"\n", 0, place) + 1
    line = content[start:].partition(b"\n")[0].rstrip(b"\r")
    middle = len(line[: place - start].decode(encoding, "replace"))
    return line.decode(encoding, "replace")[max(0, middle - 30) : middle + 30]


def _remedy(content: bytes, place: int, encoding: str) -> str:
    """Return what to do about a byte that is no character."""
    if encoding.startswith(("utf-16", "utf-32")):
        return "save the file as UTF-8"
    beyond = sum(byte > 0x7F for byte in content)
    broken = beyond - sum(map(len, MULTIBYTE.findall(content)))  # bytes that are no characters of UTF-8
    mend = f"if the file is UTF-8 ({beyond - broken} of its {beyond} bytes beyond ASCII are), correct that place"
    if 10 * broken <= beyond:
        return mend
    able = [name for name in LEGACY if name != encoding and _readable(content, name)][:5]
    read = ", ".join(f"{_line_at(content, place, name)!r} in {name}" for name in able)
    name = f"set `encoding:` in its source{f' to the one that is right: that line reads {read}' if read else ''}"
    return f"{mend}; else {name}" if 2 * broken <= beyond else f"{name}, or save the file as UTF-8"


def _load(text: str) -> Any:
    """Return JSON with each number as the text in which it is written."""
    return json.loads(text, parse_int=str, parse_float=str)


HALVES = re.compile(r"\\u[dD][89a-fA-F]")  # escapes of surrogates, two of which are one character


def _check_whole(row: Any, place: str) -> None:
    """Raise ValueError if a text of a row holds half a character, which no file can store."""
    if half := re.search("[\ud800-\udfff]", json.dumps(row, ensure_ascii=False)):
        raise ValueError(
            f"{place}: \\u{ord(half[0]):04x} is half a character (a lone surrogate), as where an emoji was cut in two; "
            "correct that text"
        )


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
            if HALVES.search(line):
                _check_whole(rows[-1], f"{where}, line {number}")
    return rows


def _json(text: str, where: str, field: str | None = None) -> Rows:
    """Return the rows of a JSON document: a list of objects, an object of columns, or objects line by line."""
    if not text.strip():
        return []
    try:
        found = _load(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # JSON lines with the ending .json, as on the hub
            return _lines(text, where)
        raise ValueError(f"{where}: this is not JSON ({error})") from error
    if field is not None:
        if not isinstance(found, dict) or field not in found:
            raise ValueError(f"{where}: has no field {field!r}, under which the data set's card says that its rows are")
        found = found[field]
    if isinstance(found, dict) and len(found) == 1:  # {"data": [{...}, ...]}
        (inside,) = found.values()
        if isinstance(inside, list) and inside and all(isinstance(row, dict) for row in inside):
            found = inside
    if isinstance(found, dict) and found:
        found = _columns(found)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ValueError(f"{where}: a JSON source must be a list of objects, or an object of columns of one length")
    if HALVES.search(text):
        for number, row in enumerate(found, 1):
            _check_whole(row, f"{where}, row {number}")
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


def _table(text: str, where: str, given: Mapping[str, Any]) -> Rows:
    """Return the rows of delimited text; quotes may hold separators, line ends and doubled quotes."""
    how = TABLE | given
    records = list(_records(text, where, how))
    names, header = how["names"], how["header"]
    if header == "infer":
        header = None if names else 0
    if header is not None and records:
        *_, (_, head) = records[: header + 1]
        del records[: header + 1]
        names = names or head
    elif records:
        names = names or [str(number) for number in range(len(records[0][1]))]
    del records[len(records) - how["skipfooter"] :]
    # A duplicate name names no column; this is an error only for a source that uses it.
    names = [f"{name} (column {n})" if names.count(name) > 1 else name for n, name in enumerate(names or [], 1)]
    absent = [how["na_values"]] if isinstance(how["na_values"], str) else how["na_values"] or []
    rows = []
    for line, cells in records[: how["nrows"]]:
        if len(cells) != len(names):
            raise ValueError(
                f"{where}, line {line}: {len(cells)} fields under {len(names)} columns; a field that holds "
                f"{how['sep']!r} or a line break must be in quotes, and an empty field has its separator, too"
            )
        rows.append({name: None if cell in absent else cell for name, cell in zip(names, cells, strict=True)})
    return rows


def _records(text: str, where: str, how: Mapping[str, Any]) -> Iterator[tuple[int, list[str]]]:
    """Yield each record of delimited text that is not blank: the line at which it begins, and its fields."""
    csv.field_size_limit(2**31 - 1)
    lines = enumerate(io.StringIO(text, newline=""), 1)  # line ends inside a quoted field are kept
    skipped, comment, quote = how["skiprows"] or 0, how["comment"], how["quotechar"]
    record: list[tuple[int, str]] = []  # the lines that the reader has taken for the present one

    def taken() -> Iterator[str]:
        for number, line in lines:
            if number > skipped and (record or not comment or not line.startswith(comment)):
                record.append((number, line))
                yield line

    plain = how["quoting"] == csv.QUOTE_NONE
    dialect = {key: how[key] for key in ("quotechar", "escapechar", "doublequote", "skipinitialspace")}
    quoting = csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL  # other kinds differ for writers only, or make numbers
    reader, ends = csv.reader(taken(), delimiter=how["sep"], quoting=quoting, strict=True, **dialect), set()
    field = re.compile(rf"(?<![^{re.escape(how['sep'])}\r\n]){quote}(?:[^{quote}]|{quote}{quote})*{quote}")
    quoted, odd = False, 0  # whether fields are quoted, and the line of an unquoted one with a quote without a partner
    while True:
        record.clear()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            (began, _), (now, _) = record[0], record[-1]
            problem = (
                "a quote that opens in this row is never closed"
                if "end of data" in str(error)
                else f"a field that opens with {quote} must end with it, and more follows in line {now}"
            )
            raise ValueError(
                f"{where}, line {began}: {problem}; put such a field in quotes and double each quote inside it, or "
                "write the rows as JSONL"
            ) from None
        if cells is None:
            return
        began, raw = record[0][0], "".join(line for _, line in record)
        if not raw.strip(" \r\n"):
            continue
        unquoted, count = (raw, 0) if plain else field.subn("", raw)
        if not how["escapechar"]:
            quoted, odd = quoted or count > 0, odd or unquoted.count(quote) % 2 * began
        if quoted and odd:
            raise ValueError(
                f"{where}, line {odd}: a quote without a partner, in a file whose fields are quoted; put that field in "
                "quotes and double each quote inside it"
            )
        if comment and comment in unquoted:
            raise ValueError(
                f"{where}, line {began}: {comment!r} is inside a row, and begins a comment by the data set's card; put "
                "the field in quotes"
            )
        ends.add(raw[-1])
        if {"\r", "\n"} <= ends:
            raise ValueError(
                f"{where}, line {began}: rows end with a line feed here and with a bare carriage return there; put a "
                "field that holds a line break in quotes"
            )
        yield began, cells
