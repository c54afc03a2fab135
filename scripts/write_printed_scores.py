"""The paper's printed cells as score files: its tables by the rules that build ours (Tables 1, 2, 6, 7)."""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

from scripts.lib.files import write_json
from scripts.lib.statistics import wilson
from scripts.lib.tables import read_csv

Row = dict[str, Any]
ROUNDED = 0.005 + 1e-9  # per cent: what two decimals leave open


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
        ``kind``, ``rows`` (prompts) and ``draws`` of each benchmark.

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


def printed_score(value: float, kind: str, rows: int, draws: int, confidence: float) -> Row:
    """Return the score behind one printed percentage.

    ``count`` is the whole number that rounds to what is printed, or None where there is none. A safety cell has the
    interval (Wilson) of the nearest count. How much the samples of one problem differ is not printed, so that the
    interval of a reasoning cell counts each problem once: wide, never too narrow.
    """
    n = rows * draws
    count = round(value * n / 100)
    if kind == "reasoning":
        low, high = _wilson(value / 100, rows, confidence)
    else:
        nearest = wilson(count, n, confidence)
        low, high = min(nearest.low, value), max(nearest.high, value)
    return {
        **{"kind": kind, "printed": True, "value": value, "low": low, "high": high, "n": n},
        "count": count if abs(100 * count / n - value) <= ROUNDED else None,
        **({"problems": rows, "draws": draws} if kind == "reasoning" else {}),
    }


def _wilson(p: float, n: int, confidence: float) -> tuple[float, float]:
    """Return Wilson's bounds in per cent for a mean that need not be a whole number of ``n``."""
    from scipy.stats import norm

    z = float(norm.ppf((1 + confidence) / 2))
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return 100 * max(middle - half, 0.0), 100 * min(middle + half, 1.0)


if __name__ == "__main__":
    import json

    from scripts.lib.running import start

    spec = json.loads(snakemake.params.spec)
    start(
        snakemake,
        "write_printed_scores",
        tables=list(snakemake.input.tables),
        cells=[cell | {"path": path} for cell, path in zip(spec["cells"], snakemake.output.scores, strict=True)],
        benchmarks=spec["benchmarks"],
        confidence=spec["confidence"],
    )
