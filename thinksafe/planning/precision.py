"""How wide the intervals of a run's scores will be, before anything has run (docs/scoring.md)."""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from thinksafe.analysis.scores import AVERAGES
from thinksafe.intervals import score_interval

if TYPE_CHECKING:
    from thinksafe.config.types import Config


def widths(config: "Config", benchmarks: Sequence[str]) -> list[dict[str, Any]]:
    """Return the half-width in points of each benchmark's interval, and of the averages whose columns are all there.

    A score of 50 % has the widest interval. With several samples of each problem it is between two bounds: ``high``,
    each problem is always right or always wrong; ``low``, all samples are independent.
    """
    z = NormalDist().inv_cdf((1 + config.scoring.confidence) / 2)

    def half(n: float) -> float:
        low, high = score_interval(0.5, n, z)
        return 50 * (high - low)

    rows, found = [], {}
    for name in benchmarks:
        entry = config.benchmarks[name]
        if items := entry.asked:
            found[name] = (half(items * entry.samples), half(items))
            counts = {"items": items, "of": entry.rows, "samples": entry.samples}
            rows.append({"column": name, **counts, "low": found[name][0], "high": found[name][1]})
    for name, columns in AVERAGES.items():
        if name != "harm_avg3" and found.keys() >= set(columns):
            bounds = [sqrt(sum(found[column][bound] ** 2 for column in columns)) / len(columns) for bound in (0, 1)]
            rows.append({"column": name, "low": bounds[0], "high": bounds[1]})
    return rows
