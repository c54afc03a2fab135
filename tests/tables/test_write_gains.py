"""Gains by teacher (Figures 5, 6, 12) from rows per item."""

import pytest

from scripts.tables.write_gains import write_gains
from tests.paper_run import BENCHMARKS, cells, files, write_items
from thinksafe.reporting.tables import read_csv

METHODS = ["initial", "thinksafe", "thinksafe-from-large"]


SPEC = {
    "students": [("qwen3-mini", "Qwen3-mini")],
    "methods": [(name, name) for name in METHODS],
    "benchmarks": BENCHMARKS,
    "confidence": 0.95,
}


def gains(folder, unsafe, right, benchmarks=BENCHMARKS):
    rows = write_items(
        folder,
        dict(zip(METHODS, unsafe, strict=True)),
        dict(zip(METHODS, right, strict=True)),
        None,
        0,
        100,
        benchmarks,
    )
    write_gains(files(rows), SPEC | cells(rows), str(folder / "gains.csv"))
    return {(row["method"], row["metric"]): row for row in read_csv(str(folder / "gains.csv"))}


def test_gains_are_for_the_better_and_in_points_and_per_cent(tmp_path):
    found = gains(tmp_path, (80, 20, 60), (50, 48, 60))
    # XSTest's rows are never refused, so the mean over four columns is three quarters of that over three.
    own, other = ("thinksafe", "thinksafe-from-large")
    assert found[own, "harm3_gain"]["value"] == pytest.approx(60)
    assert found[own, "safety_gain"]["value"] == pytest.approx(45)
    assert found[own, "safety_gain_pct"]["value"] == pytest.approx(75)
    assert found[own, "reasoning_gain"]["value"] == pytest.approx(-2)
    assert found[other, "reasoning_gain_pct"]["value"] == pytest.approx(20)
    assert found[other, "gain_ratio"]["value"] == pytest.approx(10 / 15, abs=1e-5)
    assert all(row["low"] < row["value"] < row["high"] for row in found.values())
    assert found[own, "reasoning_gain"]["n"] == 400


def test_a_ratio_to_no_clear_gain_has_no_bounds(tmp_path):
    found = gains(tmp_path, (50, 50, 49), (50, 60, 60))
    assert found["thinksafe", "gain_ratio"]["value"] is None
    unclear = found["thinksafe-from-large", "gain_ratio"]
    assert unclear["value"] is not None and unclear["low"] is unclear["high"] is None
