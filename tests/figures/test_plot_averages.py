"""Figures 3, 4, 7, 11 and 13, and the numbers behind them."""

import pytest
from matplotlib.colors import to_hex

from scripts.figures.plot_averages import plot_averages
from scripts.figures.plot_tradeoff import plot_tradeoff
from scripts.tables.write_averages import write_averages
from tests.figures.drawing import drawn_figure, drawn_twice
from tests.paper_run import BENCHMARKS, STUDENTS, TABLE1, cells, files, write_run
from tests.paper_run import SPEC as RUN
from tests.tables.test_write_cost import cost, job
from thinksafe.reporting.figures import COLUMN, colour
from thinksafe.reporting.tables import read_csv, write_csv

FIGURE7 = RUN | {"methods": [("initial", "Initial"), ("rejection", "Rejection sampling"), ("thinksafe", "ThinkSafe")]}


def averages(scores, spec, table):
    write_averages(files(scores), [], spec | cells(scores), table)


def rejection_run(tmp_path, benchmarks=BENCHMARKS):
    values = {key: value for key, value in TABLE1.items() if key[1] in ("initial", "thinksafe")}
    values |= {(student, "rejection"): TABLE1[student, "safepath"] for student, _ in STUDENTS}
    table = str(tmp_path / "figure7.csv")
    averages(write_run(tmp_path, values, benchmarks, audit=30.0), FIGURE7 | {"benchmarks": benchmarks}, table)
    return table


def test_rejection(tmp_path):
    table = rejection_run(tmp_path)
    rows = read_csv(table)
    assert {row["metric"] for row in rows} == {
        *("safety_avg", "harm_avg3", "reasoning_avg", "harm_avg3:oracle", "safety_avg:oracle", "reasoning_avg:strict"),
    }
    assert [row["method"] for row in rows if row["metric"] == "safety_avg"] == ["initial", "rejection", "thinksafe"] * 2
    assert rows[0]["low"] < rows[0]["value"] < rows[0]["high"]
    drawn_twice(tmp_path, "figure7", plot_averages, table, FIGURE7)


def test_rejection_of_a_small_run(tmp_path):
    table = rejection_run(tmp_path, [BENCHMARKS[0], BENCHMARKS[5]])
    assert {"harmbench", "harmbench:oracle", "gsm8k"} <= {row["metric"] for row in read_csv(table)}
    drawn_twice(tmp_path, "figure7", plot_averages, table, FIGURE7)


def test_names_of_students_do_not_touch(tmp_path):
    """The paper's names, which are long, in the panels of Figures 4 and 7."""
    names = (
        ["R1-Distill-Qwen-1.5B", "R1-Distill-Qwen-7B", "R1-Distill-Llama-8B"],
        [f"Qwen3-{n}B" for n in (0.6, 1.7, 4, 8)],
    )
    for labels in names:
        students = [(label.lower(), label) for label in labels]
        values = {(student, "thinksafe"): TABLE1["qwen3-4b", "thinksafe"] for student, _ in students}
        spec = {"students": students, "methods": [("thinksafe", "ThinkSafe")], "benchmarks": BENCHMARKS}
        averages(write_run(tmp_path, values), spec, str(tmp_path / "f.csv"))
        figure = drawn_figure(plot_averages, tmp_path, str(tmp_path / "f.csv"), spec)
        figure.set_dpi(300)
        figure.canvas.draw()
        for axes in figure.axes:
            boxes = [text.get_window_extent() for text in axes.get_xticklabels()]
            assert len(boxes) == len(labels)
            assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))


def test_what_is_nothing_unknown_or_odd_is_drawn_as_such(tmp_path):
    """0 has its method's colour, what is missing no bar, one measurement no interval; a label is no formula."""
    label, low = "a_b $x$ & <c> % | \\d", {"low": 0.0, "high": 2.0}
    methods = [("thinksafe", label), ("thinksafe-kl", "KL"), ("grpo", "GRPO")]
    rows = [
        {"student": "s", "method": method, "metric": metric, "value": value, "n": 9} | bounds
        for metric in ("safety_avg", "reasoning_avg")
        for method, value, bounds in (
            ("thinksafe", 0.0, low),
            ("thinksafe-kl", 5.0, {"low": 5.0, "high": 5.0}),
            ("grpo", None, {"low": None, "high": None}),
        )
    ]
    table, spec = str(tmp_path / "f.csv"), {"students": [("s", label)], "methods": methods}
    write_csv(table, list(rows[0]), rows)
    figure = drawn_figure(plot_averages, tmp_path, table, spec)
    assert figure.get_size_inches()[0] == COLUMN  # letters of 6 points there, and not of a page's width shrunk
    for axes in figure.axes:
        zero, known = [bars for bars in axes.containers if bars.get_label() in (label, "KL")]
        assert to_hex(zero.patches[0].get_edgecolor()) == colour("thinksafe").lower()
        assert not zero.patches[0].get_clip_on() and len(axes.patches) == 2
        assert [len(bars.errorbar.lines[2][0].get_segments()[0]) for bars in (zero, known)] == [2, 0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [label, "KL"]
    figure = drawn_figure(plot_tradeoff, tmp_path, table, spec)
    assert len(figure.axes[0].containers) == 2  # GRPO has no numbers


@pytest.mark.parametrize(
    "rivals", [["thinksafe-noreason"], ["thinksafe-suffix", "thinksafe-risk", "thinksafe-intent"]], ids=["4-11", "13"]
)
def test_ablations(tmp_path, rivals):
    """A bar of its own colour for each variant beside the default, with its interval, in three panels."""
    names = ["thinksafe", *rivals]
    methods = [(name, name.upper()) for name in names]
    values = {(student, name): TABLE1[student, "thinksafe"] for student, _ in STUDENTS for name in names}
    spec, table = RUN | {"methods": methods}, str(tmp_path / "averages.csv")
    averages(write_run(tmp_path, values), spec, table)
    rows = read_csv(table)
    assert {(row["student"], row["method"]) for row in rows} == set(values)
    figure = drawn_figure(plot_averages, tmp_path, table, spec)
    panels = [axes for axes in figure.axes if axes.get_title(loc="right")]
    assert [axes.get_title(loc="right")[:6] for axes in panels] == ["lower ", "lower ", "higher"]
    for axes in panels:
        bars = {bar.get_label(): bar for bar in axes.containers if bar.get_label() in dict(methods).values()}
        assert list(bars) == [label for _, label in methods]
        for name, label in methods:
            assert len(bars[label].patches) == len(STUDENTS) and bars[label].errorbar is not None
            assert {to_hex(patch.get_facecolor()) for patch in bars[label].patches} == {colour(name).lower()}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [label for _, label in methods]


WITH_GRPO = [
    ("initial", "Initial"),
    ("thinksafe", "ThinkSafe"),
    ("thinksafe-kl", "ThinkSafe + KL"),
    ("grpo", "GRPO"),
]


FIGURE3 = RUN | {"methods": WITH_GRPO}


def test_figure_3_has_a_panel_for_the_cost(tmp_path):
    shown = {key: value for key, value in TABLE1.items() if key[1] in ("initial", "thinksafe")}
    shown |= {(student, "thinksafe-kl"): TABLE1[student, "safekey"] for student, _ in STUDENTS}
    shown |= {(student, "grpo"): TABLE1[student, "safepath"] for student, _ in STUDENTS}
    table, scores = str(tmp_path / "figure3.csv"), write_run(tmp_path, shown)
    averages(scores, FIGURE3, table)
    student = STUDENTS[0][0]
    jobs = [
        job(tmp_path, student, method, "training", "t", [seconds])
        for method, seconds in (("thinksafe", 90.0), ("thinksafe-kl", 120.0), ("grpo", 900.0), ("star1", 5.0))
    ]
    times = cost(tmp_path, jobs, STUDENTS, [*WITH_GRPO, ("star1", "STAR-1")])
    without = cost(tmp_path / "none", [], STUDENTS, WITH_GRPO)
    bytes_ = [
        drawn_twice(tmp_path, name, lambda *paths, found=found: plot_averages(table, FIGURE3, *paths, cost=found))
        for name, found in (("figure3", times), ("without", without))
    ]
    assert bytes_[0][0] != bytes_[1][0]
