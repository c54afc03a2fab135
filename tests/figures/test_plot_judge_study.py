"""The judge study as a figure."""

from scripts.figures.plot_judge_study import plot_judge_study
from tests.figures.drawing import drawn_twice
from tests.tables.test_write_judge_study import JUDGES, SPEC, study


def test_the_study_is_drawn(tmp_path):
    study(tmp_path)
    drawn = drawn_twice(tmp_path, "study", plot_judge_study, str(tmp_path / "study.csv"), SPEC)
    only = SPEC | {"judges": JUDGES[-1:]}
    assert drawn[0] != drawn_twice(tmp_path, "matrix", plot_judge_study, str(tmp_path / "study.csv"), only)[0]
