"""The paper's printed cells as score files: its tables by the rules that build ours (Tables 1, 2, 6, 7)."""

from collections.abc import Callable, Sequence

from thinksafe.analysis.paper_cells import printed_score
from thinksafe.files import Row, write_json
from thinksafe.reporting.tables import read_csv


def write_printed_scores(
    tables: Sequence[str],
    cells: Sequence[Row],
    benchmarks: dict[str, Row],
    confidence: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write one score for each cell, marked ``printed``; there are no rows per item.

    Parameters
    ----------
    tables : sequence of paths
        The paper's tables: ``student``, ``method``, ``metric``, ``value`` in per cent; the first with a cell counts.
    cells : sequence of dict
        ``student``, ``method``, ``benchmark``, and ``path``, where the score goes.
    benchmarks : dict
        ``kind``, ``rows`` (prompts) and ``samples`` of each benchmark.

    Raises
    ------
    ValueError
        If a cell is in none of the tables.
    """
    values: dict[tuple[str, str, str], float] = {}
    for table in tables:
        for row in read_csv(table):
            values.setdefault((row["student"], row["method"], row["metric"]), float(row["value"]))
    for cell in cells:
        key = (cell["student"], cell["method"], cell["benchmark"])
        if key not in values:
            raise ValueError(f"{', '.join(key)}: printed in none of {', '.join(map(str, tables))}")
        write_json(cell["path"], printed_score(values[key], **benchmarks[cell["benchmark"]], confidence=confidence))
    progress(len(cells), len(cells))


if __name__ == "__main__":
    import json

    from thinksafe.jobs.start import start

    spec = json.loads(snakemake.params.spec)
    start(
        snakemake,
        "write_printed_scores",
        tables=list(snakemake.input.tables),
        cells=[cell | {"path": path} for cell, path in zip(spec["cells"], snakemake.output.scores, strict=True)],
        benchmarks=spec["benchmarks"],
        confidence=spec["confidence"],
    )
