"""Numbers and mean lengths of harmful and benign training responses (paper App. A.2, Figures 9 and 10)."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, median, stdev

from thinksafe.files import Row
from thinksafe.intervals import Estimate, over_replicates
from thinksafe.jobs.start import start
from thinksafe.layout import TRAINING_SET, with_files
from thinksafe.reporting.lengths import ROLES, lengths_by_role, without_longest
from thinksafe.reporting.tables import write_csv

COLUMNS = ["student", "method", "metric", "value", "low", "high", "n", "role", "replicates", "std"]


def write_lengths(datasets: Sequence[str], spec: Row, csv: str) -> None:
    """Write N_h, N_b (kept prompts) and mu_h, mu_b (mean tokens) of each student's ThinkSafe training set.

    Paper: does not name the tokenizer, nor what is counted, nor whether the mean leaves out the longest 1 % as its
    figures do. Here: the student's tokenizer, all generated tokens (reasoning, answer, stop token), all responses;
    ``mu_h_drawn`` and ``mu_b_drawn`` leave out the longest 1 %. Intervals of means are Student's t.

    ``spec`` has ``cells`` (``student``, ``method``, ``replicate`` of each training set), ``students`` as pairs of id
    and label, and ``confidence``.

    Raises
    ------
    ValueError
        If there is no training set for these students.
    """
    rows, cells = [], with_files(spec["cells"], datasets, TRAINING_SET)
    for student, _ in spec["students"]:
        sets = [lengths_by_role(entry["path"]) for entry in cells if entry["student"] == student]
        for role, letter in ROLES.items() if sets else ():
            halves = [found[role] for found in sets]
            numbers = {
                f"N_{letter}": [len(half) for half in halves],
                f"mu_{letter}": [fmean(half) for half in halves if half],
                f"mu_{letter}_drawn": [fmean(without_longest(half)) for half in halves if half],
                f"median_{letter}": [median(half) for half in halves if half],
            }
            for metric, values in numbers.items():
                row = {"student": student, "method": "thinksafe", "metric": metric, "role": role}
                row |= {"value": fmean(values) if values else None, "std": stdev(values) if len(values) > 1 else None}
                row |= {"n": sum(map(len, halves)), "replicates": len(halves)}
                rows.append(row | (_bounds(halves, spec["confidence"]) if metric == f"mu_{letter}" else {}))
    if not rows:
        raise ValueError("no training set belongs to the students of this figure")
    write_csv(csv, COLUMNS, rows)


def _bounds(halves: Sequence[Sequence[int]], confidence: float) -> Row:
    """Return the bounds of Student's interval, with the variance between replicates where there are several."""
    from scipy.stats import t

    found = []
    for half in halves:
        if len(half) > 1:
            reach = float(t.ppf((1 + confidence) / 2, len(half) - 1)) * stdev(half) / sqrt(len(half))
            found.append(Estimate(fmean(half), fmean(half) - reach, fmean(half) + reach, len(half)))
    whole = over_replicates(found, confidence) if found else None
    return {"low": whole.low, "high": whole.high} if whole else {}


if __name__ == "__main__":
    start(snakemake, __file__)
