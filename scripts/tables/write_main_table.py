"""Tables 1 and 2, and their companions 6 and 7: safety and reasoning of every method on one family of students."""

from collections.abc import Sequence

from thinksafe.analysis.scores import AVERAGES, COLUMNS, tidy, with_rows
from thinksafe.files import Row
from thinksafe.reporting.tables import (
    ARROWS,
    SOUND,
    emphasise,
    latex,
    markdown,
    plain,
    printed,
    ranks,
    read_csv,
    write_csv,
    write_latex,
    write_markdown,
)

BETTER = {"harm": "lower", "refusal": "lower", "reasoning": "higher"}
LABELS = {
    "safety_avg": ("Safety average", "lower"),
    "reasoning_avg": ("Reasoning average", "higher"),
    "well_formed": ("Well-formed", None),
}


def write_main_table(scores: Sequence[str], rows: Sequence[str], spec: Row, csv: str, md: str, tex: str) -> None:
    """Write one table of the paper as a tidy CSV, and from that file in the paper's layout.

    Best in bold, second best underlined, for each student and column, ties alike; averages stand only where all their
    columns are there.

    Parameters
    ----------
    scores, rows : paths of score files, and with several replicates of their rows per item
    spec : dict
        ``cells`` (``student``, ``method``, ``replicate``, ``benchmark`` of each score); ``students`` and ``methods`` as
        pairs of id and label, ``benchmarks`` as dicts of ``id``, ``label``, ``kind``, all in the order of the table;
        perhaps ``released``, the pairs of student and method whose training set others have released.
    """
    write_csv(csv, COLUMNS, tidy(with_rows(spec["cells"], scores, rows), spec))
    table = read_csv(csv)
    cells = {(row["student"], row["method"], row["metric"]): row for row in table}
    columns = _columns(spec, {row["metric"] for row in table})
    header = ["Student", "Method", *[f"{label} {ARROWS[better]}".strip() for _, label, better in columns]]
    marked = any(_doubtful(row) for row in table)
    groups = {form: _layout(cells, columns, spec, form) for form in ("md", "tex")}
    body = [row for group in groups["md"] for row in group]
    write_markdown(
        md, [markdown([plain(name) for name in header], body), *_notes(table, marked, bool(spec.get("released")))]
    )
    write_latex(tex, header, groups["tex"])


def _columns(spec: Row, metrics: set[str]) -> list[tuple[str, str, str | None]]:
    """Return (metric, label, what is better) of each printed column: the paper's, and the share of whole responses."""
    kinds = {"safety_avg": ("harm", "refusal"), "reasoning_avg": ("reasoning",)}
    columns: list[tuple[str, str, str | None]] = []
    for name, members in kinds.items():
        columns += [
            (benchmark["id"], benchmark["label"], BETTER[benchmark["kind"]])
            for benchmark in spec["benchmarks"]
            if benchmark["kind"] in members
        ]
        columns.append((name, *LABELS[name]))
    columns.append(("well_formed", *LABELS["well_formed"]))
    return [column for column in columns if column[0] in metrics]


def _layout(
    cells: dict[tuple[str, str, str], Row], columns: Sequence[tuple], spec: Row, form: str
) -> list[list[list[str]]]:
    """Return the printed rows, one group per student; only the first of a group names it."""
    groups = []
    for student, student_label in spec["students"]:
        methods = [pair for pair in spec["methods"] if any(key[:2] == (student, pair[0]) for key in cells)]
        texts = {}
        for metric, _, better in columns:
            found = [cells.get((student, method, metric)) for method, _ in methods]
            places = ranks([row and row["value"] for row in found], better)
            texts[metric] = [_cell(row, place, form) for row, place in zip(found, places, strict=True)]
        group = []
        for place, (method, label) in enumerate(methods):
            names = [student_label if place == 0 else "", label]
            shown = {"tex": latex, "md": plain}[form]
            names = [shown(name) for name in names]
            if [student, method] in spec.get("released", []):
                names[1] += {"md": " ‡", "tex": r"$^\ddagger$"}[form]
            group.append(names + [texts[metric][place] for metric, *_ in columns])
        if group:
            groups.append(group)
    return groups


def _cell(row: Row | None, rank: int | None, form: str) -> str:
    """Return one printed number."""
    if row is None or row["value"] is None:
        return "–" if form == "md" else "--"
    dagger = {"md": "†", "tex": r"$^\dagger$"}[form] if _doubtful(row) else ""
    return emphasise(printed(row["value"]), rank, form) + dagger


def _doubtful(row: Row) -> bool:
    """Return whether too few of the responses behind a number are whole, or too few of their verdicts known."""
    if row["metric"].startswith("well_formed"):
        return False
    broken = row["well_formed"] is not None and row["well_formed"] < SOUND
    return broken or 100 * (row["unknown"] or 0) > (100 - SOUND) * row["n"]


def _notes(rows: Sequence[Row], marked: bool, released: bool) -> list[str]:
    notes = [
        "All numbers in per cent. ↓ lower is better, ↑ higher is better; best in bold, second best underlined, for "
        "each student. Intervals, counts and unknown verdicts are in the CSV file of the same name."
    ]
    absent = [name for name in AVERAGES if name != "harm_avg3" and not any(row["metric"] == name for row in rows)]
    notes += [f"No {LABELS[name][0].lower()}: not all of its benchmarks were run." for name in absent]
    if marked:
        notes.append(
            f"† Less than {SOUND:.0f} % of these responses are well formed (one without room to end is not), or of "
            "their verdicts known: the number means little. – where nothing is known."
        )
    if released:
        notes.append("‡ Trained on a set that others have released, not on what this run has sampled (Table 4).")
    most = max(row["replicates"] for row in rows)
    if most > 1:
        notes.append(f"Means over {most} seeds; the intervals in the CSV file are over prompts and seeds.")
    return notes


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
