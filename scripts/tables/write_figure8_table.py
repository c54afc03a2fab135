"""The numbers behind Figure 8: perplexity of each method's training set under the initial student (paper Sec. 5.5)."""

from collections.abc import Sequence
from itertools import product

from thinksafe.analysis.perplexity import corpus_perplexity, example_perplexity
from thinksafe.files import Row, read_rows
from thinksafe.intervals import Estimate, replicate_row
from thinksafe.jobs.start import start
from thinksafe.layout import PERPLEXITY, with_files
from thinksafe.reporting.tables import write_csv

COLUMNS = ["student", "method", "metric", "value", "low", "high", "n", "tokens", "replicates", "std"]
KINDS = {"perplexity": corpus_perplexity, "perplexity_example": example_perplexity}
HALVES = {"": ("harmful", "benign"), ":harmful": ("harmful",), ":benign": ("benign",)}


def write_figure8_table(scores: Sequence[str], spec: Row, csv: str) -> None:
    """Write ``perplexity`` (over all tokens) and ``perplexity_example`` (mean over examples) of whole sets and halves.

    Paper: does not say which of the two it shows, nor whether benign responses count; the table has all of them. Over
    replicates, the value is the mean, and its interval includes the variance between them.
    ``spec`` has ``cells`` (``student``, ``method``, ``replicate`` of each score), ``students`` and ``methods`` as pairs
    of id and label, and ``confidence``.
    """
    rows, cells = [], with_files(spec["cells"], scores, PERPLEXITY)
    for student, method in product(*(dict(spec[name]) for name in ("students", "methods"))):
        sets = [read_rows(one["path"]) for one in cells if (one["student"], one["method"]) == (student, method)]
        for suffix, roles in HALVES.items():
            sums = [[(row["tokens"], row["nll"]) for row in one if row["role"] in roles] for one in sets]
            if not sums or not all(sums):
                continue  # a baseline without benign rows has no benign half
            tokens = sum(count for one in sums for count, _ in one)
            for metric, measure in KINDS.items():
                found = [Estimate(*measure(one, spec["confidence"]), len(one)) for one in sums]
                row = dict(student=student, method=method, metric=metric + suffix, tokens=tokens)
                rows.append(row | replicate_row(found, spec["confidence"], least=1.0))
    if not rows:
        raise ValueError("no training set belongs to the students and methods of this figure")
    write_csv(csv, COLUMNS, rows)


if __name__ == "__main__":
    start(snakemake, __file__)
