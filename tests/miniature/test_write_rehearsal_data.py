"""The rehearsal's files are what the published ones are, and the paper's own columns, filters and counts read them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest

from scripts.data.prepare_benchmark import prepare_benchmark
from scripts.miniature.write_rehearsal_data import write_rehearsal_data
from thinksafe.config import settings
from thinksafe.config.types import Published, plain
from thinksafe.data.published_sets import ROLES, convert
from thinksafe.data.sources import select, source_rows
from thinksafe.files import read_rows
from thinksafe.miniature.rehearsal import FILES, LATEX

ROOT = Path(__file__).resolve().parents[2]
PAPER = plain(settings.load([ROOT / "config/config.yaml"]))
CONFIG = plain(settings.load([ROOT / "config/config.yaml", ROOT / "config/rehearsal.yaml"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every file."""
    folder = tmp_path_factory.mktemp("published")
    for name in FILES:
        write_rehearsal_data(name, CONFIG["world"], folder / name)
    return folder


def rows_of(entry: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    return source_rows(entry["source"], [str(folder / entry["source"]["published"])])


def test_only_source_and_counts_differ_from_the_paper() -> None:
    for section in ("prompts", "benchmarks", "corpora"):
        for name, entry in CONFIG[section].items():
            parts = [(entry, PAPER[section][name])]
            if section == "corpora":
                parts += [(entry[role], PAPER[section][name][role]) for role in ROLES if role in entry]
            for ours, papers in parts:
                changed = {key for key in {*ours, *papers} if ours.get(key) != papers.get(key)}
                assert changed <= {"source", "rows", "source_rows", "approx_rows", "take", *ROLES}, f"{section}.{name}"
                assert all((key in ours) == (key in papers) for key in ("source_rows", "rows")), name
    assert CONFIG["steerings"] == PAPER["steerings"] and CONFIG["select"]["students"] == PAPER["select"]["students"]
    assert CONFIG["select"]["benchmarks"] == PAPER["select"]["benchmarks"]


@pytest.mark.parametrize("role", ROLES)
def test_a_plan_counts_the_prompts_that_there_are(role: str, folder: Path) -> None:
    entry = CONFIG["prompts"][role]
    (column, labels), *more = entry["where"].items()
    assert not more and entry["approx_rows"] == sum(row[column] in labels for row in rows_of(entry, folder))


def test_every_file_is_used_and_known() -> None:
    assert list(get_args(Published)) == list(FILES)
    parts = [*CONFIG["prompts"].values(), *CONFIG["benchmarks"].values()]
    parts += [corpus[role] for corpus in CONFIG["corpora"].values() for role in ROLES if role in corpus]
    assert {part["source"]["published"] for part in parts} == set(FILES)


@pytest.mark.parametrize("name", CONFIG["benchmarks"])
def test_benchmarks_are_read(name: str, folder: Path, tmp_path: Path) -> None:
    entry = {"where": {}, "contains": {}, **CONFIG["benchmarks"][name], "benchmark": name}
    path = tmp_path / f"{name}.parquet"
    prepare_benchmark([str(folder / entry["source"]["published"])], entry, str(path))
    rows = read_rows(path)
    assert len(rows) == entry["rows"] == len({row["id"] for row in rows})
    if entry["kind"] != "reasoning":
        assert max(Counter(row["prompt"] for row in rows).values()) == 2
        assert any('"Please, quickly," she said' in row["prompt"] for row in rows)
        assert any("café, 東京 🐉" in row["prompt"] and "\n\n" in row["prompt"] for row in rows)
    else:
        assert all(row["answer"] and "{problem}" not in row["prompt"] for row in rows)


def test_prompts_have_the_four_labels(folder: Path) -> None:
    kept = {}
    for role, entry in CONFIG["prompts"].items():
        spec = {"where": {}, "contains": {}, **entry}
        kept[role] = select(rows_of(entry, folder), spec, f"prompts.{role}")
        assert {row["label"] for row in kept[role]} == set(entry["where"]["label"])
    assert {role: len(rows) for role, rows in kept.items()} == {
        role: CONFIG["world"]["rows"][role] for role in ("harmful", "benign")
    }


@pytest.mark.parametrize("name", CONFIG["corpora"])
def test_corpora_are_read(name: str, folder: Path) -> None:
    spec = CONFIG["corpora"][name]
    for role in [role for role in ROLES if role in spec]:
        rows, counts = convert(rows_of(spec[role], folder), spec | {"seed": ["corpus"]}, role, name)
        assert rows and all(row["response"].startswith("<think>\n") for row in rows)
        if name == "safechain" and role == "harmful":
            assert counts["dropped"] == {"reasoning_never_ends": 1}
        else:
            assert not counts["dropped"]


def test_formats_have_the_originals_oddities(folder: Path) -> None:
    assert (folder / "xstest.csv").read_bytes().startswith(b"\xef\xbb\xbfid,prompt")
    assert not (folder / "gpqa.csv").read_text(encoding="utf-8").isascii()
    assert (folder / "strongreject.csv").read_bytes().startswith(b"prompt,category,source\r\n")
    assert isinstance(json.loads((folder / "harmbench.json").read_text(encoding="utf-8")), list)
    assert r"<\\/think>" in (folder / "star-1.json").read_text(encoding="utf-8")
    years = Counter(row["url"].split("/")[-2][:4] for row in read_rows(folder / "aime24.parquet"))
    assert set(years) == {"2022", "2023", "2024"} and len(set(years.values())) == 1
    assert all(len(row["answer"]) == 3 for row in read_rows(folder / "aime24.parquet"))
    solved = [json.loads(line)["answer"] for line in (folder / "gsm8k.jsonl").read_text().splitlines()]
    assert all("<<" in answer and "\n#### " in answer for answer in solved)
    problems = [json.loads(line) for line in (folder / "math500.jsonl").read_text().splitlines()]
    assert [row["answer"] for row in problems[:2]] == [answer for _, answer in LATEX]
