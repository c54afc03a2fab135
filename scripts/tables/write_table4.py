"""Table 4: each method's training data and epochs, beside the paper's settings (paper Sec. 5.1, App. C)."""

import json
from collections.abc import Sequence
from pathlib import Path

from thinksafe.files import IDENTITY, Row
from thinksafe.jobs.start import start
from thinksafe.layout import ADAPTER, files_named, with_files
from thinksafe.reporting.tables import latex, markdown, plain, read_csv, write_csv, write_latex, write_markdown

COLUMNS = [
    *("student", "method", "replicate", "epochs", "steps", "source", "responses", "rows", "too_long", "trained"),
    *("paper_epochs", "paper_source", "paper_rows"),
]
HEADER = ["Method", "Epochs", "Source of the prompts", "Responses", "Rows trained on"]
PAPER = ["Paper: epochs", "Paper: source", "Paper: rows"]


def write_table4(
    sets: Sequence[str], adapters: Sequence[str], spec: Row, paper: str, csv: str, md: str, tex: str
) -> None:
    """Write epochs, source and number of rows of each adapter, beside the paper's for its method.

    ``rows`` are those of the training set (for GRPO: prompts), ``too_long`` those that its trainer left out for their
    length, ``trained`` the rest. The last two are from the trainer's log; adapters without one do not have them.

    Parameters
    ----------
    spec : dict
        ``students`` and ``methods`` as pairs of id and label, and ``cells``, one for each adapter: ``student``,
        ``method``, ``replicate``, ``epochs``, ``steps`` (a limit that may end training earlier), ``source``,
        ``responses`` (whose they are), ``take`` (rows used of each file, or None), ``sets`` (its files, as paths from
        the run's folder).

    Raises
    ------
    ValueError
        If a trainer's log does not account for the rows of its training set.
    """
    printed = {row["method"]: row for row in read_csv(paper)}
    rows = []
    for cell in with_files(spec["cells"], adapters, ADAPTER, "adapter"):
        cell["sets"] = files_named(sets, cell["sets"])
        theirs = printed.get(cell["method"], {})
        rows.append(
            {key: cell[key] for key in ("student", "method", "replicate", "epochs", "steps", "source", "responses")}
            | _counts(cell)
            | {"paper_epochs": theirs.get("epochs"), "paper_source": theirs.get("source")}
            | {"paper_rows": theirs.get("sample_size")}
        )
    write_csv(csv, COLUMNS, rows)
    body = _lines(rows, spec)
    note = (
        "Rows are those that the trainer took, by student where they differ, replicates one after another; ≤ where an "
        "adapter came without its log. – where the paper says nothing."
    )
    lines = [[plain(cell) for cell in line] for line in body]
    write_markdown(md, [markdown([*HEADER, *PAPER], lines, left=8), note])
    columns = r"lrp{0.2\linewidth}p{0.12\linewidth}p{0.2\linewidth}rlr"
    write_latex(tex, [*HEADER, *PAPER], [[[latex(cell) for cell in line] for line in body]], columns=columns)


def _counts(cell: Row) -> Row:
    """Return the number of rows of a training set, and how many of them its trainer left out and used."""
    import pyarrow.parquet as pq

    found = [pq.read_metadata(path).num_rows for path in cell["sets"]]
    takes = cell["take"] or [None] * len(found)
    rows = sum(count if take is None else min(count, take) for count, take in zip(found, takes, strict=True))
    log = Path(cell["adapter"].removesuffix(IDENTITY) + ".training.jsonl")
    if not log.exists():
        return {"rows": rows, "too_long": None, "trained": None}
    lines = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    facts = [line for line in lines if "attempt" in line][-1]
    trained = facts.get("rows", facts.get("prompts"))
    if trained + facts["too_long"] != rows:
        raise ValueError(f"{log}: {trained} rows and {facts['too_long']} too long ones are not the {rows} of its set")
    return {"rows": rows, "too_long": facts["too_long"], "trained": trained}


def _lines(rows: Sequence[Row], spec: Row) -> list[list[str]]:
    """Return a line for each method: its settings, and values that differ between students by their labels."""
    students, lines = dict(spec["students"]), []
    for method, label in spec["methods"]:
        own = [row for row in rows if row["method"] == method]
        if not own:
            continue
        counts: dict[str, list[str]] = {}
        for row in own:
            count = f"≤ {row['rows']}" if row["trained"] is None else str(row["trained"])
            counts.setdefault(students[row["student"]], []).append(count)
        by_student = [{students[row["student"]]: row[key] for row in own} for key in ("source", "responses")]
        by_student.append({name: ", ".join(found) for name, found in counts.items()})
        first = own[0]
        epochs = str(first["epochs"]) + (f" (at most {first['steps']} steps)" if first["steps"] else "")
        theirs = [first[key] for key in ("paper_epochs", "paper_source", "paper_rows")]
        lines.append(
            [label, epochs, *map(_once, by_student)] + ["–" if value is None else str(value) for value in theirs]
        )
    return lines


def _once(values: dict[str, str]) -> str:
    """Return the value that all students have in common, or each one's own after its label."""
    different = set(values.values())
    return different.pop() if len(different) == 1 else "; ".join(f"{name}: {value}" for name, value in values.items())


if __name__ == "__main__":
    start(snakemake, __file__)
