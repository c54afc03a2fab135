"""Rows of a prompt source: a file of the user's, the miniature's world, a pinned download, or a hub dataset."""

import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from thinksafe.data.row_files import TABLE, parse_rows
from thinksafe.files import Row
from thinksafe.hub.cache import cached_download, cached_snapshot

COLUMNS: dict[str, type] = dict(id=str, prompt=str, category=str, answer=str, meta=str)  # of prompt sets


def source_rows(source: Row, files: list[str]) -> list[Row]:
    """Return the rows of a source as dicts.

    Parameters
    ----------
    source : dict
        ``{"world": name}``, ``{"published": name}``, ``{"file": path}``, ``{"url": address, "sha256": digest}`` or
        ``{"hub": id, "config": name, "split": name, "revision": commit}``, perhaps with ``encoding``. Nothing is
        downloaded here.
    files : list of path
        The job's input that holds the rows of ``world``, ``published`` and ``file``.
    """
    encoding = source.get("encoding")
    if "hub" in source:
        return _hub_rows(source)
    if "url" in source:
        content = cached_download(source["url"], source["sha256"])
        return parse_rows(urlsplit(source["url"]).path, content, source["url"], encoding)
    path = Path(files[0])
    return parse_rows(path.name, path.read_bytes(), str(path), encoding)


def _hub_rows(source: Row) -> list[Row]:
    """Return the rows of one split of a hub dataset.

    `datasets` finds the files of the split and what the data set's card says of reading them. CSV and JSON are read
    here, since its readers interpret "NA" and numbers, and Parquet as well; other formats hold typed values.
    """
    from datasets import load_dataset, load_dataset_builder

    folder = cached_snapshot(source["hub"], "dataset", source.get("revision")).resolve()  # as `datasets` names files
    what, split = f"data set {source['hub']}", source["split"]
    try:
        settings = load_dataset_builder(str(folder), source.get("config")).config
    except (ValueError, FileNotFoundError) as error:
        raise ValueError(f"{what}: cannot be read as its `source` says ({error})") from error
    files = {str(name): list(paths) for name, paths in (settings.data_files or {}).items()}
    if split not in files:
        raise ValueError(f"{what}: has no split {split!r} but {', '.join(map(repr, files)) or 'none'}; correct `split`")
    reading = _card_settings(settings, what)
    if reading is None:
        return [dict(row) for row in load_dataset(str(folder), source.get("config"), split=split)]
    if "encoding" in source:
        reading["encoding"] = source["encoding"]
    return [
        row
        for path in files[split]
        for row in parse_rows(path, Path(path).read_bytes(), f"{what}, {Path(path).relative_to(folder)}", **reading)
    ]


# Settings of cards that do not matter here: columns that are left out, and what values, as they are written, mean.
UNUSED = {
    *("name", "version", "data_dir", "data_files", "description", "features", "delimiter", "column_names", "usecols"),
    *("index_col", "mangle_dupe_cols", "engine", "true_values", "false_values", "keep_default_na", "na_filter"),
    *("verbose", "thousands", "decimal", "memory_map", "float_precision", "chunksize", "date_format", "converters"),
    *("encoding_errors", "on_bad_lines", "error_bad_lines", "warn_bad_lines", "block_size", "use_threads"),
    *("on_mixed_types", "parse_agent_traces"),
}


def _card_settings(settings: Any, what: str) -> Row | None:
    """Return how the card says to read CSV, JSON or Parquet, as arguments of `parse_rows`; None for other formats.

    Raises ValueError, with its name, for a setting that is not obeyed here.
    """
    from datasets.packaged_modules.csv.csv import CsvConfig
    from datasets.packaged_modules.json.json import JsonConfig
    from datasets.packaged_modules.parquet.parquet import ParquetConfig

    if isinstance(settings, ParquetConfig) and not settings.filters:
        return {}
    if not isinstance(settings, CsvConfig | JsonConfig):
        return None
    absent = type(settings)()
    given = {one.name: getattr(settings, one.name) for one in fields(settings) if one.name not in UNUSED}
    given = {key: value for key, value in given.items() if value != getattr(absent, key)}
    reading = {key: given.pop(key) for key in ("encoding", "field") if key in given}
    if isinstance(settings, CsvConfig):
        reading["table"] = {"sep": settings.sep} | {key: given.pop(key) for key in TABLE if key in given}
        letters, lists = ("sep", "quotechar", "escapechar", "comment"), ("names", "na_values")
        for key, value in reading["table"].items():
            odd_list = isinstance(value, dict) or (isinstance(value, list) and key not in lists)
            if odd_list or (key in letters and len(str(value)) != 1):
                given[key] = value
    if given:
        raise ValueError(
            f"{what}: its card says {', '.join(f'{key}: {value!r}' for key, value in given.items())}, which is not "
            "supported; take its file as a `url` or `file` source, in another form if need be"
        )
    return reading


def select(rows: Iterable[Row], spec: Row, what: str) -> list[Row]:
    """Return the rows that match ``where`` and ``contains``.

    Raises
    ------
    ValueError
        With the row, if a column that is mapped or tested is missing, or a value is in neither ``where`` nor
        ``leave_out``; or if the number of rows is not ``source_rows`` before, or ``rows`` after.
    """
    rows = list(rows)
    if not rows:
        raise ValueError(f"{what}: the source {spec['source']} has no rows")
    if spec.get("source_rows") not in (None, len(rows)):
        raise ValueError(
            f"{what}: the source has {len(rows)} rows, where {spec['source_rows']} are expected; is it the right one, "
            "and complete?"
        )
    where, contains = spec.get("where") or {}, spec.get("contains") or {}
    mapped = {name for value in spec["columns"].values() for name in ([value] if isinstance(value, str) else value)}
    for number, row in enumerate(rows, 1):
        if missing := sorted({*mapped, *where, *contains} - row.keys()):
            filtered = not {*where, *contains}.isdisjoint(missing)
            drop = ", or drop what filters the rows of another source (`where: null`)" if filtered else ""
            raise ValueError(
                f"{what}: row {number} of the source has no column {missing}; it has {sorted(map(str, row))}. Map them "
                f"in `columns`{drop}"
            )
    for name, others in (spec.get("leave_out") or {}).items():
        known = [*where[name], *others]
        for number, row in enumerate(rows, 1):
            if str(row[name]) not in known:
                raise ValueError(
                    f"{what}: row {number} of the source has {name} {row[name]!r}, which is none of "
                    f"{', '.join(known)}; name it in `where` or `leave_out`"
                )
    # Compared as text, whatever a file's numbers are.
    for name, values in where.items():
        admitted = {str(value) for value in values}
        rows = [row for row in rows if str(row[name]) in admitted]
    for name, text in contains.items():
        rows = [row for row in rows if row[name] is not None and str(text) in str(row[name])]
    if not rows:
        raise ValueError(f"{what}: no row is left after where={spec.get('where')} contains={spec.get('contains')}")
    if spec.get("rows") not in (None, len(rows)):
        raise ValueError(f"{what}: {len(rows)} rows, where {spec['rows']} are expected; is this the right source?")
    return rows


def prompt_row(row: Row, columns: Row, name: str, prompt: str) -> Row:
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
