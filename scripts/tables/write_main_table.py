"""Tables 1 and 2, and their companions 6 and 7: safety and reasoning of every method on one family of students."""

from collections.abc import Mapping, Sequence

from thinksafe.analysis.scores import AVERAGES, COLUMNS, tidy, with_rows
from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.reporting import tables
from thinksafe.reporting.tables import ARROWS, SOUND, format_value, latex, plain

BETTER = {"harm": "lower", "refusal": "lower", "reasoning": "higher"}
MEANS = {  # columns beside the benchmarks: label, and which way is better
    "safety_avg": ("Safety average", "lower"),
    "reasoning_avg": ("Reasoning average", "higher"),
    "well_formed": ("Well-formed", None),
}
ESCAPE = {"md": plain, "tex": latex}
MARKS = {"md": {"†": "†", "‡": " ‡"}, "tex": {"†": r"$^\dagger$", "‡": r"$^\ddagger$"}}


def write_main_table(scores: Sequence[str], rows: Sequence[str], spec: Row, csv: str, md: str, tex: str) -> None:
    """Write one table of the paper as a tidy CSV, and from that file in the paper's layout.

    Best in bold, second best underlined, for each student and column, with ties; an average is there only if all its
    columns are.

    Parameters
    ----------
    scores, rows : paths of score files, and with several replicates of their rows per item
    spec : dict
        ``cells`` (``student``, ``method``, ``replicate``, ``benchmark`` of each score); ``students`` and ``methods`` as
        pairs of id and label, ``benchmarks`` as dicts of ``id``, ``label``, ``kind``, all in the order of the table;
        perhaps ``released``, the pairs of student and method whose training set others have released.
    """
    tables.write_csv(csv, COLUMNS, tidy(with_rows(spec["cells"], scores, rows), spec))
    table = tables.read_csv(csv)
    columns = _columns(spec, {row["metric"] for row in table})
    header = ["Student", "Method", *[f"{label} {ARROWS[better]}".strip() for _, label, better in columns]]
    groups = {form: _groups(tables.by_cell(table), columns, spec, form) for form in ("md", "tex")}
    body = [row for group in groups["md"] for row in group]
    tables.write_markdown(md, [tables.markdown(list(map(plain, header)), body), *_notes(table, spec)])
    tables.write_latex(tex, header, groups["tex"])


def _columns(spec: Row, metrics: set[str]) -> list[tuple[str, str, str | None]]:
    """Return (metric, label, which way is better) of each column: the paper's, and the well-formed responses."""
    safety, reasoning = (
        [(entry["id"], entry["label"], BETTER[entry["kind"]]) for entry in spec["benchmarks"] if entry["kind"] in kinds]
        for kinds in (("harm", "refusal"), ("reasoning",))
    )
    averages = {name: (name, *column) for name, column in MEANS.items()}
    columns = [*safety, averages["safety_avg"], *reasoning, averages["reasoning_avg"], averages["well_formed"]]
    return [column for column in columns if column[0] in metrics]


def _groups(
    cells: Mapping[tuple[str, str, str], Row], columns: Sequence[tuple], spec: Row, form: str
) -> list[list[list[str]]]:
    """Return the rows of the table, one group per student, whose label is on the first row only."""
    groups = []
    for student, student_label in spec["students"]:
        methods = [pair for pair in spec["methods"] if any(key[:2] == (student, pair[0]) for key in cells)]
        lines = []
        for place, (method, label) in enumerate(methods):
            mark = MARKS[form]["‡"] if [student, method] in spec.get("released", []) else ""
            lines.append([ESCAPE[form](student_label if place == 0 else ""), ESCAPE[form](label) + mark])
        for metric, _, better in columns:
            found = [cells.get((student, method, metric)) for method, _ in methods]
            ranks = tables.ranks([row and row["value"] for row in found], better)
            for line, row, rank in zip(lines, found, ranks, strict=True):
                line.append(_number(row, rank, form))
        groups += [lines] if lines else []
    return groups


def _number(row: Row | None, rank: int | None, form: str) -> str:
    """Return one number of the table."""
    if row is None or row["value"] is None:
        return "–" if form == "md" else "--"
    return tables.emphasise(format_value(row["value"]), rank, form) + (MARKS[form]["†"] if _doubtful(row) else "")


def _doubtful(row: Row) -> bool:
    """Return whether too few of the responses behind a number are well-formed, or too few of their verdicts known."""
    if row["metric"].startswith("well_formed"):
        return False
    broken = row["well_formed"] is not None and row["well_formed"] < SOUND
    return broken or 100 * (row["unknown"] or 0) > (100 - SOUND) * row["n"]


def _notes(rows: Sequence[Row], spec: Row) -> list[str]:
    notes = [
        "All numbers in per cent. ↓ lower is better, ↑ higher is better; best in bold, second best underlined, for "
        "each student. Intervals, counts and unknown verdicts are in the CSV file of the same name."
    ]
    absent = [name for name in AVERAGES if name in MEANS and not any(row["metric"] == name for row in rows)]
    notes += [f"No {MEANS[name][0].lower()}: not all of its benchmarks were run." for name in absent]
    if any(map(_doubtful, rows)):
        notes.append(
            f"† Less than {SOUND:.0f} % of these responses are well formed (one without room to end is not), or of "
            "their verdicts known: the number means little. – where nothing is known."
        )
    if spec.get("released"):
        notes.append("‡ Trained on a set that others have released, not on what this run has sampled (Table 4).")
    most = max(row["replicates"] for row in rows)
    if most > 1:
        notes.append(f"Means over {most} seeds; the intervals in the CSV file are over prompts and seeds.")
    return notes


if __name__ == "__main__":
    start(snakemake, __file__)
