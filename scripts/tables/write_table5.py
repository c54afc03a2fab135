"""Table 5: the refusal instructions of a run beside the paper's (paper App. D)."""

import re
from collections.abc import Callable

from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.reporting.tables import latex, markdown, plain, read_csv, write_csv, write_latex, write_markdown

COLUMNS = ["steering", "methods", "template", "paper_strategy", "paper_template", "agreement"]
HEADER = ["Steering", "Methods", "Template", "Paper: strategy", "Paper: template", "Agreement"]


def write_table5(spec: Row, paper: str, csv: str, md: str, tex: str) -> None:
    """Write the template around harmful prompts of each steering, beside the paper's for one of its methods.

    ``agreement`` is *same*, *same words* (ignoring white space) or *differs*; empty if the paper has no counterpart.

    ``spec`` has ``steerings`` (``id``, ``template`` and ``methods`` of each) and ``methods`` as pairs of id and label.
    """
    labels = dict(spec["methods"])
    printed = read_csv(paper)
    rows = []
    for steering in spec["steerings"]:
        ours = steering["template"]
        methods = ", ".join(labels.get(name, name) for name in steering["methods"])
        for theirs in [row for row in printed if row["method"] in steering["methods"]] or [{}]:
            row = {"steering": steering["id"], "methods": methods, "template": ours}
            if theirs:
                row |= {"paper_strategy": theirs["strategy"], "paper_template": theirs["template"]}
                words = "same words" if ours.split() == theirs["template"].split() else "differs"
                row["agreement"] = "same" if ours == theirs["template"] else words
            rows.append(row)
    write_csv(csv, COLUMNS, rows)
    note = r"`\n` is a line break. Of each harmful prompt; benign prompts are in the config (docs/methods.md)."
    write_markdown(md, [markdown(HEADER, [_line(row, _code, plain) for row in rows], left=len(HEADER)), note])
    body = [_line(row, lambda text: latex(_visible(text)), latex) for row in rows]
    columns = r"lp{0.15\linewidth}p{0.3\linewidth}lp{0.3\linewidth}l"
    write_latex(tex, HEADER, [body], columns=columns)


def _line(row: Row, template: Callable[[str], str], text: Callable[[str], str]) -> list[str]:
    return [
        text("–") if row.get(name) is None else (template if name.endswith("template") else text)(row[name])
        for name in COLUMNS
    ]


def _visible(template: str) -> str:
    return template.replace("\n", r"\n")


def _code(template: str) -> str:
    """Return a template as code in a Markdown table, fenced by more backticks than it has in a row."""
    ticks = "`" * (1 + max(map(len, re.findall("`+", template)), default=0))
    pad = " " if "`" in template else ""
    return f"{ticks}{pad}{_visible(template)}{pad}{ticks}"


if __name__ == "__main__":
    start(snakemake, __file__)
