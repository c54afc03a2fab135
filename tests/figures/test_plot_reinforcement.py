"""Figure 3."""

from scripts.figures.plot_reinforcement import plot_reinforcement
from scripts.tables.write_averages import write_averages
from tests.figures.drawing import drawn_twice
from tests.paper_run import SPEC as RUN
from tests.paper_run import STUDENTS, TABLE1, cells, files, write_run
from tests.tables.test_write_cost import cost, job

METHODS = [("initial", "Initial"), ("thinksafe", "ThinkSafe"), ("thinksafe-kl", "ThinkSafe + KL"), ("grpo", "GRPO")]


FIGURE3 = RUN | {"methods": METHODS}


def test_figure3(tmp_path):
    shown = {key: value for key, value in TABLE1.items() if key[1] in ("initial", "thinksafe")}
    shown |= {(student, "thinksafe-kl"): TABLE1[student, "safekey"] for student, _ in STUDENTS}
    shown |= {(student, "grpo"): TABLE1[student, "safepath"] for student, _ in STUDENTS}
    table, scores = str(tmp_path / "figure3.csv"), write_run(tmp_path, shown)
    write_averages(files(scores), [], FIGURE3 | cells(scores), table)
    student = STUDENTS[0][0]
    jobs = [
        job(tmp_path, student, method, "training", "t", [seconds])
        for method, seconds in (("thinksafe", 90.0), ("thinksafe-kl", 120.0), ("grpo", 900.0), ("star1", 5.0))
    ]
    times = cost(tmp_path, jobs, STUDENTS, [*METHODS, ("star1", "STAR-1")])
    drawn = drawn_twice(tmp_path, "figure3", plot_reinforcement, table, times, FIGURE3)
    without = drawn_twice(
        tmp_path, "without", plot_reinforcement, table, cost(tmp_path, [], STUDENTS, METHODS), FIGURE3
    )
    assert drawn[0] != without[0]
