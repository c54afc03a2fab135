"""Figures 5, 6 and 12."""

import pytest

from scripts.figures.plot_gains import plot_gains
from tests.figures.drawing import drawn_twice
from tests.paper_run import BENCHMARKS
from tests.tables.test_write_gains import SPEC, gains

SOURCES = [("thinksafe", "Self"), ("thinksafe-from-large", "Qwen3-midi")]


@pytest.mark.parametrize("metrics", [["gain_ratio"], ["safety_gain", "reasoning_gain"]])
def test_gains_are_drawn(tmp_path, metrics):
    gains(tmp_path, (80, 20, 60), (50, 48, 60))
    spec = {"students": SPEC["students"], "sources": SOURCES, "metrics": metrics}
    drawn = drawn_twice(tmp_path, "gains", plot_gains, str(tmp_path / "gains.csv"), spec)
    gains(tmp_path, (80, 20, 60), (50, 48, 60), BENCHMARKS[:2])
    empty = drawn_twice(tmp_path, "empty", plot_gains, str(tmp_path / "gains.csv"), spec)
    assert drawn[0] != empty[0]
