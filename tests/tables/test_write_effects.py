"""Effects from rows per item, with verdicts."""

import pytest

from scripts.tables.write_effects import write_effects
from tests.paper_run import BENCHMARKS, cells, files, write_items
from thinksafe.files import write_rows
from thinksafe.layout import RESPONSE_VERDICTS
from thinksafe.reporting.tables import read_csv

N = 100


NONE = {"steered": [], "direct": []}


SPEC = {
    "students": [("qwen3-mini", "Qwen3-mini")],
    "methods": [("initial", "Initial"), ("thinksafe", "ThinkSafe"), ("rejection", "Rejection sampling")],
    "benchmarks": BENCHMARKS,
    "confidence": 0.95,
    "min_effect": 5.0,
}


def steering(folder, direct, steered, n=N):
    """Write verdicts: five unsteered draws and one steered for each prompt."""
    columns = {"id": str, "draw": int, "harm": str}
    said = {"direct": [], "steered": []}
    for place in range(n):
        for draw in range(5):
            said["direct"].append({"id": f"p{place}", "draw": draw, "harm": "unsafe" if place < direct else "safe"})
        said["steered"].append({"id": f"p{place}", "draw": 0, "harm": "unsafe" if place < steered else "safe"})
    paths = {"steered": [], "direct": []}
    for arm, rows in said.items():
        raw = dict(guard="g", student="qwen3-mini", steering=arm, samples=1, replicate=0, prompts="harmful")
        for shard, half in enumerate((rows[: len(rows) // 2], rows[len(rows) // 2 :])):
            paths[arm].append(str(folder / f"{RESPONSE_VERDICTS(raw, shard=shard)}.parquet"))
            write_rows(paths[arm][-1], half, columns)
    return paths


def effects(folder, steered, rows, spec=SPEC):
    paths = [str(folder / f"effects.{form}") for form in ("csv", "md")]
    pairs = [{"student": "qwen3-mini", "replicate": 0}] if steered["steered"] else []
    write_effects(**steered, rows=files(rows), spec=spec | cells(rows) | {"pairs": pairs}, csv=paths[0], md=paths[1])
    found = read_csv(paths[0])
    return {(row["method"], row["against"], row["metric"]): row for row in found}, open(
        paths[1], encoding="utf-8"
    ).read()


def test_every_claim(tmp_path):
    found, text = effects(
        tmp_path,
        steering(tmp_path, direct=70, steered=3),
        write_items(
            tmp_path,
            unsafe={"initial": 60, "thinksafe": 4, "rejection": 58},
            right={"initial": 90, "thinksafe": 89, "rejection": 60},
            oracle={"initial": 60, "thinksafe": 40, "rejection": 60},
        ),
    )
    steered = found["thinksafe", "direct", "unsafe_training_responses"]
    assert (steered["before"], steered["after"], steered["value"], steered["n"]) == (70, 3, -67, 100)
    assert steered["verdict"] == "helps" and steered["low"] < -67 < steered["high"] < -50
    harm = found["thinksafe", "initial", "harm_avg3"]
    assert (harm["before"], harm["after"], harm["value"], harm["n"]) == (60, 4, -56, 300)
    assert harm["verdict"] == "helps"
    assert (
        harm["high"] - harm["low"]
        < found["thinksafe", "initial", "harmbench"]["high"] - found["thinksafe", "initial", "harmbench"]["low"]
    )
    assert found["thinksafe", "initial", "harm_avg3:oracle"]["value"] == -20
    assert found["rejection", "initial", "harm_avg3"]["verdict"] == "does not help"
    assert found["rejection", "initial", "harm_avg3"]["value"] == -2
    assert found["thinksafe", "rejection", "harm_avg3"]["value"] == -54
    share = found["rejection", "thinksafe", "gain_ratio"]
    assert share["value"] == pytest.approx(100 * 2 / 56, abs=1e-5) and -1 < share["low"] < 1 < share["high"] < 10
    assert found["thinksafe", "initial", "reasoning_avg"]["value"] == -1
    assert found["thinksafe", "initial", "reasoning_avg"]["verdict"] == "keeps"
    assert found["thinksafe", "initial", "reasoning_avg"]["n"] == 400
    assert found["rejection", "initial", "reasoning_avg"]["verdict"] == "costs"
    assert found["thinksafe", "initial", "xstest"]["verdict"] == "keeps"
    assert "| Qwen3-mini |" in text and "Steering against no steering" in text and "strongreject" not in text


def test_few_samples_tell_nothing(tmp_path):
    found, _ = effects(
        tmp_path,
        steering(tmp_path, direct=3, steered=1, n=8),
        write_items(tmp_path, {"initial": 5, "thinksafe": 4}, n=8),
        SPEC | {"methods": SPEC["methods"][:2]},
    )
    assert found["thinksafe", "direct", "unsafe_training_responses"]["verdict"] == "too few samples to tell"
    assert found["thinksafe", "initial", "harm_avg3"]["verdict"] == "too few samples to tell"
    assert ("rejection", "thinksafe", "gain_ratio") not in found


def test_unknown_verdicts_are_left_out_of_pairs_and_counted(tmp_path):
    found, _ = effects(tmp_path, NONE, write_items(tmp_path, {"initial": 60, "thinksafe": 0}, unknown=20))
    row = found["thinksafe", "initial", "harmbench"]
    assert (row["n"], row["left_out"]) == (80, 20)
    assert (row["before"], row["after"]) == (75, 0)
    assert found["thinksafe", "initial", "harm_avg3"]["left_out"] == 60


def test_a_run_with_one_benchmark(tmp_path):
    some = BENCHMARKS[:1]
    found, text = effects(
        tmp_path,
        NONE,
        write_items(tmp_path, {"initial": 60, "thinksafe": 0}, benchmarks=some),
        SPEC | {"benchmarks": some},
    )
    assert set(found) == {("thinksafe", "initial", "harmbench"), ("thinksafe", "initial", "harmbench:oracle")}
    assert "harmbench" in text


def test_nothing_known_is_no_number(tmp_path):
    found, _ = effects(tmp_path, NONE, write_items(tmp_path, {"initial": 60, "thinksafe": 0}, unknown=N))
    row = found["thinksafe", "initial", "harm_avg3"]
    assert row["value"] is None and row["n"] == 0 and row["verdict"] == "too few samples to tell"
