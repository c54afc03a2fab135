"""The paper's printed cells as score files: its tables by the rules that build ours (Tables 1, 2, 6, 7)."""

from collections.abc import Sequence

from thinksafe.analysis.paper_cells import printed_score
from thinksafe.files import Row, write_json
from thinksafe.jobs.start import start
from thinksafe.reporting.tables import read_csv


def write_printed_scores(
    tables: Sequence[str],
    cells: Sequence[Row],
    benchmarks: dict[str, Row],
    confidence: float,
    scores: Sequence[str],
) -> None:
    """Write one score for each cell, marked ``printed``; there are no rows per item.

    Parameters
    ----------
    tables : paths of the paper's tables: ``student``, ``method``, ``metric``, ``value`` in per cent; the first with a
        cell counts
    cells : ``student``, ``method``, ``benchmark`` of each
    benchmarks : ``kind``, ``rows`` (prompts) and ``samples`` of each benchmark
    scores : the path of each cell's score
    """
    values: dict[tuple[str, str, str], float] = {}
    for table in tables:
        for row in read_csv(table):
            values.setdefault((row["student"], row["method"], row["metric"]), float(row["value"]))
    for cell, path in zip(cells, scores, strict=True):
        key = (cell["student"], cell["method"], cell["benchmark"])
        if key not in values:
            raise ValueError(f"{', '.join(key)}: printed in none of {', '.join(map(str, tables))}")
        write_json(path, printed_score(values[key], **benchmarks[cell["benchmark"]], confidence=confidence))


if __name__ == "__main__":
    start(snakemake, __file__)
