"""Figures 9 and 10."""

import pytest

from scripts.figures.plot_lengths import plot_lengths
from scripts.tables.write_lengths import write_lengths
from tests.figures.drawing import drawn_figure, drawn_twice
from tests.paper_run import cells, files
from tests.tables.test_write_lengths import SPEC, write_set
from thinksafe.reporting.figures import COLUMN
from thinksafe.reporting.tables import read_csv, write_csv


def test_lengths_with_no_benign_row(tmp_path):
    datasets = [write_set(tmp_path, {"harmful": [5]})]
    spec = SPEC | cells(datasets)
    write_lengths(files(datasets), spec, str(tmp_path / "l.csv"))
    found = {row["metric"]: row["value"] for row in read_csv(str(tmp_path / "l.csv"))}
    assert found["N_b"] == 0 and found["mu_b"] is None and found["mu_h"] == 5
    drawn_twice(tmp_path, "l", plot_lengths, files(datasets), str(tmp_path / "l.csv"), spec)


@pytest.mark.parametrize("students", [1, 3])
def test_the_numbers_of_lengths_fit_their_panels(tmp_path, students):
    """30,000 responses of 1,243 tokens, as the paper's, at a column's width."""
    names = [(f"s{n}", "R1-Distill-Qwen-1.5B") for n in range(students)]
    datasets = [write_set(tmp_path, {"harmful": [1243]}, name) for name, _ in names]
    numbers = {"N_h": 30000, "N_b": 30000, "mu_h": 1243.0, "mu_b": 1241.0}
    rows = [{"student": name, "metric": key, "value": value} for name, _ in names for key, value in numbers.items()]
    write_csv(str(tmp_path / "l.csv"), ["student", "metric", "value"], rows)
    spec = {"students": names, "confidence": 0.95} | cells(datasets)
    figure = drawn_figure(plot_lengths, tmp_path, files(datasets), str(tmp_path / "l.csv"), spec)
    figure.set_dpi(300)
    figure.canvas.draw()
    assert figure.get_size_inches()[0] == COLUMN
    for axes in figure.axes[:students]:
        (text,) = axes.texts
        assert text.get_window_extent().x0 > axes.get_window_extent().x0
