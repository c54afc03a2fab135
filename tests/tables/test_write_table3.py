"""Table 3 from the statistics of training sets."""

import pytest

from scripts.tables.write_table3 import write_table3
from tests.paper_run import cells, files
from thinksafe.files import write_json
from thinksafe.layout import TRAINING_SET
from thinksafe.reporting.tables import read_csv

SPEC = {"students": [("qwen3-0.6b", "Qwen3-0.6B"), ("r1-qwen-7b", "R1-7B")], "confidence": 0.95}


def half(prompts, unsafe=0, unknown=0, unfinished=0, too_long=0):
    dropped = {"unsafe": unsafe, "unknown": unknown, "unfinished": unfinished, "too_long": too_long}
    return {"prompts": prompts, "kept": prompts - sum(dropped.values()), "dropped": dropped}


def run(folder, sets):
    statistics = []
    for student, replicate, harmful, benign in sets:
        cell = {"student": student, "method": "thinksafe", "replicate": replicate}
        statistics.append(cell | {"path": str(folder / f"{TRAINING_SET(cell)}.statistics.json")})
        write_json(statistics[-1]["path"], {"harmful": harmful, "benign": benign})
    paths = [str(folder / f"table3.{form}") for form in ("csv", "md", "tex")]
    write_table3(files(statistics), SPEC | cells(statistics), *paths)
    table = {(row["student"], row["metric"]): row for row in read_csv(paths[0])}
    return table, *(open(path, encoding="utf-8").read() for path in paths[1:])


def test_shares_of_all_prompts(tmp_path):
    table, markdown, latex = run(
        tmp_path,
        [
            ("qwen3-0.6b", 0, half(17888, 860, 6, 100, 4), half(22112, 236, 0, 50)),
            ("r1-qwen-7b", 0, half(1000, 29), half(1000, 27)),
        ],
    )
    harmful = table["qwen3-0.6b", "filtered_out_pct_harmful"]
    assert harmful["value"] == pytest.approx(100 * 866 / 17888, abs=1e-5)  # 4.84, as the paper's
    assert (harmful["n"], harmful["count"], harmful["unsafe"], harmful["unknown"]) == (17888, 866, 860, 6)
    assert (harmful["unfinished"], harmful["too_long"]) == (100, 4)
    assert harmful["low"] < harmful["value"] < harmful["high"]
    assert table["qwen3-0.6b", "dropped_pct_harmful"]["count"] == 970
    assert table["qwen3-0.6b", "filtered_out_pct_benign"]["value"] == pytest.approx(1.07, abs=0.005)
    lines = markdown.splitlines()
    assert lines[0] == "| Sample category | Qwen3-0.6B | R1-7B |"
    assert lines[2] == "| Benign, filtered out by the guard | 1.07 | 2.70 |"
    assert lines[3] == "| Harmful, filtered out by the guard | 4.84 | 2.90 |"
    assert r"Harmful, left out for any reason & 5.42 & 2.90 \\" in latex


def test_replicates(tmp_path):
    table, *_ = run(
        tmp_path,
        [("qwen3-0.6b", 0, half(100, 10), half(100)), ("qwen3-0.6b", 1, half(100, 20), half(100))],
    )
    row = table["qwen3-0.6b", "filtered_out_pct_harmful"]
    assert row["value"] == 15 and row["n"] == 200 and row["replicates"] == 2
    assert row["std"] == pytest.approx(7.071068)
    benign = table["qwen3-0.6b", "dropped_pct_benign"]
    assert benign["value"] == 0 and benign["high"] > 3  # nothing of 100 is not nothing for sure


def test_counts_must_add_up(tmp_path):
    with pytest.raises(ValueError, match="add up"):
        run(tmp_path, [("qwen3-0.6b", 0, half(100) | {"kept": 99}, half(100))])
    with pytest.raises(ValueError, match="add up"):
        run(tmp_path, [("qwen3-0.6b", 0, {"prompts": 2, "kept": 1, "dropped": {"ugly": 1}}, half(100))])
    with pytest.raises(ValueError, match="no training set"):
        run(tmp_path, [])


def test_rejection_sampling_is_in_the_file_only(tmp_path):
    statistics = []
    for method, unsafe in (("thinksafe", 10), ("rejection", 60)):
        cell = {"student": "qwen3-0.6b", "method": method, "replicate": 0}
        statistics.append(cell | {"path": str(tmp_path / f"{TRAINING_SET(cell)}.statistics.json")})
        write_json(statistics[-1]["path"], {"harmful": half(100, unsafe), "benign": half(100)})
    paths = [str(tmp_path / f"table3.{form}") for form in ("csv", "md", "tex")]
    write_table3(files(statistics), SPEC | cells(statistics), *paths)
    rows = [row for row in read_csv(paths[0]) if row["metric"] == "filtered_out_pct_harmful"]
    assert [(row["method"], row["value"]) for row in rows] == [("thinksafe", 10), ("rejection", 60)]
    assert "10.00" in open(paths[1], encoding="utf-8").read() and "60.00" not in open(paths[1], encoding="utf-8").read()
