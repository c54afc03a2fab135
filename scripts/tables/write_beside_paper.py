"""A table of the paper beside ours: both numbers, their difference with its interval, and a verdict on it."""

from collections import Counter
from collections.abc import Sequence

from thinksafe.analysis import paper_cells
from thinksafe.analysis.paper_cells import AGREES, DIFFERS, UNCLEAR
from thinksafe.analysis.scores import AVERAGES
from thinksafe.files import Row
from thinksafe.intervals import Estimate
from thinksafe.jobs.start import start
from thinksafe.reporting.tables import by_cell, format_value, markdown, plain, read_csv, write_csv, write_markdown

COLUMNS = [
    *("student", "method", "metric", "paper", "paper_low", "paper_high", "paper_n"),
    *("ours", "ours_low", "ours_high", "n", "difference", "low", "high", "verdict", "needed", "footnote"),
]
# Paper: does not say which differences matter. Fractions filtered out are small: five points would exceed any of them.
MIN_EFFECT_FILTERED = 1.0


def write_beside_paper(ours: str, paper: str, sizes: str, spec: Row, csv: str, md: str) -> None:
    """Write every cell that both the paper's table and ours have.

    Parameters
    ----------
    sizes : table with the ``rows`` (prompts) and ``draws`` (samples) of each benchmark in the paper
    spec : dict
        ``table``, ``students`` and ``methods`` as pairs, ``labels`` of metrics, ``confidence``, ``min_effect``,
        ``footnotes`` (inconsistencies in the paper's numbers: config/paper/footnotes.yaml).
    """
    confidence = spec["confidence"]
    theirs = paper_cells.printed_estimates(read_csv(paper), read_csv(sizes), AVERAGES, confidence)
    cells = by_cell(row for row in read_csv(ours) if row["value"] is not None)
    least = MIN_EFFECT_FILTERED if spec["table"] == "3" else spec["min_effect"]
    rows = []
    for arm in [(student, method) for student, _ in spec["students"] for method, _ in spec["methods"]]:
        for key in [key for key in theirs if key[:2] == arm and key in cells]:
            own, printed = cells[key], theirs[key]
            change = paper_cells.difference(
                Estimate(own["value"], own["low"], own["high"], own.get("problems") or own["n"]), printed
            )
            verdict = paper_cells.difference_verdict(change, least)
            rows.append(
                {
                    **dict(zip(("student", "method", "metric"), key, strict=True)),
                    **{"paper": printed.value, "paper_low": printed.low, "paper_high": printed.high},
                    **{"paper_n": printed.n or None, "n": change.n},
                    **{"ours": own["value"], "ours_low": own["low"], "ours_high": own["high"]},
                    **{"difference": change.value, "low": change.low, "high": change.high, "verdict": verdict},
                    "needed": paper_cells.prompts_needed(change, least, confidence) if verdict == UNCLEAR else None,
                    "footnote": _footnote(dict(zip(("students", "methods", "metrics"), key, strict=True)), spec),
                }
            )
    write_csv(csv, COLUMNS, rows)
    write_markdown(md, _blocks(rows, spec, least))


def _footnote(names: dict[str, str], spec: Row) -> str | None:
    """Return the footnotes on a printed number."""
    notes = [
        note["note"]
        for note in spec["footnotes"]
        if int(spec["table"]) in note["tables"] and all(name in note.get(part, [name]) for part, name in names.items())
    ]
    return " ".join(notes) or None


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # adding 0.0 turns -0.0 into +0.00


def _blocks(rows: Sequence[Row], spec: Row, least: float) -> list[str]:
    """Return the blocks of the table for reading."""
    title = f"**Table {spec['table']}, the paper beside ours**:"
    if not rows:  # other benchmarks or methods than the paper's
        return [f"{title} no cell in common."]
    labels = {name: plain(label) for name, label in (*spec["students"], *spec["methods"], *spec["labels"])}
    notes = list(dict.fromkeys(row["footnote"] for row in rows if row["footnote"]))
    lines = []
    for row in rows:
        mark = f" [{notes.index(row['footnote']) + 1}]" if row["footnote"] else ""
        names = [labels.get(row[name], row[name]) for name in ("student", "method", "metric")]
        numbers = [format_value(row["paper"]) + mark, format_value(row["ours"]), _signed(row["difference"])]
        interval = f"{_signed(row['low'])} to {_signed(row['high'])}"
        needed = (
            "–" if row["verdict"] != UNCLEAR else f"{row['needed']:,}" if row["needed"] else "the paper's are too few"
        )
        lines.append([*names, *numbers, interval, str(row["n"]), row["verdict"], needed])
    header = ["Student", "Method", "Metric", "Paper", "Ours", "Difference", "Interval", "n", "Verdict", "It would take"]
    counts = Counter(row["verdict"] for row in rows)
    return [
        f"{title} " + ", ".join(f"{counts[name]} {name}" for name in (AGREES, DIFFERS, UNCLEAR) if counts[name]) + ".",
        markdown(header, lines, left=3),
        f"Per cent and points; {100 * spec['confidence']:g} % intervals over prompts, n of them ours. A difference of "
        f"{least:g} points matters: *agrees* excludes one, *differs* is at least so much and excludes 0. Else it would "
        "take so many prompts, in ours and the paper's, to tell in four of five cases, were the difference what it "
        "looks like. How much training differs from seed to seed is in neither interval.",
        *[f"[{place}] {note}" for place, note in enumerate(notes, 1)],
    ]


if __name__ == "__main__":
    start(snakemake, __file__)
