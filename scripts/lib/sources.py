"""Rows of a prompt source: a file of the user's, the miniature's world, a pinned download, or a hub dataset."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def source_rows(source: dict[str, Any], files: list[str]) -> list[dict[str, Any]]:
    """Return the rows of a source as dicts.

    Parameters
    ----------
    source : dict
        ``{"world": name}``, ``{"file": path}``, ``{"url": address, "sha256": digest}`` or
        ``{"hub": id, "config": name, "split": name, "revision": commit}``.
    files : list of path
        The local file behind ``world`` and ``file``, as the job's input.
    """
    if "hub" in source:
        from datasets import load_dataset

        data = load_dataset(source["hub"], source.get("config"), split=source["split"], revision=source.get("revision"))
        return [dict(row) for row in data]
    if "url" in source:
        return _parse(urlsplit(source["url"]).path, _download(source["url"], source["sha256"]), source["url"])
    path = Path(files[0])
    return _parse(path.name, path.read_bytes(), str(path))


def _download(url: str, sha256: str) -> bytes:
    import httpx

    answer = httpx.get(url, follow_redirects=True, timeout=60)
    answer.raise_for_status()
    if (found := hashlib.sha256(answer.content).hexdigest()) != sha256:
        raise ValueError(f"{url}: the file has sha256 {found}, not the pinned {sha256}; it has changed since")
    return answer.content


def _parse(name: str, content: bytes, where: str) -> list[dict[str, Any]]:
    """Return the rows of a JSONL, JSON, CSV, TSV or Parquet file; a text that is not UTF-8 is read as Latin-1."""
    suffix = Path(name).suffix.lower()
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(io.BytesIO(content)).to_pylist()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if suffix == ".jsonl":
        rows = []
        # Only a newline ends a record: JSON strings may hold other characters that `splitlines` would cut at.
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    rows.append(json.loads(line))
                except ValueError as error:
                    raise ValueError(f"{where}, line {number}: this is not JSON ({error})") from error
                if not isinstance(rows[-1], dict):
                    raise ValueError(f'{where}, line {number}: a row must be a JSON object, as {{"prompt": ...}}')
        return rows
    if suffix == ".json":
        try:
            rows = json.loads(text) if text.strip() else []
        except ValueError as error:
            raise ValueError(f"{where}: this is not JSON ({error})") from error
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"{where}: a JSON source must be a list of objects")
        return rows
    if suffix in (".csv", ".tsv"):
        csv.field_size_limit(2**31 - 1)
        lines = io.StringIO(text, newline="")  # line ends inside a quoted field stay what they are
        return list(csv.DictReader(lines, delimiter="\t" if suffix == ".tsv" else ","))
    raise ValueError(
        f"{where}: cannot read {suffix or 'a file without ending'}; use .jsonl, .json, .csv, .tsv or .parquet"
    )


def select(rows: Iterable[dict[str, Any]], spec: dict[str, Any], what: str) -> list[dict[str, Any]]:
    """Return the rows that ``where`` and ``contains`` admit, and check that the mapped columns are there."""
    rows = list(rows)
    if not rows:
        raise ValueError(f"{what}: the source {spec['source']} has no rows")
    wanted = [name for value in spec["columns"].values() for name in ([value] if isinstance(value, str) else value)]
    tested = [*(spec.get("where") or {}), *(spec.get("contains") or {})]
    for number, row in enumerate(rows, 1):
        if missing := sorted({*wanted, *tested} - row.keys()):
            there = sorted(str(name) for name in row)
            raise ValueError(
                f"{what}: row {number} of the source has no column {missing}; it has {there}. Map them in `columns`"
            )
    # Config holds texts, whatever a file's numbers are.
    for name, values in (spec.get("where") or {}).items():
        admitted = {str(value) for value in values}
        rows = [row for row in rows if str(row[name]) in admitted]
    for name, text in (spec.get("contains") or {}).items():
        rows = [row for row in rows if row[name] is not None and str(text) in str(row[name])]
    if not rows:
        raise ValueError(f"{what}: no row is left after where={spec.get('where')} contains={spec.get('contains')}")
    if spec.get("rows") not in (None, len(rows)):
        raise ValueError(f"{what}: {len(rows)} rows, where {spec['rows']} are expected; is this the right source?")
    return rows


def prompt_row(row: dict[str, Any], columns: dict[str, Any], name: str, prompt: str) -> dict[str, Any]:
    """Return a row of a prompt set: id, prompt, category, answer, meta."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError(f"{name}: the prompt is empty; leave the row out of the source")
    category, meta = row.get(columns.get("category", "category")), row.get("meta")
    return dict(
        id=name,
        prompt=prompt,
        category=None if category is None else str(category),
        answer=None,
        meta=meta if meta is None or isinstance(meta, str) else json.dumps(meta, ensure_ascii=False, sort_keys=True),
    )


COLUMNS: dict[str, type] = dict(id=str, prompt=str, category=str, answer=str, meta=str)
