"""Rows of a prompt source: a file of the user's, the miniature's world, a pinned download, or a hub dataset."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts.lib.files import read_rows


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
        return _parse(Path(source["url"]).name, _download(source["url"], source["sha256"]), source["url"])
    path = Path(files[0])
    if path.suffix == ".parquet":
        return read_rows(path)
    return _parse(path.name, path.read_bytes(), str(path))


def _download(url: str, sha256: str) -> bytes:
    import httpx

    answer = httpx.get(url, follow_redirects=True, timeout=60)
    answer.raise_for_status()
    if (found := hashlib.sha256(answer.content).hexdigest()) != sha256:
        raise ValueError(f"{url}: the file has sha256 {found}, not the pinned {sha256}; it has changed since")
    return answer.content


def _parse(name: str, content: bytes, where: str) -> list[dict[str, Any]]:
    """Return the rows of a JSONL, JSON, CSV or TSV file; a file that is not UTF-8 is read as Latin-1."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    suffix = Path(name).suffix.lower()
    if suffix == ".jsonl":
        rows = []
        # Only a newline ends a record: JSON strings may hold other characters that `splitlines` would cut at.
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    rows.append(json.loads(line))
                except ValueError as error:
                    raise ValueError(f"{where}, line {number}: this is not JSON ({error})") from error
        return rows
    if suffix == ".json":
        rows = json.loads(text)
        if not isinstance(rows, list):
            raise ValueError(f"{where}: a JSON source must be a list of objects")
        return rows
    if suffix in (".csv", ".tsv"):
        csv.field_size_limit(2**31 - 1)
        lines = text.replace("\r\n", "\n").split("\n")
        return list(csv.DictReader((line + "\n" for line in lines), delimiter="\t" if suffix == ".tsv" else ","))
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
    missing = sorted({*wanted, *tested} - set(rows[0]))
    if missing:
        raise ValueError(f"{what}: the source has no column {missing}; it has {sorted(rows[0])}. Map them in `columns`")
    for name, values in (spec.get("where") or {}).items():
        rows = [row for row in rows if row[name] in values]
    for name, text in (spec.get("contains") or {}).items():
        rows = [row for row in rows if text in (row[name] or "")]
    if not rows:
        raise ValueError(f"{what}: no row is left after where={spec.get('where')} contains={spec.get('contains')}")
    if spec.get("rows") not in (None, len(rows)):
        raise ValueError(f"{what}: {len(rows)} rows, where {spec['rows']} are expected; is this the right source?")
    return rows


def prompt_row(row: dict[str, Any], columns: dict[str, Any], name: str, prompt: str) -> dict[str, Any]:
    """Return a row of a prompt set: id, prompt, category, answer, meta."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError(f"{name}: the prompt is empty; leave the row out of the source")
    category = row.get(columns.get("category", "category"))
    return dict(id=name, prompt=prompt, category=category, answer=None, meta=row.get("meta"))


COLUMNS: dict[str, type] = dict(id=str, prompt=str, category=str, answer=str, meta=str)
