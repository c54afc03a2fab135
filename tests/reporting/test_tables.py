"""Labels of the config in tables: whatever marks they have, they are read as they were written."""

import re
from html import unescape
from pathlib import Path

from markdown_it import MarkdownIt

from scripts.tables.write_main_table import write_main_table
from tests import paper_run
from tests.paper_run import BENCHMARKS, files, write_run
from thinksafe.reporting.tables import format_value, latex, markdown, plain, ranks, read_csv, write_csv

LABEL = "A&B &lt; _x_ a_b 50% <b>*x*</b> | [y](z) `c` ~d~ \\e $f$ #g"
HARMBENCH = [BENCHMARKS[0]]


def rendered(text: str) -> str:
    """Return Markdown as HTML."""
    return MarkdownIt("commonmark").enable("table").render(text)


def test_a_label_is_read_as_it_was_written():
    html = rendered(markdown(["x", "n"], [[plain(LABEL), "1"]], left=1))
    (cell,) = re.findall(r"<td[^>]*>(.*?)</td>\n<td", html)
    unescaped = unescape(cell)
    assert unescaped == LABEL
    assert latex("<a|b>") == r"\textless{}a\textbar{}b\textgreater{}"


def test_a_table_with_such_labels(tmp_path):
    benchmarks = [HARMBENCH[0] | {"label": LABEL}]
    spec = {"students": [("s", LABEL)], "methods": [("initial", LABEL), ("thinksafe", "T")], "benchmarks": benchmarks}
    cells = {("s", name): (value, *[0.0] * 7) for name, value in (("initial", 50.0), ("thinksafe", 0.0))}
    paths = [str(tmp_path / f"t.{form}") for form in ("csv", "md", "tex")]
    scores = write_run(tmp_path, cells, HARMBENCH)
    write_main_table(files(scores), files(scores, "rows"), spec | paper_run.cells(scores), *paths)
    page = rendered(Path(paths[1]).read_text())
    assert page.count("<tr>") == 3 and page.count("<td") == 2 * page.count("<th ") and "<b>" not in page
    lines = [line for line in (tmp_path / "t.tex").read_text().splitlines() if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in lines} == {3}
    assert not re.search(r"(?<!\\)[%#_]", lines[1])


def test_ranks():
    assert ranks([3.0, 1.0, 2.0], "lower") == [None, 1, 2]
    assert ranks([1.001, 1.004, 2.0, 3.0], "lower") == [1, 1, 2, None]
    assert ranks([1.0, None, 2.0, 2.0], "higher") == [2, None, 1, 1]
    assert ranks([1.0, 2.0], None) == [None, None]
    assert ranks([1.0, None], "lower") == [None, None]


def test_csv_round_trip(tmp_path):
    rows = [{"a": "x", "b": 1.5, "c": None, "d": 3}, {"a": "y", "b": -1e-9, "c": 0.1 + 0.2, "d": 0}]
    write_csv(tmp_path / "t.csv", ["a", "b", "c", "d"], rows)
    assert (tmp_path / "t.csv").read_text() == "a,b,c,d\nx,1.5,,3\ny,0,0.3,0\n"
    assert read_csv(tmp_path / "t.csv")[0] == rows[0]


def test_latex_keeps_what_escapes_stand_for():
    assert latex(r"\{a}^_~") == r"\textbackslash{}\{a\}\textasciicircum{}\_\textasciitilde{}"


def test_a_value_has_two_decimals_and_none_is_a_dash():
    assert [format_value(value) for value in (71.725, -0.005, 3, None)] == ["71.73", "-0.01", "3.00", "–"]
