"""Figure 8."""

import pytest

from scripts.figures.plot_perplexity import plot_perplexity
from tests.figures.drawing import drawn_figure, drawn_twice
from tests.paper_run import SPEC as RUN
from tests.paper_run import STUDENTS
from thinksafe.reporting.tables import write_csv


@pytest.mark.parametrize("most", [40.0, 1e6])
def test_perplexity_fits_its_page(tmp_path, most):
    """Every method of Figure 8 in the legend, and no two numbers of the axis upon each other, however far it goes."""
    methods = [*RUN["methods"][1:], ("thinksafe-wildguard", "ThinkSafe+WG"), ("rejection", "Rejection sampling")]
    rows = [
        dict(student=student, method=method, metric=metric, value=most / (2 + place), low=most / 9, high=most)
        for student, _ in STUDENTS
        for place, (method, _) in enumerate(methods)
        for metric in ("perplexity", "perplexity:harmful")
    ]
    write_csv(str(tmp_path / "f.csv"), list(rows[0]), rows)
    figure = drawn_figure(plot_perplexity, tmp_path, str(tmp_path / "f.csv"), RUN | {"methods": methods})
    figure.set_dpi(300)
    figure.canvas.draw()
    page, legend = figure.bbox, figure.legends[0].get_window_extent()
    assert len(figure.legends[0].get_texts()) == 8 and page.x0 <= legend.x0 and legend.x1 <= page.x1
    for axes in figure.axes:
        texts = [text for minor in (False, True) for text in axes.get_yticklabels(minor=minor) if text.get_text()]
        low, high = axes.get_window_extent().intervaly
        boxes = sorted((box.y0, box.y1) for box in (text.get_window_extent() for text in texts))
        boxes = [box for box in boxes if low - 20 < sum(box) / 2 < high + 20]
        assert len(boxes) > 2 and all(below[1] < above[0] for below, above in zip(boxes, boxes[1:], strict=False))
        numbers = [text for text in axes.texts if text.get_text()]
        assert len(numbers) == len(STUDENTS) * len(methods)  # a bar of no height is still read
        boxes = sorted((box.x0, box.x1) for box in (text.get_window_extent() for text in numbers))
        assert all(left[1] < right[0] for left, right in zip(boxes, boxes[1:], strict=False))
        assert max(text.get_window_extent().y1 for text in numbers) < high


def test_figure8(tmp_path):
    rows = [
        dict(student=student, method=method, metric=metric, value=value + 1, low=value + 0.9, high=value + 1.2)
        for student, _ in STUDENTS[:2]
        for method, value in (("star1", 6.0), ("safechain", 2.0), ("thinksafe", 0.5))
        for metric in ("perplexity", "perplexity:harmful")
    ]
    table = str(tmp_path / "figure8.csv")
    write_csv(table, ["student", "method", "metric", "value", "low", "high"], rows)
    names = [(name, name) for name in ("star1", "safechain", "thinksafe")]
    drawn = drawn_twice(tmp_path, "figure8", plot_perplexity, table, {"students": STUDENTS, "methods": names})
    assert len(drawn[0]) > 10_000
