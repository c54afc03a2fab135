"""Figures 1, 7, 9 and 10, and the numbers behind them."""

import pytest

from scripts.lib.drawing import COLOURS, MARKERS, OTHER, colour
from scripts.lib.files import write_rows
from scripts.lib.lengths import drawn
from scripts.lib.tables import read_csv
from scripts.plot_lengths import plot_lengths
from scripts.plot_rejection import plot_rejection
from scripts.plot_tradeoff import plot_tradeoff
from scripts.write_figure7_table import write_figure7_table
from scripts.write_lengths import write_lengths
from scripts.write_table1 import write_table1
from tests.scripts.paper_run import BENCHMARKS, SPEC, STUDENTS, TABLE1, write_run

FIGURE7 = SPEC | {"methods": [("initial", "Initial"), ("rejection", "Rejection sampling"), ("thinksafe", "ThinkSafe")]}


def twice(folder, name, function, *arguments):
    """Draw twice and return the bytes of the PNG and the PDF, having checked that they are the same."""
    made = []
    for turn in ("first", "second"):
        paths = [folder / f"{name}-{turn}.{form}" for form in ("png", "pdf")]
        function(*arguments, *map(str, paths))
        made.append([path.read_bytes() for path in paths])
    assert made[0] == made[1]
    assert made[0][0].startswith(b"\x89PNG") and made[0][1].startswith(b"%PDF")
    assert b"CreationDate" not in made[0][1]
    return made[0]


def test_a_method_has_its_own_colour():
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert colour("thinksafe") == COLOURS["thinksafe"] != colour("initial")
    assert colour("thinksafe-from-qwen3-8b") == OTHER not in COLOURS.values()
    assert len(set(MARKERS)) >= 7  # students of the paper


def test_tradeoff(tmp_path):
    write_table1(write_run(tmp_path), SPEC, *(str(tmp_path / f"t.{form}") for form in ("csv", "md", "tex")))
    with_points = twice(tmp_path, "figure1", plot_tradeoff, str(tmp_path / "t.csv"), SPEC)
    without = twice(tmp_path, "none", plot_tradeoff, str(tmp_path / "t.csv"), SPEC | {"methods": [("grpo", "GRPO")]})
    assert len(with_points[0]) > 2 * len(without[0])


def rejection_run(tmp_path, benchmarks=BENCHMARKS):
    cells = {key: value for key, value in TABLE1.items() if key[1] in ("initial", "thinksafe")}
    cells |= {(student, "rejection"): TABLE1[student, "safepath"] for student, _ in STUDENTS}
    table = str(tmp_path / "figure7.csv")
    write_figure7_table(write_run(tmp_path, cells, benchmarks, audit=30.0), FIGURE7 | {"benchmarks": benchmarks}, table)
    return table


def test_rejection(tmp_path):
    table = rejection_run(tmp_path)
    rows = read_csv(table)
    assert {row["metric"] for row in rows} == {
        *("safety_avg", "harm_avg3", "reasoning_avg", "harm_avg3:oracle", "safety_avg:oracle", "reasoning_avg:strict"),
    }
    assert [row["method"] for row in rows if row["metric"] == "safety_avg"] == ["initial", "rejection", "thinksafe"] * 2
    assert rows[0]["low"] < rows[0]["value"] < rows[0]["high"]
    twice(tmp_path, "figure7", plot_rejection, table, FIGURE7)


def test_rejection_of_a_small_run(tmp_path):
    table = rejection_run(tmp_path, [BENCHMARKS[0], BENCHMARKS[5]])
    assert {"harmbench", "harmbench:oracle", "gsm8k"} <= {row["metric"] for row in read_csv(table)}
    twice(tmp_path, "figure7", plot_rejection, table, FIGURE7)


def test_lengths(tmp_path):
    columns = {"id": str, "role": str, "tokens": int}
    lengths = {"harmful": [10] * 198 + [1000, 2000], "benign": list(range(100, 300))}
    rows = [
        {"id": f"{role}-{n}", "role": role, "tokens": tokens}
        for role in lengths
        for n, tokens in enumerate(lengths[role])
    ]
    write_rows(tmp_path / "a.parquet", rows, columns)
    datasets = [{"student": "qwen3-0.6b", "replicate": 0, "path": str(tmp_path / "a.parquet")}]
    spec = {"students": STUDENTS, "confidence": 0.95}
    table = str(tmp_path / "figure9.csv")
    write_lengths(datasets, spec, table)
    found = {row["metric"]: row for row in read_csv(table)}
    assert found["N_h"]["value"] == found["N_b"]["value"] == 200
    assert found["mu_h"]["value"] == pytest.approx((1980 + 3000) / 200)
    assert found["mu_h_drawn"]["value"] == 10 and found["median_h"]["value"] == 10
    assert found["mu_b"]["value"] == pytest.approx(199.5)
    # t(199) = 1.97196; the standard deviation of 100..299 is 57.8792
    assert found["mu_b"]["high"] - 199.5 == pytest.approx(1.97196 * 57.8792 / 200**0.5, abs=0.001)
    twice(tmp_path, "figure9", plot_lengths, datasets, table, spec)
    with pytest.raises(ValueError, match="no training set"):
        write_lengths([], spec, table)


def test_lengths_with_no_benign_row(tmp_path):
    write_rows(
        tmp_path / "a.parquet", [{"id": "h", "role": "harmful", "tokens": 5}], {"id": str, "role": str, "tokens": int}
    )
    datasets = [{"student": "qwen3-0.6b", "replicate": 0, "path": str(tmp_path / "a.parquet")}]
    spec = {"students": STUDENTS, "confidence": 0.95}
    write_lengths(datasets, spec, str(tmp_path / "l.csv"))
    found = {row["metric"]: row["value"] for row in read_csv(str(tmp_path / "l.csv"))}
    assert found["N_b"] == 0 and found["mu_b"] is None and found["mu_h"] == 5
    twice(tmp_path, "l", plot_lengths, datasets, str(tmp_path / "l.csv"), spec)


def test_longest_hundredth_is_not_drawn():
    assert drawn([3, 1, 2]) == [1, 2, 3]
    assert drawn(list(range(200))) == list(range(198))
