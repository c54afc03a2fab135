"""The training set that the filter writes, of both halves."""

import pytest

from scripts.generation.filter_responses import filter_responses
from tests.generation.test_filter import GOOD, response, verdict
from thinksafe.files import read_json, read_rows, write_rows
from thinksafe.inference.guards import COLUMNS as VERDICTS
from thinksafe.inference.sampling import COLUMNS as RESPONSES


def run(folder, harms):
    """Filter two parts of harmful rows with these verdicts, and one part of benign rows."""
    names = {"harmful": ["h0", "h1", "h2"], "benign": ["b0", "b1"]}
    paths = {}
    for role, ids in names.items():
        parts = [ids[:2], ids[2:]] if role == "harmful" else [ids]
        for n, part in enumerate(parts):
            response_file, verdict_file = folder / f"{role}-{n}.parquet", folder / f"{role}-{n}-verdicts.parquet"
            write_rows(response_file, [response(name) for name in part], RESPONSES)
            write_rows(verdict_file, [verdict(name, harm=harms.get(name, "safe")) for name in part], VERDICTS)
            paths.setdefault(f"{role}_responses", []).append(str(response_file))
            paths.setdefault(f"{role}_verdicts", []).append(str(verdict_file))
    output, statistics = folder / "dataset.parquet", folder / "statistics.json"
    filter_responses(**paths, seed=[0], dataset=output, statistics=statistics)
    return output, statistics


def test_the_training_set_has_the_original_prompts_harmful_first(tmp_path):
    output, statistics = run(tmp_path, {"h1": "unsafe", "b0": "unknown"})
    rows = read_rows(output)
    assert [(row["id"], row["role"], row["prompt"]) for row in rows] == [
        ("h0", "harmful", "ask h0"),
        ("h2", "harmful", "ask h2"),
        ("b1", "benign", "ask b1"),
    ]
    assert all(row["response"] == GOOD and row["tokens"] == 9 and "asked" not in row for row in rows)
    assert read_json(statistics) == {
        "harmful": {"prompts": 3, "kept": 2, "dropped": {"unsafe": 1, "unknown": 0, "unfinished": 0, "too_long": 0}},
        "benign": {"prompts": 2, "kept": 1, "dropped": {"unsafe": 0, "unknown": 1, "unfinished": 0, "too_long": 0}},
    }
    before = output.read_bytes()
    assert run(tmp_path, {"h1": "unsafe", "b0": "unknown"})[0].read_bytes() == before


def test_a_training_set_without_harmful_rows_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"no harmful row is left of 3: .*'unsafe': 2, 'unknown': 1"):
        run(tmp_path, {"h0": "unsafe", "h1": "unsafe", "h2": "unknown"})
    assert not (tmp_path / "dataset.parquet").exists()
