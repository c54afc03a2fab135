"""Table 3: the fraction of each student's own responses that the guard filtered out (paper App. A.1)."""

from collections.abc import Sequence
from itertools import product

from thinksafe.files import Row, read_json
from thinksafe.intervals import replicate_row, wilson
from thinksafe.jobs.start import start
from thinksafe.layout import TRAINING_SET, with_files
from thinksafe.reporting import tables
from thinksafe.reporting.tables import format_value, latex, plain

GUARD = ("unsafe", "unknown")  # the filter drops unknown verdicts, too
REASONS = (*GUARD, "unfinished", "too_long")
COLUMNS = ["student", "method", "metric", "value", "low", "high", "n", "count", *REASONS, "replicates", "std"]
# Paper: Table 3 does not say whether responses that never end count as filtered out; the table has both fractions.
SHARES = {"filtered_out_pct": GUARD, "dropped_pct": REASONS}
LAYOUT = [
    ("filtered_out_pct_benign", "Benign, filtered out by the guard"),
    ("filtered_out_pct_harmful", "Harmful, filtered out by the guard"),
    ("dropped_pct_benign", "Benign, left out for any reason"),
    ("dropped_pct_harmful", "Harmful, left out for any reason"),
]


def write_table3(statistics: Sequence[str], spec: Row, csv: str, md: str, tex: str) -> None:
    """Write the fraction of prompts left out of each student's training set, with counts by reason.

    The CSV file has every method of the cells; the other two, like the paper, have ``thinksafe`` alone.

    ``spec`` has ``cells`` (``student``, ``method``, ``replicate`` of each of the training sets' statistics),
    ``students`` as pairs of id and label, and ``confidence``.

    Raises
    ------
    ValueError
        If there are no statistics, or kept and dropped do not add up to the prompts.
    """
    rows, sets = [], with_files(spec["cells"], statistics, TRAINING_SET)
    methods = dict.fromkeys(entry["method"] for entry in sets)
    for student, method in product(dict(spec["students"]), methods):
        found = [read_json(entry["path"]) for entry in sets if (entry["student"], entry["method"]) == (student, method)]
        for role, (share, reasons) in product(("harmful", "benign") if found else (), SHARES.items()):
            halves = [counts[role] for counts in found]
            for half in halves:
                kept, lost, prompts = half["kept"], half["dropped"], half["prompts"]
                if set(lost) - set(REASONS) or kept + sum(lost.values()) != prompts:
                    raise ValueError(
                        f"the {role} half of {student}: {kept} kept and {lost} dropped do not add up to {prompts} "
                        f"prompts by the reasons {', '.join(REASONS)}"
                    )
            counts = {reason: [half["dropped"].get(reason, 0) for half in halves] for reason in REASONS}
            dropped = [sum(counts[reason][place] for reason in reasons) for place in range(len(halves))]
            estimates = [
                wilson(count, half["prompts"], spec["confidence"]) for count, half in zip(dropped, halves, strict=True)
            ]
            rows.append(
                {"student": student, "method": method, "metric": f"{share}_{role}", "count": sum(dropped)}
                | {reason: sum(numbers) for reason, numbers in counts.items()}
                | replicate_row(estimates, spec["confidence"], most=100.0)
            )
    if not rows:
        raise ValueError("no training set belongs to the students of this table")
    tables.write_csv(csv, COLUMNS, rows)
    cells = tables.by_cell(tables.read_csv(csv))
    students = {name: label for name, label in spec["students"] if (name, "thinksafe", LAYOUT[0][0]) in cells}
    body = [
        [label, *[format_value(cells[name, "thinksafe", metric]["value"]) for name in students]]
        for metric, label in LAYOUT
    ]
    note = "Per cent of all prompts. Counts by reason, and intervals, are in the CSV file of the same name."
    header = ["Sample category", *students.values()]
    tables.write_markdown(md, [tables.markdown(list(map(plain, header)), body, left=1), note])
    tables.write_latex(tex, header, [[[latex(line[0]), *line[1:]] for line in body]], left=1)


if __name__ == "__main__":
    start(snakemake, __file__)
