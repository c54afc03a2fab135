"""A table of the paper beside ours: both numbers, their difference with its interval, and what can be said of it."""

from collections import Counter
from collections.abc import Sequence

from thinksafe.analysis.paper_cells import AGREES, DIFFERS, UNCLEAR, difference, needed, printed_score, verdict
from thinksafe.analysis.scores import AVERAGES
from thinksafe.files import Row
from thinksafe.intervals import Estimate, average
from thinksafe.reporting.tables import markdown, plain, printed, read_csv, write_csv, write_markdown

Key = tuple[str, str, str]
COLUMNS = [
    *("student", "method", "metric", "paper", "paper_low", "paper_high", "paper_n"),
    *("ours", "ours_low", "ours_high", "n", "difference", "low", "high", "verdict", "needed", "footnote"),
]
# Paper: says of no difference whether it matters. Shares that are filtered out are small: five points would be any.
LEAST_FILTERED = 1.0


def write_beside_paper(ours: str, paper: str, sizes: str, spec: Row, csv: str, md: str) -> None:
    """Write every cell that the paper prints and that is in our table.

    Parameters
    ----------
    ours, paper : paths of tidy tables
    sizes : path
        ``rows`` (prompts) and ``draws`` of each benchmark in the paper, from which its intervals are.
    spec : dict
        ``table``, ``students`` and ``methods`` as pairs, ``labels`` of metrics, ``confidence``, ``min_effect``,
        ``footnotes`` (what is inconsistent in the paper's numbers: config/paper/footnotes.yaml).
    """
    confidence = spec["confidence"]
    theirs = _printed(read_csv(paper), {row["benchmark"]: row for row in read_csv(sizes)}, confidence)
    found: dict[Key, Row] = {
        (row["student"], row["method"], row["metric"]): row for row in read_csv(ours) if row["value"] is not None
    }
    least = LEAST_FILTERED if spec["table"] == "3" else spec["min_effect"]
    rows = []
    for student, _ in spec["students"]:
        for method, _ in spec["methods"]:
            for key in [key for key in theirs if key[:2] == (student, method) and key in found]:
                own = found[key]
                estimate = Estimate(own["value"], own["low"], own["high"], own.get("problems") or own["n"])
                rows.append(_row(key, estimate, theirs[key], least, confidence) | {"footnote": _note(key, spec)})
    write_csv(csv, COLUMNS, rows)
    write_markdown(md, _blocks(rows, spec, least))


def _printed(rows: Sequence[Row], sizes: dict[str, Row], confidence: float) -> dict[Key, Estimate]:
    """Return the paper's numbers with their intervals; of which nothing is known, none wider than the number itself."""
    found: dict[Key, Estimate] = {}
    for row in rows:
        if row["metric"] in AVERAGES:
            continue
        value, size = float(row["value"]), sizes.get(row["metric"])
        if size is None:
            found[row["student"], row["method"], row["metric"]] = Estimate(value, value, value, 0)
            continue
        score = printed_score(value, size["kind"], size["rows"], size["draws"], confidence)
        key = (row["student"], row["method"], row["metric"])
        found[key] = Estimate(value, score["low"], score["high"], size["rows"])
    for row in [row for row in rows if row["metric"] in AVERAGES]:
        student, method, metric = row["student"], row["method"], row["metric"]
        mean = average([found[student, method, column] for column in AVERAGES[metric]])
        shift = float(row["value"]) - mean.value  # as printed, even where the columns have another average
        found[student, method, metric] = Estimate(mean.value + shift, mean.low + shift, mean.high + shift, mean.n)
    return found


def _row(key: Key, ours: Estimate, paper: Estimate, least: float, confidence: float) -> Row:
    change = difference(ours, paper)
    said = verdict(change, least)
    return {
        **dict(zip(("student", "method", "metric"), key, strict=True)),
        **{"paper": paper.value, "paper_low": paper.low, "paper_high": paper.high, "paper_n": paper.n or None},
        **{"ours": ours.value, "ours_low": ours.low, "ours_high": ours.high, "n": ours.n},
        **{"difference": change.value, "low": change.low, "high": change.high, "verdict": said},
        "needed": needed(change, least, confidence) if said == UNCLEAR else None,
    }


def _note(key: Key, spec: Row) -> str | None:
    """Return what is inconsistent about a printed number."""
    named = dict(zip(("students", "methods", "metrics"), key, strict=True))
    notes = [
        note["note"]
        for note in spec["footnotes"]
        if int(spec["table"]) in note["tables"] and all(name in note.get(part, [name]) for part, name in named.items())
    ]
    return " ".join(notes) or None


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # nothing less than nothing is +0.00, too


def _blocks(rows: Sequence[Row], spec: Row, least: float) -> list[str]:
    """Return the blocks of the table for reading."""
    labels = {name: plain(label) for name, label in (*spec["students"], *spec["methods"], *spec["labels"])}
    notes = list(dict.fromkeys(row["footnote"] for row in rows if row["footnote"]))
    lines = []
    for row in rows:
        mark = f" [{notes.index(row['footnote']) + 1}]" if row["footnote"] else ""
        names = [labels.get(row[name], row[name]) for name in ("student", "method", "metric")]
        numbers = [printed(row["paper"]) + mark, printed(row["ours"]), _signed(row["difference"])]
        more = "–"
        if row["verdict"] == UNCLEAR:
            more = "the paper's are too few" if row["needed"] is None else f"{row['needed']:,}"
        lines.append(
            [*names, *numbers, f"{_signed(row['low'])} to {_signed(row['high'])}", str(row["n"]), row["verdict"], more]
        )
    header = ["Student", "Method", "Metric", "Paper", "Ours", "Difference", "Interval", "n", "Verdict", "It would take"]
    counts = Counter(row["verdict"] for row in rows)
    told = ", ".join(f"{counts[name]} {name}" for name in (AGREES, DIFFERS, UNCLEAR) if counts[name])
    if not rows:  # other benchmarks or methods than the paper's
        return [f"**Table {spec['table']}, the paper beside ours**: no cell in common."]
    return [
        f"**Table {spec['table']}, the paper beside ours**: {told}.",
        markdown(header, lines, left=3),
        f"Per cent and points; {100 * spec['confidence']:g} % intervals over prompts, n of them ours. A difference of "
        f"{least:g} points matters: *agrees* excludes one, *differs* is at least so much and excludes 0. Else it would "
        "take so many prompts, in ours and the paper's, to tell in four of five cases, were the difference what it "
        "looks like. How much training differs from seed to seed is in neither interval.",
        *[f"[{place}] {note}" for place, note in enumerate(notes, 1)],
    ]


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
