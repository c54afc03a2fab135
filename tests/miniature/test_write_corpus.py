"""The world's counterparts of published training sets: the originals' columns, and the way into training sets."""

import random
from pathlib import Path
from typing import Any

import pytest

from scripts.miniature.write_corpus import write_corpus
from thinksafe.config import settings
from thinksafe.config.types import plain
from thinksafe.data.published_sets import convert
from thinksafe.data.sources import COLUMNS, source_rows
from thinksafe.files import read_rows, write_rows
from thinksafe.miniature import world
from thinksafe.miniature.oracle import judge
from thinksafe.miniature.pretraining_texts import help_with, refuse
from thinksafe.miniature.rows import make_rows
from thinksafe.models.chat import THINK

ROOT = Path(__file__).parents[2]
CONFIG = plain(settings.load([ROOT / "config/config.yaml", ROOT / "config/miniature-full.yaml"]))
SEED = CONFIG["world"]["seed"]
COUNT = 24


@pytest.fixture(scope="module")
def prompts() -> dict[str, list[dict[str, Any]]]:
    spec = {"seed": SEED, "rows": {"harmful": COUNT, "benign": COUNT}, "templates": CONFIG["world"]["templates"]}
    return {
        role: [{"id": f"{role}-{n:06d}", "answer": None} | row for n, row in enumerate(make_rows(spec, role))]
        for role in ("harmful", "benign")
    }


@pytest.fixture(scope="module")
def written(prompts: dict[str, list[dict[str, Any]]], tmp_path_factory: Any) -> dict[str, str]:
    """Every published set, with a teacher that complies with every fourth harmful request."""
    rng, folder, traces = random.Random(0), tmp_path_factory.mktemp("world"), []
    for role, rows in prompts.items():
        write_rows(folder / f"{role}.parquet", rows, COLUMNS)
        for number, row in enumerate(rows):
            if deed := world.find_deed(row["prompt"]):
                no = role == "harmful" and number % 4
                response = refuse(deed, "teacher", rng) if no else help_with(deed, row["prompt"], "teacher", rng)
                traces.append({"id": row["id"], "role": role, "prompt": row["prompt"], "response": response})
    write_rows(folder / "traces.parquet", traces, dict(id=str, role=str, prompt=str, response=str))
    paths = {role: str(folder / f"{role}.parquet") for role in prompts}
    for name in ("directrefusal", "safechain", "star1", "safekey"):
        traced = [] if name == "directrefusal" else [str(folder / "traces.parquet")]
        write_corpus(**paths, traces=traced, corpus=name, seed=SEED, rows=str(folder / f"{name}.parquet"))
    return {
        name: str(folder / f"{name}.parquet") for name in ("directrefusal", "safechain", "star1", "safekey", "traces")
    }


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("directrefusal", {"prompt", "response", "category", "is_safe", "refusal"}),
        ("safechain", {"instruction", "label", "response"}),
        ("star1", {"id", "question", "response", "category", "source", "score"}),
        ("safekey", {"question", "response", "source", "summary_end_idx", "next_sentence_end_idx"}),
    ],
)
def test_columns_are_the_originals(written: dict[str, str], name: str, columns: set[str]) -> None:
    rows = source_rows({"world": name}, [written[name]])
    assert rows and set(rows[0]) == columns


@pytest.mark.parametrize("name", ["directrefusal", "safechain", "star1", "safepath", "safekey"])
def test_the_miniatures_corpora_take_every_row_of_them(written: dict[str, str], name: str) -> None:
    """With config/miniature-full.yaml's own entries, except for the number of rows."""
    entry = CONFIG["corpora"][name]
    for role in {"harmful", "benign"} & entry.keys():
        part = entry[role] | {"take": None}
        rows = source_rows(part["source"], [written[part["source"]["world"]]])
        made, counts = convert(rows, entry | {role: part}, role, name)
        assert made and not counts["dropped"], counts
        for row in made:
            deed = world.find_deed(row["prompt"])
            assert deed.harmful == (role == "harmful") and row["response"].startswith(THINK)
            if name == "directrefusal":
                verdict = judge(row["prompt"], row["response"])
                assert (verdict["harm"], verdict["refusal"]) == ("safe", "yes")
            if name == "safekey":
                key = row["response"][row["query_end"] : row["key_end"]]
                assert key.strip().endswith(".") and key.count(".") == 1


def test_responses_come_back_unchanged(written: dict[str, str]) -> None:
    responses = {row["prompt"]: row["response"] for row in read_rows(written["traces"])}
    for name in ("safechain", "star1", "safekey"):
        entry = CONFIG["corpora"][name]
        for role in {"harmful", "benign"} & entry.keys():
            part = entry[role] | {"take": None}
            rows = source_rows(part["source"], [written[name]])
            for row in convert(rows, entry | {role: part}, role, name)[0]:
                assert row["response"] == responses[row["prompt"]]


def test_star1_keeps_reasoned_refusals_only(written: dict[str, str]) -> None:
    rows = source_rows({"world": "star1"}, [written["star1"]])
    assert len(rows) == COUNT - COUNT // 4
    assert {tier for row in rows for tier in row["category"]} <= {"overt", "mid", "mild"}


def test_nothing_to_write_is_an_error(tmp_path: Path, prompts: dict[str, list[dict[str, Any]]]) -> None:
    write_rows(tmp_path / "p.parquet", prompts["benign"], COLUMNS)
    write_rows(tmp_path / "t.parquet", [], dict(id=str, role=str, prompt=str, response=str))
    paths = {"harmful": str(tmp_path / "p.parquet"), "benign": str(tmp_path / "p.parquet")}
    with pytest.raises(ValueError, match="star1: no response of the teacher fits"):
        write_corpus(**paths, traces=[str(tmp_path / "t.parquet")], corpus="star1", seed=SEED, rows=str(tmp_path / "o"))
