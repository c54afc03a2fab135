"""The numbers behind Figures 5, 6 and 12: what training on another model's responses gains (paper Sec. 5.4, D)."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from scripts.lib.pairing import Outcomes, arms_of, known
from scripts.lib.scores import AVERAGES
from scripts.lib.statistics import average, independent_ratio, paired, ratio
from scripts.lib.tables import write_csv

Row = dict[str, Any]
COLUMNS = ["student", "method", "metric", "value", "low", "high", "n"]
GAINS = {"safety": ("safety_avg", -1), "harm3": ("harm_avg3", -1), "reasoning": ("reasoning_avg", 1)}  # what is better


def write_gains(
    items: Sequence[Row],
    spec: Row,
    output_csv: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write each method's gains over the untrained student, a gain always being for the better.

    ``safety_gain``, ``harm3_gain`` and ``reasoning_gain`` are in points of the average, paired on the same prompts;
    ``..._gain_pct`` the same in per cent of what the untrained student has; ``gain_ratio`` is the reasoning gain
    for each point of safety gain. An average of which a benchmark is missing has no gain.

    Paper: neither "gain" nor "ratio" is defined (Figs. 5, 6, 12); both readings of a gain are given, points are drawn.

    Parameters
    ----------
    items : sequence of dict
        ``student``, ``method``, ``replicate``, ``benchmark``, ``path`` of the rows per item, ``initial`` among them.
    spec : dict
        ``students`` and ``methods`` as pairs of id and label, ``benchmarks``, ``confidence``.
    """
    arms = arms_of(items, spec)
    rows = []
    for student, _ in spec["students"]:
        for method, _ in spec["methods"]:
            if method != "initial" and (student, method) in arms:
                found = _gains(arms[student, "initial"], arms[student, method], spec["confidence"])
                rows += [{"student": student, "method": method, **row} for row in found]
    write_csv(output_csv, COLUMNS, rows)
    progress(len(rows), len(rows))


def _gains(old: dict[str, Outcomes], new: dict[str, Outcomes], confidence: float) -> list[Row]:
    """Return the gains of one method over the untrained student."""
    rows, changes = [], {}
    for name, (metric, sign) in GAINS.items():
        if not all(column in old and column in new for column in AVERAGES[metric]):
            continue
        pairs = [_paired_outcomes(old[column], new[column]) for column in AVERAGES[metric]]
        if not all(before for before, _ in pairs):
            continue
        gain = average([paired(*(pair if sign > 0 else pair[::-1]), confidence) for pair in pairs])
        n = sum(len(before) for before, _ in pairs)
        numbers = {"value": gain.value, "low": gain.low, "high": gain.high}
        rows.append({"metric": f"{name}_gain", **numbers, "n": n})
        changes[name] = [[sign * (y - x) for x, y in zip(*pair, strict=True)] for pair in pairs]
        if fmean(fmean(before) for before, _ in pairs):
            bounds = ratio(changes[name], [before for before, _ in pairs], confidence)
            numbers = {
                key: None if b is None else 100 * b for key, b in zip(("value", "low", "high"), bounds, strict=True)
            }
            rows.append({"metric": f"{name}_gain_pct", **numbers, "n": n})
    if {"reasoning", "safety"} <= changes.keys():
        bounds = independent_ratio(changes["reasoning"], changes["safety"], confidence)
        n = sum(map(len, [*changes["reasoning"], *changes["safety"]]))
        rows.append({"metric": "gain_ratio", **dict(zip(("value", "low", "high"), bounds, strict=True)), "n": n})
    return rows


def _paired_outcomes(old: Outcomes, new: Outcomes) -> tuple[list[float], list[float]]:
    """Return the outcomes before and after of the prompts for which both are known."""
    names = known(old, new)
    return [old[name] for name in names], [new[name] for name in names]


if __name__ == "__main__":
    import json

    from scripts.lib.running import start

    spec = json.loads(snakemake.params.spec)
    start(
        snakemake,
        "write_gains",
        items=[cell | {"path": path} for cell, path in zip(spec["cells"], snakemake.input.rows, strict=True)],
        spec=spec,
        output_csv=snakemake.output.csv,
    )
