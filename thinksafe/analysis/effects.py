"""Effects of steering and training, paired on the same prompts: changes with verdicts, gains, and their ratios.

Paper: Sec. 4, 5.2, 5.4 and D compare numbers without spread; here each difference has an interval.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from thinksafe.analysis.pairing import Arm, Outcomes, by_seed, known, mean_change, over_seeds, pair_up
from thinksafe.analysis.scores import columns_of
from thinksafe.files import Row
from thinksafe.intervals import Estimate, ratio

HELPS, FAILS, UNCLEAR = "helps", "does not help", "too few samples to tell"
KEEPS, COSTS = "keeps", "costs"
GAINS = {"safety": ("safety_avg", -1), "harm3": ("harm_avg3", -1), "reasoning": ("reasoning_avg", 1)}  # better: up?


def effect_verdict(change: Estimate, min_effect: float, kind: str) -> str:
    """Return what a change in points means, ``min_effect`` being the smallest that matters.

    ``harm`` (a drop is wanted): ``helps`` if the interval excludes 0 and the drop is at least ``min_effect``; ``does
    not help`` if the interval excludes a drop of ``min_effect``. ``refusal`` and ``reasoning`` (nothing should be
    lost): ``keeps`` if the interval excludes a loss of ``min_effect``; ``costs`` if it excludes 0 and the loss is at
    least ``min_effect``. Otherwise there are too few samples to tell.
    """
    worse = -1 if kind == "reasoning" else 1
    low, high = sorted((worse * change.low, worse * change.high))
    if kind == "harm":
        return HELPS if high < 0 and -change.value >= min_effect else FAILS if -low < min_effect else UNCLEAR
    return KEEPS if high < min_effect else COSTS if low > 0 and worse * change.value >= min_effect else UNCLEAR


def effect(arms: Sequence[tuple[Sequence[Outcomes], Sequence[Outcomes]]], kind: str, spec: Row) -> Row:
    """Return the mean over benchmarks of the change between two arms, with before and after on the same prompts.

    ``arms`` are for each benchmark the outcomes under each seed, before and after; ``kind`` is as for `effect_verdict`.
    """
    pairs = [pair_up(*arm) for arm in arms]
    left_out = sum(pair.left_out for pair in pairs)
    if not all(pair.before for pair in pairs):
        return {"n": 0, "left_out": left_out, "verdict": UNCLEAR}
    change = mean_change(pairs, spec["confidence"])
    before, after = (fmean(100 * fmean(pair[side]) for pair in pairs) for side in (0, 1))
    verdict = effect_verdict(change, spec["min_effect"], kind)
    return asdict(change) | {"before": before, "after": after, "left_out": left_out, "verdict": verdict}


def training_effects(old: Arm, new: Arm, spec: Row) -> Iterator[Row]:
    """Yield the effects of one method against another on averages and benchmarks, by guard and audit guards."""
    kinds = {benchmark["id"]: benchmark["kind"] for benchmark in spec["benchmarks"]}
    both = [metric for metric in old if metric in new]
    averages = [name + tail for tail in _tails(both) for name in ("harm_avg3", "reasoning_avg")]
    for metric in [name for name in averages if set(columns_of(name)) <= set(both)] + both:
        columns = columns_of(metric)
        kind = kinds[columns[0].partition(":")[0]]
        yield {"metric": metric} | effect([(old[column], new[column]) for column in columns], kind, spec)


def gain_ratios(initial: Arm, rejection: Arm, thinksafe: Arm, confidence: float) -> Iterator[Row]:
    """Yield rejection sampling's drop in harm in per cent of ThinkSafe's; no bounds where it is unbounded."""
    arms = (initial, rejection, thinksafe)
    for tail in _tails(initial):
        columns = columns_of(f"harm_avg3{tail}")
        if not all(column in arm for column in columns for arm in arms):
            continue
        first, *others = ([over_seeds(arm[column]) for column in columns] for arm in arms)
        shared = [known(*outcomes) for outcomes in zip(first, *others, strict=True)]
        if not all(shared):
            continue
        gains = [
            [[old[name] - new[name] for name in names] for old, new, names in zip(first, other, shared, strict=True)]
            for other in others
        ]
        seeds = [[by_seed(initial[column], arm[column]) for column in columns] for arm in (rejection, thinksafe)]
        yield {
            "metric": f"gain_ratio{tail}",
            **_percent(ratio(*gains, confidence, seeds)),
            "n": sum(map(len, shared)),
            "left_out": sum(map(len, first)) - sum(map(len, shared)),
        }


def gains(old: Arm, new: Arm, confidence: float) -> list[Row]:
    """Return the gains of one method over the untrained student, a gain always being for the better.

    ``<average>_gain`` is in points, ``<average>_gain_pct`` in per cent of the untrained student's number, and
    ``gain_ratio`` is the reasoning gain per point of safety gain. An average that misses a benchmark has no gain.
    """
    rows, changes, seeds = [], {}, {}
    for name, (average, sign) in GAINS.items():
        columns = columns_of(average)
        if not all(column in old and column in new for column in columns):
            continue
        pairs = [pair_up(*(old[column], new[column])[::sign]) for column in columns]
        if not all(pair.before for pair in pairs):
            continue
        gain = mean_change(pairs, confidence)
        rows.append({"metric": f"{name}_gain"} | asdict(gain))
        changes[name] = [[y - x for x, y in zip(pair.before, pair.after, strict=True)] for pair in pairs]
        seeds[name] = [pair.by_seed for pair in pairs]
        untrained = [pair.before if sign > 0 else pair.after for pair in pairs]
        if any(map(any, untrained)):
            both = [seeds[name], [by_seed(old[column]) for column in columns]]
            percent = _percent(ratio(changes[name], untrained, confidence, both))
            rows.append({"metric": f"{name}_gain_pct"} | percent | {"n": gain.n})
    if {"reasoning", "safety"} <= changes.keys():
        both = [seeds["reasoning"], seeds["safety"]]
        found = ratio(changes["reasoning"], changes["safety"], confidence, both, same_prompts=False)
        n = sum(map(len, [*changes["reasoning"], *changes["safety"]]))
        rows.append({"metric": "gain_ratio"} | found | {"n": n})
    return rows


def _tails(metrics: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Return the variants of metrics: nothing for the guard of the tables, ``:<guard>`` for an audit guard."""
    return list(dict.fromkeys("".join(metric.partition(":")[1:]) for metric in metrics))


def _percent(bounds: Mapping[str, float | None]) -> Row:
    return {name: None if bound is None else 100 * bound for name, bound in bounds.items()}
