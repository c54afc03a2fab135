"""Labels of the config in tables: whatever marks they have, they are read as they were written."""

import re
from html import unescape

from markdown_it import MarkdownIt

from scripts.report.show_table import show_table
from scripts.tables.write_main_table import write_main_table
from tests.paper_run import BENCHMARKS, write_run
from thinksafe.reporting.tables import latex, markdown, plain

LABEL = "A&B &lt; _x_ a_b 50% <b>*x*</b> | [y](z) `c` ~d~ \\e $f$ #g"
HARMBENCH = [BENCHMARKS[0]]


def test_a_label_is_read_as_it_was_written():
    html = MarkdownIt("commonmark").enable("table").render(markdown(["x", "n"], [[plain(LABEL), "1"]], left=1))
    (cell,) = re.findall(r"<td[^>]*>(.*?)</td>\n<td", html)
    unescaped = unescape(cell)
    assert unescaped == LABEL
    assert latex("<a|b>") == r"\textless{}a\textbar{}b\textgreater{}"


def test_a_table_with_such_labels(tmp_path):
    benchmarks = [HARMBENCH[0] | {"label": LABEL}]
    spec = {"students": [("s", LABEL)], "methods": [("initial", LABEL), ("thinksafe", "T")], "benchmarks": benchmarks}
    cells = {("s", name): (value, *[0.0] * 7) for name, value in (("initial", 50.0), ("thinksafe", 0.0))}
    paths = [str(tmp_path / f"t.{form}") for form in ("csv", "md", "tex")]
    write_main_table(write_run(tmp_path, cells, HARMBENCH), spec, *paths)
    show_table(paths[1], "t", str(tmp_path / "t.html"))
    page = (tmp_path / "t.html").read_text()
    assert page.count("<tr>") == 3 and page.count("<td") == 2 * page.count("<th ") and "<b>" not in page
    lines = [line for line in (tmp_path / "t.tex").read_text().splitlines() if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in lines} == {3}
    assert not re.search(r"(?<!\\)[%#_]", lines[1])
