"""The numbers behind Figures 5, 6 and 12: what training on another model's responses gains (paper Sec. 5.4, D)."""

from collections.abc import Sequence
from statistics import fmean

from thinksafe.analysis.pairing import Outcomes, by_seed, known, over_seeds, seeds_of
from thinksafe.analysis.scores import AVERAGES
from thinksafe.files import Row
from thinksafe.intervals import average, independent_ratio, paired, ratio, seeded
from thinksafe.layout import SCORE, with_files
from thinksafe.reporting.tables import write_csv

COLUMNS = ["student", "method", "metric", "value", "low", "high", "n"]
GAINS = {"safety": ("safety_avg", -1), "harm3": ("harm_avg3", -1), "reasoning": ("reasoning_avg", 1)}  # what is better


def write_gains(rows: Sequence[str], spec: Row, csv: str) -> None:
    """Write each method's gains over the untrained student, a gain always being for the better.

    ``safety_gain``, ``harm3_gain`` and ``reasoning_gain`` are in points of the average, paired on the same prompts;
    ``..._gain_pct`` the same in per cent of what the untrained student has; ``gain_ratio`` is the reasoning gain
    for each point of safety gain. An average of which a benchmark is missing has no gain.

    Paper: neither "gain" nor "ratio" is defined (Figs. 5, 6, 12); both readings of a gain are given, points are drawn.

    Parameters
    ----------
    rows : paths of the rows per item, those of the method ``initial`` among them
    spec : dict
        ``cells`` (``student``, ``method``, ``replicate``, ``benchmark`` of each path), ``students`` and ``methods`` as
        pairs of id and label, ``benchmarks``, ``confidence``.
    """
    arms = seeds_of(with_files(spec["cells"], rows, SCORE), spec)
    gains = []
    for student, _ in spec["students"]:
        for method, _ in spec["methods"]:
            if method != "initial" and (student, method) in arms:
                found = _gains(arms[student, "initial"], arms[student, method], spec["confidence"])
                gains += [{"student": student, "method": method, **row} for row in found]
    write_csv(csv, COLUMNS, gains)


def _gains(old: dict[str, list[Outcomes]], new: dict[str, list[Outcomes]], confidence: float) -> list[Row]:
    """Return the gains of one method over the untrained student, of whose outcomes each replicate is there."""
    rows, changes, moved = [], {}, {}
    for name, (metric, sign) in GAINS.items():
        if not all(column in old and column in new for column in AVERAGES[metric]):
            continue
        columns = AVERAGES[metric]
        pairs = [_paired_outcomes(over_seeds(old[column]), over_seeds(new[column])) for column in columns]
        if not all(before for before, _ in pairs):
            continue
        moved[name] = [by_seed(*((new[c], old[c]) if sign > 0 else (old[c], new[c]))) for c in columns]
        gain = average([paired(*(pair if sign > 0 else pair[::-1]), confidence) for pair in pairs])
        gain = seeded(gain, moved[name], confidence)
        n = sum(len(before) for before, _ in pairs)
        numbers = {"value": gain.value, "low": gain.low, "high": gain.high}
        rows.append({"metric": f"{name}_gain", **numbers, "n": n})
        changes[name] = [[sign * (y - x) for x, y in zip(*pair, strict=True)] for pair in pairs]
        if fmean(fmean(before) for before, _ in pairs):
            first = [by_seed(old[column]) for column in columns]
            bounds = ratio(changes[name], [before for before, _ in pairs], confidence, seeds=[moved[name], first])
            numbers = {
                key: None if b is None else 100 * b for key, b in zip(("value", "low", "high"), bounds, strict=True)
            }
            rows.append({"metric": f"{name}_gain_pct", **numbers, "n": n})
    if {"reasoning", "safety"} <= changes.keys():
        both = [moved["reasoning"], moved["safety"]]
        bounds = independent_ratio(changes["reasoning"], changes["safety"], confidence, seeds=both)
        n = sum(map(len, [*changes["reasoning"], *changes["safety"]]))
        rows.append({"metric": "gain_ratio", **dict(zip(("value", "low", "high"), bounds, strict=True)), "n": n})
    return rows


def _paired_outcomes(old: Outcomes, new: Outcomes) -> tuple[list[float], list[float]]:
    """Return the outcomes before and after of the prompts for which both are known."""
    names = known(old, new)
    return [old[name] for name in names], [new[name] for name in names]


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
