"""Jobs read the cache alone: models, files behind addresses, and data sets in the layouts of the hub."""

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.hub.hub_server import Fault, Hub
from tests.hub.sources import EMPTY, A, dataset, fetched
from thinksafe.data.sources import source_rows
from thinksafe.errors import UserError
from thinksafe.hub import client
from thinksafe.hub.cache import cached_download, download_path
from thinksafe.models.location import locate


def test_jobs_say_what_to_run_where_nothing_was_fetched(server: Hub) -> None:
    with pytest.raises(FileNotFoundError, match="model org/student is not there at revision a.*`snakemake fetch`"):
        locate({"hub": "org/student", "revision": A}, [])
    with pytest.raises(FileNotFoundError, match="dataset org/rows is not there at revision main"):
        source_rows({"hub": "org/rows", "split": "train"}, [])
    assert not server.requests


# ---------------------------------------------------------------- a file behind an address
def test_a_pinned_address(server: Hub, printed: list[str]) -> None:
    content = b'[{"prompt": "a"}]'
    server.files["/raw/a.json"] = content
    source = {"url": f"{server.endpoint}/raw/a.json", "sha256": hashlib.sha256(content).hexdigest()}
    remote = source | {"kind": "url", "paths": ["benchmarks.harmbench.source"]}
    with pytest.raises(FileNotFoundError, match="has not been fetched; run `snakemake fetch`"):
        source_rows(source, [])
    server.faults.append(Fault("/raw/a.json", 503))
    assert client.inspect([remote], EMPTY, printed.append) == ([], [])
    client.fetch_all([remote], [], lambda done, total: None, printed.append)
    server.files.clear()
    assert client.inspect([remote], EMPTY, printed.append) == ([], [])  # it is here
    assert source_rows(source, []) == [{"prompt": "a"}]
    path = download_path(source["url"], source["sha256"])
    path.write_bytes(b"[]")
    with pytest.raises(ValueError, match="not the pinned"):
        cached_download(source["url"], source["sha256"])
    path.unlink()
    (text,) = client.inspect([remote], EMPTY, printed.append)[1]
    assert "benchmarks.harmbench.source" in text and f"find a copy with sha256 {source['sha256']}" in text
    server.files["/raw/a.json"] = b"[]"
    with pytest.raises(UserError, match=f"find a copy with sha256 {source['sha256']}"):
        client.fetch_all([remote], [], lambda done, total: None, printed.append)


# ---------------------------------------------------------------- data sets in the layouts of the hub
def parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def readme(*configs: str) -> list[str]:
    """Return the lines that list the configs for `datasets`."""
    return ["---", "configs:", *configs, "---", "# Rows"]


# Files with the numbers of their rows, what a source asks for, and the lines of README.md.
LAYOUTS: dict[str, tuple[dict[str, list[int]], dict[str, str], list[str]]] = {
    "parts in data/": (
        {"data/train-00000-of-00002.parquet": [0, 1], "data/train-00001-of-00002.parquet": [2]},
        {"split": "train"},
        [],
    ),
    "a folder for each config": (
        {"main/test-0.parquet": [0, 1, 2], "main/train-0.parquet": [1], "other/test.csv": [1]},
        {"config": "main", "split": "test"},
        readme(
            "- config_name: main\n  data_files: [{split: test, path: main/test-*}, {split: train, path: main/train-*}]",
            "- config_name: other\n  data_files: [{split: test, path: other/test*}]",
        ),
    ),
    "tab-separated, by config": (
        {"train/train.tsv": [1], "eval/eval.tsv": [0, 1, 2]},
        {"config": "eval", "split": "train"},
        readme(
            '- config_name: train\n  sep: "\\t"\n  data_files: train/train.tsv',
            '- config_name: eval\n  sep: "\\t"\n  data_files: eval/eval.tsv',
        ),
    ),
    "one of several csv files": (
        {"main.csv": [1], "diamond.csv": [0, 1, 2]},
        {"config": "diamond", "split": "train"},
        readme("- config_name: main\n  data_files: main.csv", "- config_name: diamond\n  data_files: diamond.csv"),
    ),
    "a file of lines for each split": ({"test.jsonl": [0, 1, 2], "train.jsonl": [1]}, {"split": "test"}, []),
    "lines under the name of .json": ({"test.json": [0, 1, 2]}, {"split": "test"}, []),
}
ROWS = [
    {"Question": 'Is "NA" a word, or\nnot?', "Answer": "None"},
    {"Question": "naïve\tΔ 东京", "Answer": "025"},
    {"Question": r"\frac{1}{2}, 3", "Answer": "NA"},
]


def written(path: str, numbers: list[int]) -> bytes:
    rows = [ROWS[n] for n in numbers]
    if path.endswith(".parquet"):
        return parquet(rows)
    if path.endswith((".csv", ".tsv")):
        out = io.StringIO()
        writer = csv.DictWriter(out, ["Question", "Answer"], delimiter="\t" if path.endswith(".tsv") else ",")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().encode()
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_data_set_is_read_as_it_is_laid_out(
    server: Hub, printed: list[str], layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "arrow"))
    files, options, lines = LAYOUTS[layout]
    held = {path: written(path, numbers) for path, numbers in files.items()}
    if lines:
        held["README.md"] = "\n".join(lines).encode()
    held["load.py"] = b"raise SystemExit('code of a data set is never run')"
    server.add("dataset", "org/rows", held)
    fetched([dataset("org/rows")], printed)
    source = {"hub": "org/rows", "revision": A} | options
    server.requests.clear()
    assert source_rows(source, []) == ROWS
    assert not server.requests
    with pytest.raises(ValueError, match="data set org/rows: has no split 'nowhere' but '(train|test)'"):
        source_rows(source | {"split": "nowhere"}, [])
