"""Table 3: the share of each student's own responses that the guard filtered out (paper App. A.1)."""

from collections.abc import Sequence
from statistics import stdev

from thinksafe.files import Row, read_json
from thinksafe.intervals import over_replicates, wilson
from thinksafe.layout import TRAINING_SET, with_files
from thinksafe.reporting.tables import latex, markdown, plain, printed, read_csv, write_csv, write_latex, write_markdown

GUARD = ("unsafe", "unknown")  # an unknown verdict is never safe, so the guard's filter takes it out
REASONS = (*GUARD, "unfinished", "too_long")
COLUMNS = [
    *("student", "method", "metric", "value", "low", "high", "n", "count"),
    *REASONS,
    *("replicates", "std"),
]
# Paper: Table 3 does not say whether responses that never end count as filtered; both shares are given, of all prompts.
SHARES = {"filtered_out_pct": GUARD, "dropped_pct": REASONS}
LAYOUT = [
    ("filtered_out_pct_benign", "Benign, filtered out by the guard"),
    ("filtered_out_pct_harmful", "Harmful, filtered out by the guard"),
    ("dropped_pct_benign", "Benign, left out for any reason"),
    ("dropped_pct_harmful", "Harmful, left out for any reason"),
]


def write_table3(statistics: Sequence[str], spec: Row, csv: str, md: str, tex: str) -> None:
    """Write what was left out of each student's training set, in per cent of all prompts, with counts by reason.

    The CSV file has every method that is given; the printed layout, as the paper's, ``thinksafe`` alone.

    Parameters
    ----------
    statistics : paths of the statistics of each training set
    spec : dict
        ``cells`` (``student``, ``method``, ``replicate`` of each path), ``students`` as pairs of id and label,
        ``confidence``.

    Raises
    ------
    ValueError
        If there are no statistics, or kept and dropped do not add up to the prompts.
    """
    rows, sets = [], with_files(spec["cells"], statistics, TRAINING_SET)
    methods = list(dict.fromkeys(entry["method"] for entry in sets))
    for student, method in [(student, method) for student, _ in spec["students"] for method in methods]:
        found = [read_json(entry["path"]) for entry in sets if (entry["student"], entry["method"]) == (student, method)]
        for role in ("harmful", "benign") if found else ():
            halves = [_checked(counts[role], student, role) for counts in found]
            for share, reasons in SHARES.items():
                rows.append(
                    {"student": student, "method": method, "metric": f"{share}_{role}"}
                    | _row(halves, reasons, spec["confidence"])
                )
    if not rows:
        raise ValueError("no training set belongs to the students of this table")
    write_csv(csv, COLUMNS, rows)
    cells = {
        (row["student"], row["metric"]): printed(row["value"]) for row in read_csv(csv) if row["method"] == "thinksafe"
    }
    students = [pair for pair in spec["students"] if (pair[0], LAYOUT[0][0]) in cells]
    body = [[label, *[cells[student, metric] for student, _ in students]] for metric, label in LAYOUT]
    note = "Per cent of all prompts. Counts by reason, and intervals, are in the CSV file of the same name."
    names = [label for _, label in students]
    write_markdown(md, [markdown(["Sample category", *map(plain, names)], body, left=1), note])
    write_latex(tex, ["Sample category", *names], [[[latex(line[0]), *line[1:]] for line in body]], left=1)


def _row(halves: Sequence[Row], reasons: Sequence[str], confidence: float) -> Row:
    """Return one share over replicates, with the counts of all of them."""
    shares = [
        wilson(sum(half["dropped"].get(reason, 0) for reason in reasons), half["prompts"], confidence)
        for half in halves
    ]
    values = [share.value for share in shares]
    whole = over_replicates(shares, confidence, most=100.0)
    counts = {reason: sum(half["dropped"].get(reason, 0) for half in halves) for reason in REASONS}
    return {
        **{name: getattr(whole, name) for name in ("value", "low", "high", "n")},
        "count": sum(counts[reason] for reason in reasons),
        **counts,
        "replicates": len(halves),
        "std": stdev(values) if len(values) > 1 else None,
    }


def _checked(half: Row, student: str, role: str) -> Row:
    """Return the counts of one half, having checked that every prompt is accounted for."""
    strange = set(half["dropped"]) - set(REASONS)
    if strange or half["kept"] + sum(half["dropped"].values()) != half["prompts"]:
        raise ValueError(
            f"the {role} half of {student}: {half['kept']} kept and {half['dropped']} dropped do not add up to "
            f"{half['prompts']} prompts by the reasons {', '.join(REASONS)}"
        )
    return half


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
