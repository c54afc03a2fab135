"""Rows of a prompt source: a file of the user's, the miniature's world, a pinned download, or a hub dataset."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from thinksafe.data.row_files import SUFFIXES, parse_rows
from thinksafe.hub.cache import cached_download, cached_snapshot
from thinksafe.jobs.log import say


def source_rows(source: dict[str, Any], files: list[str]) -> list[dict[str, Any]]:
    """Return the rows of a source as dicts.

    Parameters
    ----------
    source : dict
        ``{"world": name}``, ``{"published": name}``, ``{"file": path}``, ``{"url": address, "sha256": digest}`` or
        ``{"hub": id, "config": name, "split": name, "revision": commit}``, perhaps with ``encoding``. What is not on
        this machine already is never fetched from here.
    files : list of path
        The local file behind ``world``, ``published`` and ``file``, as the job's input.
    """
    encoding = source.get("encoding")
    if "hub" in source:
        return _hub_rows(source)
    if "url" in source:
        content = cached_download(source["url"], source["sha256"])
        return parse_rows(urlsplit(source["url"]).path, content, source["url"], say, encoding)
    path = Path(files[0])
    return parse_rows(path.name, path.read_bytes(), str(path), say, encoding)


def _hub_rows(source: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of one split of a hub dataset.

    `datasets` finds which files of the repository these are; they are read here, since its readers turn "NA" and
    numbers in CSV files into other things.
    """
    from datasets import load_dataset, load_dataset_builder

    folder = cached_snapshot(source["hub"], "dataset", source.get("revision"))
    what, split = f"data set {source['hub']}", source["split"]
    try:
        settings = load_dataset_builder(str(folder), source.get("config")).config
    except (ValueError, FileNotFoundError) as error:
        raise ValueError(f"{what}: cannot be read as its `source` says ({error})") from error
    parts = {str(name): list(paths) for name, paths in (settings.data_files or {}).items()}
    if split not in parts:
        raise ValueError(f"{what}: has no split {split!r} but {', '.join(map(repr, parts)) or 'none'}; mend `split`")
    # Settings and formats that only `datasets` knows.
    special = any(getattr(settings, name, None) for name in ("field", "names"))
    if special or any(Path(path).suffix.lower() not in SUFFIXES for path in parts[split]):
        return [dict(row) for row in load_dataset(str(folder), source.get("config"), split=split)]
    separator = getattr(settings, "sep", None)
    return [
        row
        for path in parts[split]
        for row in parse_rows(
            path,
            Path(path).read_bytes(),
            f"{what}, {Path(path).relative_to(folder)}",
            say,
            source.get("encoding"),
            None if separator == "," else separator,
        )
    ]


def select(rows: Iterable[dict[str, Any]], spec: dict[str, Any], what: str) -> list[dict[str, Any]]:
    """Return the rows that ``where`` and ``contains`` admit.

    Raises
    ------
    ValueError
        If a column that is mapped or tested is not there, a value stands in neither ``where`` nor ``leave_out``, or the
        number of rows is not ``source_rows`` before, or ``rows`` after. Says which row.
    """
    rows = list(rows)
    if not rows:
        raise ValueError(f"{what}: the source {spec['source']} has no rows")
    if spec.get("source_rows") not in (None, len(rows)):
        raise ValueError(
            f"{what}: the source has {len(rows)} rows, where {spec['source_rows']} are expected; is it the right one, "
            "whole?"
        )
    wanted = [name for value in spec["columns"].values() for name in ([value] if isinstance(value, str) else value)]
    tested = [*(spec.get("where") or {}), *(spec.get("contains") or {})]
    needed = {*wanted, *tested}
    for number, row in enumerate(rows, 1):
        if missing := sorted(needed - row.keys()):
            there = sorted(str(name) for name in row)
            drop = ", or drop what filters the rows of another source (`where: null`)" if {*missing} & {*tested} else ""
            raise ValueError(
                f"{what}: row {number} of the source has no column {missing}; it has {there}. Map them in "
                f"`columns`{drop}"
            )
    for name, others in (spec.get("leave_out") or {}).items():
        known = [*spec["where"][name], *others]
        for number, row in enumerate(rows, 1):
            if str(row[name]) not in known:
                raise ValueError(
                    f"{what}: row {number} of the source has {name} {row[name]!r}, which is none of "
                    f"{', '.join(known)}; say in `where` or `leave_out` what becomes of such rows"
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
