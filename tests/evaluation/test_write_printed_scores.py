"""The paper's printed cells as scores."""

import pytest

from scripts.evaluation.write_printed_scores import write_printed_scores
from thinksafe.analysis.paper_cells import printed_score
from thinksafe.files import read_json


def test_a_cell_has_the_count_that_it_rounds() -> None:
    score = printed_score(68.44, "harm", 602, 1, 0.95)
    assert (score["value"], score["count"], score["n"], score["printed"]) == (68.44, 412, 602, True)
    assert score["low"] == pytest.approx(64.62, abs=0.01) and score["high"] == pytest.approx(72.02, abs=0.01)


@pytest.mark.parametrize("value, rows", [(38.95, 313), (36.42, 2000)])
def test_a_cell_that_is_no_whole_number_has_no_count(value: float, rows: int) -> None:
    score = printed_score(value, "harm", rows, 1, 0.95)
    assert score["count"] is None and score["low"] < value < score["high"]


def test_a_reasoning_cell_counts_each_problem_once() -> None:
    score = printed_score(10.42, "reasoning", 30, 8, 0.95)
    assert (score["count"], score["n"], score["problems"], score["draws"]) == (25, 240, 30, 8)
    assert score["high"] - score["low"] > 20  # of 240 independent samples it would be 8
    assert printed_score(0.0, "reasoning", 30, 8, 0.95)["high"] > 5


def test_every_printed_cell_is_there(tmp_path) -> None:
    cell = {"student": "r1-llama-8b", "method": "thinksafe-wildguard", "benchmark": "xstest"}
    path = tmp_path / "cell.json"
    kinds = {"xstest": {"kind": "refusal", "rows": 250, "samples": 1}}
    write_printed_scores(["config/paper/table2.csv", "config/paper/table7.csv"], [cell], kinds, 0.95, [path])
    assert read_json(path)["kind"] == "refusal"
    with pytest.raises(ValueError, match="rejection.*printed in none"):
        write_printed_scores(["config/paper/table1.csv"], [cell | {"method": "rejection"}], kinds, 0.95, [path])
