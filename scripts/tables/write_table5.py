"""Table 5: the instructions to refuse that a run uses, beside the paper's (paper App. D)."""

from collections.abc import Callable

from thinksafe.files import Row
from thinksafe.reporting.tables import latex, markdown, plain, read_csv, write_csv, write_latex, write_markdown

COLUMNS = ["steering", "methods", "template", "paper_strategy", "paper_template", "agreement"]
HEADER = ["Steering", "Methods", "Template", "Paper: strategy", "Paper: template", "Agreement"]
NONE = "–"


def write_table5(spec: Row, paper: str, csv: str, md: str, tex: str) -> None:
    """Write the template around harmful prompts of each steering, and the paper's for one of its methods.

    ``agreement`` is *same*, *same words* (white space apart) or *differs*; nothing where the paper has no counterpart.

    Parameters
    ----------
    spec : dict
        ``steerings``: ``id``, ``template`` and ``methods`` (ids) of each; ``methods`` as pairs of id and label.
    paper : path of the paper's table
    """
    labels = dict(spec["methods"])
    printed = read_csv(paper)
    rows = []
    for steering in spec["steerings"]:
        found = [row for row in printed if row["method"] in steering["methods"]]
        for theirs in found or [{}]:
            rows.append(
                {
                    "steering": steering["id"],
                    "methods": ", ".join(labels.get(name, name) for name in steering["methods"]),
                    "template": steering["template"],
                    "paper_strategy": theirs.get("strategy"),
                    "paper_template": theirs.get("template"),
                    "agreement": agreement(steering["template"], theirs["template"]) if theirs else None,
                }
            )
    write_csv(csv, COLUMNS, rows)
    note = r"`\n` is a line break. Of each harmful prompt; benign prompts are in the config (docs/methods.md)."
    write_markdown(md, [markdown(HEADER, [_line(row, _code, plain) for row in rows], left=len(HEADER)), note])
    body = [_line(row, lambda text: latex(_visible(text)), latex) for row in rows]
    columns = r"lp{0.15\linewidth}p{0.3\linewidth}lp{0.3\linewidth}l"
    write_latex(tex, HEADER, [body], columns=columns)


def agreement(ours: str, theirs: str) -> str:
    """Return how two templates compare."""
    if ours == theirs:
        return "same"
    return "same words" if ours.split() == theirs.split() else "differs"


def _line(row: Row, template: Callable[[str], str], text: Callable[[str], str]) -> list[str]:
    return [
        text(NONE) if row[name] is None else (template if name.endswith("template") else text)(row[name])
        for name in COLUMNS
    ]


def _visible(template: str) -> str:
    return template.replace("\n", r"\n")


def _code(template: str) -> str:
    """Return a template as code in a cell of a Markdown table, whatever marks it has."""
    ticks = "`" * (1 + max((len(run) for run in "".join(c if c == "`" else " " for c in template).split()), default=0))
    pad = " " if "`" in template else ""
    return f"{ticks}{pad}{_visible(template)}{pad}{ticks}"


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
