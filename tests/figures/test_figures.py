"""Figures 1, 2, 4, 7, 9 to 11 and 13, and the numbers behind them."""

from itertools import combinations

import numpy
import pytest
from matplotlib.colors import to_hex, to_rgb

from scripts.figures.plot_averages import plot_averages
from scripts.figures.plot_lengths import plot_lengths
from scripts.figures.plot_perplexity import plot_perplexity
from scripts.figures.plot_samples import plot_samples
from scripts.figures.plot_tradeoff import plot_tradeoff
from scripts.tables.write_averages import write_averages
from scripts.tables.write_figure2_table import beginning, write_figure2_table
from scripts.tables.write_lengths import write_lengths
from scripts.tables.write_main_table import write_main_table
from tests.paper_run import BENCHMARKS, SPEC, STUDENTS, TABLE1, write_run
from thinksafe.files import read_json, write_rows
from thinksafe.reporting.figures import COLOURS, COLUMN, MARKERS, OTHER, colour
from thinksafe.reporting.lengths import drawn
from thinksafe.reporting.tables import read_csv, write_csv

FIGURE7 = SPEC | {"methods": [("initial", "Initial"), ("rejection", "Rejection sampling"), ("thinksafe", "ThinkSafe")]}


def twice(folder, name, function, *arguments):
    """Draw twice and return the bytes of the PNG and the PDF, having checked that they are the same."""
    made = []
    for turn in ("first", "second"):
        paths = [folder / f"{name}-{turn}.{form}" for form in ("png", "pdf")]
        function(*arguments, *map(str, paths))
        made.append([path.read_bytes() for path in paths])
    assert made[0] == made[1]
    assert made[0][0].startswith(b"\x89PNG") and made[0][1].startswith(b"%PDF")
    assert b"CreationDate" not in made[0][1]
    return made[0]


def figure_of(function, folder, *arguments):
    """Draw, and return the figure itself as it was when it was saved."""
    from matplotlib import pyplot

    seen = []
    close = pyplot.close
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyplot, "close", seen.append)
        function(*arguments, str(folder / "f.png"), str(folder / "f.pdf"))
    close("all")
    return seen[0]


def test_a_method_has_its_own_colour():
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert colour("thinksafe") == COLOURS["thinksafe"] != colour("initial")
    assert colour("thinksafe-from-qwen3-8b") == OTHER not in COLOURS.values()
    assert len(set(MARKERS)) >= 7  # students of the paper


# Machado, Oliveira and Fernandes (2009), full severity: what the three kinds of colour-blind readers see.
SEEN = {
    "usual": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TOGETHER = {
    "1, 7, 8": [*(name for name, _ in SPEC["methods"]), "rejection", "thinksafe-wildguard"],
    "3": ["initial", "thinksafe", "thinksafe-kl", "grpo"],
    "4, 11": ["thinksafe", "thinksafe-noreason"],
    "13": ["thinksafe", "thinksafe-suffix", "thinksafe-risk", "thinksafe-intent"],
}


def lab(colour_, eyes):
    """Return CIE L*a*b* (D65) of a colour as it is seen."""
    channels = numpy.array(to_rgb(colour_))
    linear = numpy.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    to_xyz = numpy.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ numpy.clip(numpy.array(eyes) @ linear, 0, 1) / numpy.array([0.9505, 1, 1.089])
    x, y, z = numpy.where(xyz > 0.008856, numpy.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return numpy.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_methods_of_one_figure_are_told_apart_by_all_eyes(names):
    for kind, eyes in SEEN.items():
        for one, other in combinations(names, 2):
            assert numpy.linalg.norm(lab(colour(one), eyes) - lab(colour(other), eyes)) > 15, (kind, one, other)


def test_tradeoff(tmp_path):
    write_main_table(write_run(tmp_path), SPEC, *(str(tmp_path / f"t.{form}") for form in ("csv", "md", "tex")))
    with_points = twice(tmp_path, "figure1", plot_tradeoff, str(tmp_path / "t.csv"), SPEC)
    without = twice(tmp_path, "none", plot_tradeoff, str(tmp_path / "t.csv"), SPEC | {"methods": [("grpo", "GRPO")]})
    assert len(with_points[0]) > 2 * len(without[0])


def rejection_run(tmp_path, benchmarks=BENCHMARKS):
    cells = {key: value for key, value in TABLE1.items() if key[1] in ("initial", "thinksafe")}
    cells |= {(student, "rejection"): TABLE1[student, "safepath"] for student, _ in STUDENTS}
    table = str(tmp_path / "figure7.csv")
    write_averages(write_run(tmp_path, cells, benchmarks, audit=30.0), FIGURE7 | {"benchmarks": benchmarks}, table)
    return table


def test_rejection(tmp_path):
    table = rejection_run(tmp_path)
    rows = read_csv(table)
    assert {row["metric"] for row in rows} == {
        *("safety_avg", "harm_avg3", "reasoning_avg", "harm_avg3:oracle", "safety_avg:oracle", "reasoning_avg:strict"),
    }
    assert [row["method"] for row in rows if row["metric"] == "safety_avg"] == ["initial", "rejection", "thinksafe"] * 2
    assert rows[0]["low"] < rows[0]["value"] < rows[0]["high"]
    twice(tmp_path, "figure7", plot_averages, table, FIGURE7)


def test_rejection_of_a_small_run(tmp_path):
    table = rejection_run(tmp_path, [BENCHMARKS[0], BENCHMARKS[5]])
    assert {"harmbench", "harmbench:oracle", "gsm8k"} <= {row["metric"] for row in read_csv(table)}
    twice(tmp_path, "figure7", plot_averages, table, FIGURE7)


def test_lengths(tmp_path):
    columns = {"id": str, "role": str, "tokens": int}
    lengths = {"harmful": [10] * 198 + [1000, 2000], "benign": list(range(100, 300))}
    rows = [
        {"id": f"{role}-{n}", "role": role, "tokens": tokens}
        for role in lengths
        for n, tokens in enumerate(lengths[role])
    ]
    write_rows(tmp_path / "a.parquet", rows, columns)
    datasets = [{"student": "qwen3-0.6b", "replicate": 0, "path": str(tmp_path / "a.parquet")}]
    spec = {"students": STUDENTS, "confidence": 0.95}
    table = str(tmp_path / "figure9.csv")
    write_lengths(datasets, spec, table)
    found = {row["metric"]: row for row in read_csv(table)}
    assert found["N_h"]["value"] == found["N_b"]["value"] == 200
    assert found["mu_h"]["value"] == pytest.approx((1980 + 3000) / 200)
    assert found["mu_h_drawn"]["value"] == 10 and found["median_h"]["value"] == 10
    assert found["mu_b"]["value"] == pytest.approx(199.5)
    # t(199) = 1.97196; the standard deviation of 100..299 is 57.8792
    assert found["mu_b"]["high"] - 199.5 == pytest.approx(1.97196 * 57.8792 / 200**0.5, abs=0.001)
    twice(tmp_path, "figure9", plot_lengths, datasets, table, spec)
    with pytest.raises(ValueError, match="no training set"):
        write_lengths([], spec, table)


def test_lengths_with_no_benign_row(tmp_path):
    write_rows(
        tmp_path / "a.parquet", [{"id": "h", "role": "harmful", "tokens": 5}], {"id": str, "role": str, "tokens": int}
    )
    datasets = [{"student": "qwen3-0.6b", "replicate": 0, "path": str(tmp_path / "a.parquet")}]
    spec = {"students": STUDENTS, "confidence": 0.95}
    write_lengths(datasets, spec, str(tmp_path / "l.csv"))
    found = {row["metric"]: row["value"] for row in read_csv(str(tmp_path / "l.csv"))}
    assert found["N_b"] == 0 and found["mu_b"] is None and found["mu_h"] == 5
    twice(tmp_path, "l", plot_lengths, datasets, str(tmp_path / "l.csv"), spec)


def test_longest_hundredth_is_not_drawn():
    assert drawn([3, 1, 2]) == [1, 2, 3]
    assert drawn(list(range(200))) == list(range(198))


def test_names_of_students_do_not_touch(tmp_path):
    """The paper's names, which are long, in the panels of Figures 4 and 7."""
    names = (
        ["R1-Distill-Qwen-1.5B", "R1-Distill-Qwen-7B", "R1-Distill-Llama-8B"],
        [f"Qwen3-{n}B" for n in (0.6, 1.7, 4, 8)],
    )
    for labels in names:
        students = [(label.lower(), label) for label in labels]
        cells = {(student, "thinksafe"): TABLE1["qwen3-4b", "thinksafe"] for student, _ in students}
        spec = {"students": students, "methods": [("thinksafe", "ThinkSafe")], "benchmarks": BENCHMARKS}
        write_averages(write_run(tmp_path, cells), spec, str(tmp_path / "f.csv"))
        figure = figure_of(plot_averages, tmp_path, str(tmp_path / "f.csv"), spec)
        figure.set_dpi(300)
        figure.canvas.draw()
        for axes in figure.axes:
            boxes = [text.get_window_extent() for text in axes.get_xticklabels()]
            assert len(boxes) == len(labels)
            assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))


@pytest.mark.parametrize("most", [40.0, 1e6])
def test_perplexity_fits_its_page(tmp_path, most):
    """Every method of Figure 8 in the legend, and no two numbers of the axis upon each other, however far it goes."""
    methods = [*SPEC["methods"][1:], ("thinksafe-wildguard", "ThinkSafe+WG"), ("rejection", "Rejection sampling")]
    rows = [
        dict(student=student, method=method, metric=metric, value=most / (2 + place), low=most / 9, high=most)
        for student, _ in STUDENTS
        for place, (method, _) in enumerate(methods)
        for metric in ("perplexity", "perplexity:harmful")
    ]
    write_csv(str(tmp_path / "f.csv"), list(rows[0]), rows)
    figure = figure_of(plot_perplexity, tmp_path, str(tmp_path / "f.csv"), SPEC | {"methods": methods})
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
    figure = figure_of(plot_averages, tmp_path, table, spec)
    assert figure.get_size_inches()[0] == COLUMN  # letters of 6 points there, and not of a page's width shrunk
    for axes in figure.axes:
        zero, known = [bars for bars in axes.containers if bars.get_label() in (label, "KL")]
        assert to_hex(zero.patches[0].get_edgecolor()) == colour("thinksafe").lower()
        assert not zero.patches[0].get_clip_on() and len(axes.patches) == 2
        assert [len(bars.errorbar.lines[2][0].get_segments()[0]) for bars in (zero, known)] == [2, 0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [label, "KL"]
    figure = figure_of(plot_tradeoff, tmp_path, table, spec)
    assert len(figure.axes[0].containers) == 2  # GRPO has no numbers


def test_the_untrained_student_is_seen_under_another(tmp_path):
    """Methods and students stand in columns of their own, and a mark that another covers has a rim."""
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
    figure = figure_of(plot_tradeoff, tmp_path, table, spec)
    below, *_, above = sorted((bars.lines[0] for bars in figure.axes[0].containers), key=lambda line: line.get_zorder())
    assert to_hex(below.get_color()) == colour("initial").lower() and below.get_markersize() > above.get_markersize()
    told = [text.get_text().strip() for text in figure.legends[0].get_texts()]
    assert told == ["Initial", "Rejection sampling", "", "", "S", "T"]
    figure = figure_of(plot_tradeoff, tmp_path, table, spec | {"students": [("s", "S")]})
    assert len(figure.legends[0].get_texts()) == 2 and figure.axes[0].get_title(loc="left") == "S"


@pytest.mark.parametrize("students", [1, 3])
def test_the_numbers_of_lengths_fit_their_panels(tmp_path, students):
    """30,000 responses of 1,243 tokens, as the paper's, at a column's width."""
    names = [(f"s{n}", "R1-Distill-Qwen-1.5B") for n in range(students)]
    columns = {"id": str, "role": str, "tokens": int}
    write_rows(tmp_path / "a.parquet", [{"id": "h", "role": "harmful", "tokens": 1243}], columns)
    datasets = [{"student": name, "replicate": 0, "path": str(tmp_path / "a.parquet")} for name, _ in names]
    numbers = {"N_h": 30000, "N_b": 30000, "mu_h": 1243.0, "mu_b": 1241.0}
    rows = [{"student": name, "metric": key, "value": value} for name, _ in names for key, value in numbers.items()]
    write_csv(str(tmp_path / "l.csv"), ["student", "metric", "value"], rows)
    spec = {"students": names, "confidence": 0.95}
    figure = figure_of(plot_lengths, tmp_path, datasets, str(tmp_path / "l.csv"), spec)
    figure.set_dpi(300)
    figure.canvas.draw()
    assert figure.get_size_inches()[0] == COLUMN
    for axes in figure.axes[:students]:
        (text,) = axes.texts
        assert text.get_window_extent().x0 > axes.get_window_extent().x0


# ---------------------------------------------------------------- Figure 2
SAID = {"id": str, "draw": int, "prompt": str, "response": str, "tokens": int, "finish_reason": str}
JUDGED = {"id": str, "draw": int, "harm": str, "p_unsafe": float}
FIGURE2 = {"student": "Qwen3-0.6B", "teacher": ["SafeChain's set", "safechain"], "instruction": "Refuse.\n\n{prompt}"}


def voice(folder, name, verdicts, draws=1):
    """Write what one voice said to a prompt for each verdict, later draws being of no account."""
    said, judged = [], []
    for place, harm in enumerate(verdicts):
        for draw in range(draws):
            key = {"id": f"{name}-{place}", "draw": draw}
            text = f"<think>\n{name} $THOUGHT {place}\n</think>\n\nSECRET {'x ' * 200}" if not draw else "nothing"
            said.append(key | {"prompt": f"HARM {place}", "response": text, "tokens": 9, "finish_reason": "stop"})
            judged.append(key | {"harm": harm if not draw else "safe", "p_unsafe": 0.25})
    files = {"responses": [str(folder / f"{name}.parquet")], "verdicts": [str(folder / f"{name}-verdicts.parquet")]}
    write_rows(files["responses"][0], said, SAID)
    write_rows(files["verdicts"][0], judged, JUDGED)
    return files


def test_figure2_shows_what_steering_does(tmp_path):
    voices = {
        "teacher": voice(tmp_path, "teacher", ["safe", "unsafe", "safe", "safe"]),
        "direct": voice(tmp_path, "direct", ["safe", "unsafe", "unsafe", "unsafe"], draws=5),
        "steered": voice(tmp_path, "steered", ["safe", "safe", "safe", "unsafe"]),
    }
    table = str(tmp_path / "figure2.json")
    write_figure2_table(voices, {"public": False}, table)
    found = read_json(table)
    assert (found["id"], found["prompt"]) == ("direct-2", "HARM 2")  # the only one that shows it
    assert (found["prompts"], found["shared"], found["shows"]) == (4, 4, 1)
    rows = {row["voice"]: row for row in found["rows"]}
    assert list(rows) == ["teacher", "direct", "steered"]
    assert [rows[name]["harm"] for name in rows] == ["safe", "unsafe", "safe"]
    assert rows["direct"]["reasoning"] == "direct $THOUGHT 2" and len(rows["direct"]["answer"]) < 125  # never whole
    drawn_ = twice(tmp_path, "figure2", plot_samples, table, FIGURE2)
    write_figure2_table(voices, {"public": True}, table)
    text = (tmp_path / "figure2.json").read_text()
    assert not any(word in text for word in ("HARM", "THOUGHT", "SECRET")) and '"p_unsafe": 0.25' in text
    plot_samples(table, FIGURE2, str(tmp_path / "public.png"), str(tmp_path / "public.pdf"))
    assert (tmp_path / "public.png").read_bytes() != drawn_[0]


def test_figure2_where_nothing_shows_it_or_nobody_teaches(tmp_path):
    voices = {"direct": voice(tmp_path, "direct", ["safe"] * 3), "steered": voice(tmp_path, "steered", ["safe"] * 3)}
    nobody = {"responses": [], "verdicts": []}
    table = str(tmp_path / "figure2.json")
    write_figure2_table({"teacher": nobody} | voices, {"public": False}, table)
    found = read_json(table)
    assert found["shows"] == 0 and [row["voice"] for row in found["rows"]] == ["direct", "steered"]
    plot_samples(table, FIGURE2 | {"teacher": None}, str(tmp_path / "f.png"), str(tmp_path / "f.pdf"))
    # A published set has no verdicts, and may be of other prompts.
    published = tmp_path / "published.parquet"
    columns = {"id": str, "role": str, "prompt": str, "response": str}
    row = {"id": "0", "role": "harmful", "prompt": "HARM 1", "response": "<think>\na\n</think>\n\nb"}
    for prompt, names in (("HARM 1", ["teacher", "direct", "steered"]), ("other", ["direct", "steered"])):
        write_rows(published, [row | {"prompt": prompt}], columns)
        teacher = {"responses": [str(published)], "verdicts": []}
        write_figure2_table({"teacher": teacher} | voices, {"public": False}, table)
        assert [entry["voice"] for entry in read_json(table)["rows"]] == names
    with pytest.raises(ValueError, match="no prompt was answered both"):
        other = voices["steered"] | {"responses": [str(published)]}
        write_figure2_table({"direct": voices["direct"], "steered": other}, {"public": False}, table)


def test_a_beginning_ends_between_words():
    assert beginning("a  b\nc", "answer") == "a b c" and beginning(None, "answer") is None
    assert beginning("word " * 100, "answer").endswith("word …")


# ---------------------------------------------------------------- ablations (Figures 4, 11, 13)
@pytest.mark.parametrize(
    "rivals", [["thinksafe-noreason"], ["thinksafe-suffix", "thinksafe-risk", "thinksafe-intent"]], ids=["4-11", "13"]
)
def test_ablations(tmp_path, rivals):
    """A bar of its own colour for each variant beside the default, with its interval, in three panels."""
    names = ["thinksafe", *rivals]
    methods = [(name, name.upper()) for name in names]
    cells = {(student, name): TABLE1[student, "thinksafe"] for student, _ in STUDENTS for name in names}
    spec, table = SPEC | {"methods": methods}, str(tmp_path / "averages.csv")
    write_averages(write_run(tmp_path, cells, BENCHMARKS), spec, table)
    rows = read_csv(table)
    assert {(row["student"], row["method"]) for row in rows} == set(cells)
    figure = figure_of(plot_averages, tmp_path, table, spec)
    panels = [axes for axes in figure.axes if axes.get_title(loc="right")]
    assert [axes.get_title(loc="right")[:6] for axes in panels] == ["lower ", "lower ", "higher"]
    for axes in panels:
        bars = {bar.get_label(): bar for bar in axes.containers if bar.get_label() in dict(methods).values()}
        assert list(bars) == [label for _, label in methods]
        for name, label in methods:
            assert len(bars[label].patches) == len(STUDENTS) and bars[label].errorbar is not None
            assert {to_hex(patch.get_facecolor()) for patch in bars[label].patches} == {colour(name).lower()}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [label for _, label in methods]
