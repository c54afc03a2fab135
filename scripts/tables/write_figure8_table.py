"""The numbers behind Figure 8: perplexity of each method's training set under the initial student (paper Sec. 5.5)."""

from collections.abc import Sequence
from statistics import stdev

from thinksafe.analysis.perplexity import corpus_perplexity, example_perplexity
from thinksafe.files import Row, read_rows
from thinksafe.intervals import Estimate, over_replicates
from thinksafe.layout import PERPLEXITY, with_files
from thinksafe.reporting.tables import write_csv

COLUMNS = ["student", "method", "metric", "value", "low", "high", "n", "tokens", "replicates", "std"]
KINDS = {"perplexity": corpus_perplexity, "perplexity_example": example_perplexity}
HALVES = {"": ("harmful", "benign"), ":harmful": ("harmful",), ":benign": ("benign",)}


def write_figure8_table(scores: Sequence[str], spec: Row, csv: str) -> None:
    """Write ``perplexity`` (over all tokens) and ``perplexity_example`` (each example alike) of whole sets and halves.

    Paper: does not say which of the two, nor whether benign responses count; all are given. Over replicates, the value
    is the mean, and what lies between them is in its interval.

    Parameters
    ----------
    scores : paths of what `score_perplexity` wrote
    spec : dict
        ``cells`` (``student``, ``method``, ``replicate`` of each path), ``students`` and ``methods`` as pairs of id and
        label, ``confidence``.
    """
    rows, cells = [], with_files(spec["cells"], scores, PERPLEXITY)
    for student, _ in spec["students"]:
        for method, _ in spec["methods"]:
            paths = [one["path"] for one in cells if (one["student"], one["method"]) == (student, method)]
            sets = [read_rows(path) for path in paths]
            for suffix, roles in HALVES.items():
                sums = [[(row["tokens"], row["nll"]) for row in one if row["role"] in roles] for one in sets]
                if not sums or not all(sums):
                    continue  # a baseline without benign rows has no benign half
                for metric, measure in KINDS.items():
                    found = [measure(one, spec["confidence"]) for one in sums]
                    each = [Estimate(*numbers, len(one)) for numbers, one in zip(found, sums, strict=True)]
                    whole = over_replicates(each, spec["confidence"], least=1.0)
                    rows.append(
                        dict(student=student, method=method, metric=metric + suffix)
                        | dict(value=whole.value, low=whole.low, high=whole.high)
                        | dict(n=sum(map(len, sums)), tokens=sum(count for one in sums for count, _ in one))
                        | dict(replicates=len(sums), std=stdev(v for v, *_ in found) if len(found) > 1 else None)
                    )
    if not rows:
        raise ValueError("no training set belongs to the students and methods of this figure")
    write_csv(csv, COLUMNS, rows)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
