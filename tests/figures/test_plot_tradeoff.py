"""Figure 1."""

from matplotlib.colors import to_hex

from scripts.figures.plot_tradeoff import plot_tradeoff
from scripts.tables.write_main_table import write_main_table
from tests.figures.drawing import drawn_figure, drawn_twice
from tests.paper_run import SPEC as RUN
from tests.paper_run import cells, files, write_run
from thinksafe.reporting.figures import colour
from thinksafe.reporting.tables import write_csv


def test_tradeoff(tmp_path):
    scores, paths = write_run(tmp_path), [str(tmp_path / f"t.{form}") for form in ("csv", "md", "tex")]
    write_main_table(files(scores), [], RUN | cells(scores), *paths)
    with_points = drawn_twice(tmp_path, "figure1", plot_tradeoff, str(tmp_path / "t.csv"), RUN)
    without = drawn_twice(
        tmp_path, "none", plot_tradeoff, str(tmp_path / "t.csv"), RUN | {"methods": [("grpo", "GRPO")]}
    )
    assert len(with_points[0]) > 2 * len(without[0])


def test_the_untrained_student_is_seen_under_another(tmp_path):
    """Methods and students have separate columns in the legend, and a mark that covers another has a rim."""
    rows = [
        {"student": student, "method": method, "metric": metric, "value": 50.0, "low": 40.0, "high": 60.0, "n": 9}
        for student in ("s", "t")
        for method in ("initial", "rejection")
        for metric in ("safety_avg", "reasoning_avg")
    ]
    table = str(tmp_path / "f.csv")
    write_csv(table, list(rows[0]), rows)
    names = [("initial", "Initial"), ("rejection", "Rejection sampling")]
    spec = {"students": [("s", "S"), ("t", "T")], "methods": names}
    figure = drawn_figure(plot_tradeoff, tmp_path, table, spec)
    below, *_, above = sorted((bars.lines[0] for bars in figure.axes[0].containers), key=lambda line: line.get_zorder())
    assert to_hex(below.get_color()) == colour("initial").lower() and below.get_markersize() > above.get_markersize()
    told = [text.get_text().strip() for text in figure.legends[0].get_texts()]
    assert told == ["Initial", "Rejection sampling", "", "", "S", "T"]
    figure = drawn_figure(plot_tradeoff, tmp_path, table, spec | {"students": [("s", "S")]})
    assert len(figure.legends[0].get_texts()) == 2 and figure.axes[0].get_title(loc="left") == "S"
