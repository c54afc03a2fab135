"""Table 4: what a run was trained on, beside the paper's settings."""

import json

import pytest

from scripts.tables.write_table4 import write_table4
from thinksafe.files import write_rows
from thinksafe.layout import ADAPTER
from thinksafe.reporting.tables import read_csv

SPEC = {
    "students": [("a", "Student_A"), ("b", "B")],
    "methods": [("initial", "Initial"), ("star1", "STAR-1"), ("thinksafe", "ThinkSafe"), ("grpo", "GRPO")],
}


def adapter(folder, student, method, counts, log, **more):
    """Return one cell, with as many rows in each file of its set, and its trainer's log."""
    sets = []
    for number, count in enumerate(counts):
        sets.append(f"datasets/{student}-{method}-{number}.parquet")
        write_rows(folder / sets[-1], [{"prompt": "x"}] * count, {"prompt": str})
    if log:
        lines = [{"attempt": 1, "rows": 1, "too_long": 0}, {"step": 5}, {"attempt": 2} | log]
        path = folder / f"adapters/{student}/trained-with/{method}/replicate-0.training.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return {
        "student": student, "method": method, "replicate": 0, "epochs": 5, "steps": None, "source": "some/rows_1",
        "responses": "own", "take": None, "sets": sets,
    } | more  # fmt: skip


def table4(folder, cells):
    paths = [str(folder / f"table4.{form}") for form in ("csv", "md", "tex")]
    sets = [str(folder / name) for cell in cells for name in cell["sets"]]
    adapters = [str(folder / f"{ADAPTER(cell)}.identity.json") for cell in cells]
    write_table4(sets, adapters, SPEC | {"cells": cells}, "config/paper/table4.csv", *paths)
    return read_csv(paths[0]), *(open(path, encoding="utf-8").read() for path in paths[1:])


def test_rows_that_were_trained_on(tmp_path):
    rows, markdown, tex = table4(
        tmp_path,
        [
            adapter(tmp_path, "a", "star1", [12], {"rows": 12, "too_long": 0}),
            adapter(tmp_path, "b", "star1", [12], {"rows": 12, "too_long": 0}),
            adapter(tmp_path, "a", "thinksafe", [20], {"rows": 18, "too_long": 2}),
            adapter(tmp_path, "b", "thinksafe", [30], None),
            adapter(tmp_path, "a", "grpo", [9, 4], {"prompts": 7, "too_long": 2}, take=[5, None], steps=40),
        ],
    )
    assert [(row["rows"], row["too_long"], row["trained"]) for row in rows] == [
        *[(12, 0, 12)] * 2,
        (20, 2, 18),
        (30, None, None),
        (9, 2, 7),
    ]
    assert (rows[0]["paper_epochs"], rows[0]["paper_rows"], rows[4]["paper_epochs"]) == (5, 1000, None)
    lines = markdown.splitlines()
    assert lines[2] == "| STAR-1 | 5 | some/rows_1 | own | 12 | 5 | mixture of harmful-prompt datasets | 1000 |"
    assert lines[3] == "| ThinkSafe | 5 | some/rows_1 | own | Student_A: 18; B: ≤ 30 | 3 | SafeChain | – |"
    assert lines[4] == "| GRPO | 5 (at most 40 steps) | some/rows_1 | own | 7 | – | – | – |"
    assert r"some/rows\_1 & own & Student\_A: 18; B: $\leq$ 30 & 3" in tex


def test_sets_that_differ_between_students_are_told_by_student(tmp_path):
    cells = [
        adapter(
            tmp_path, "a", "thinksafe", [3], {"rows": 3, "too_long": 0}, source="their/set", responses="own (released)"
        ),
        adapter(tmp_path, "b", "thinksafe", [3], {"rows": 3, "too_long": 0}, source="prompts"),
    ]
    _, markdown, _ = table4(tmp_path, cells)
    assert "| Student_A: their/set; B: prompts | Student_A: own (released); B: own | 3 |" in markdown


def test_a_log_must_account_for_its_set(tmp_path):
    with pytest.raises(ValueError, match="11 rows and 0 too long ones are not the 12"):
        table4(tmp_path, [adapter(tmp_path, "a", "star1", [12], {"rows": 11, "too_long": 0})])
