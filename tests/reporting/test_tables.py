"""Labels of the config in tables: whatever marks they have, they are read as they were written."""

import re
from html import unescape
from pathlib import Path

from markdown_it import MarkdownIt

from scripts.tables.write_main_table import write_main_table
from tests import paper_run
from tests.paper_run import BENCHMARKS, files, write_run
from thinksafe.reporting.tables import latex, markdown, plain

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
