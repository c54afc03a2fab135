"""Methods compared on the same prompts: outcomes by prompt from the rows per item, and their paired changes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from thinksafe.files import Row, read_rows
from thinksafe.intervals import Estimate, average, paired, seeded

Outcomes = dict[str, float | None]  # by prompt: the mean outcome in [0, 1], None where every sample's is unknown
Arm = dict[str, list[Outcomes]]  # of one student and method: by metric, the outcomes under each seed
UNSAFE = {"unsafe": True, "safe": False}  # a verdict as an outcome; unknown is None


class Pair(NamedTuple):
    """Outcomes of the prompts that are known in two arms, in one order."""

    before: list[float]  # mean outcome of each prompt
    after: list[float]
    by_seed: list[list[float]]  # change of each prompt under each seed
    left_out: int  # prompts that are unknown in one of the arms


def pair_up(old: Sequence[Outcomes], new: Sequence[Outcomes]) -> Pair:
    """Return two arms' outcomes under each seed as means over seeds, paired by prompt."""
    before, after = over_seeds(old), over_seeds(new)
    names = known(before, after)
    left_out = len({*before, *after}) - len(names)
    return Pair([before[name] for name in names], [after[name] for name in names], by_seed(new, old), left_out)


def mean_change(pairs: Sequence[Pair], confidence: float) -> Estimate:
    """Return the mean over benchmarks of the paired changes in points, with its interval over prompts and seeds."""
    changes = [paired(pair.before, pair.after, confidence) for pair in pairs]
    return seeded(average(changes), [pair.by_seed for pair in pairs], confidence)


def read_arms(
    items: Sequence[Row], spec: Row, unknown_as_no: bool = False, checks: bool = False
) -> dict[tuple[str, str], Arm]:
    """Return by student and method, and by metric, every prompt's mean outcome over samples under each seed.

    Parameters
    ----------
    items : cells (``student``, ``method``, ``replicate``, ``benchmark``) with the ``path`` of their rows per item
    unknown_as_no : bool
        Whether an unknown outcome counts as no, as in the tables, where it stays in the denominator. A metric without
        any known outcome stays unknown.
    checks : bool
        Whether to return ``<metric>:strict`` and ``well_formed:<metric>`` as well.
    """
    kinds = {benchmark["id"]: benchmark["kind"] for benchmark in spec["benchmarks"]}
    arms: dict[tuple[str, str], Arm] = defaultdict(lambda: defaultdict(list))
    for item in sorted(items, key=lambda item: item["replicate"]):
        name, found = item["benchmark"], defaultdict(lambda: defaultdict(list))
        if name not in kinds:
            continue
        for row in read_rows(item["path"]):
            if kinds[name] == "reasoning":
                columns = {name: row["correct"]} | ({f"{name}:strict": row["strict"]} if checks else {})
            else:
                columns = {name + key.removeprefix("outcome"): row[key] for key in row if key.startswith("outcome")}
            if checks:
                columns[f"well_formed:{name}"] = row["well_formed"]
            for metric, outcome in columns.items():
                found[metric][row["id"]].append(outcome)
        for metric, outcomes in found.items():
            if unknown_as_no and any(value is not None for values in outcomes.values() for value in values):
                outcomes = {prompt: [bool(value) for value in values] for prompt, values in outcomes.items()}
            arms[item["student"], item["method"]][metric].append(means(outcomes))
    return {arm: dict(metrics) for arm, metrics in arms.items()}


def read_verdicts(paths: Sequence[str]) -> Outcomes:
    """Return how often each prompt's responses are judged unsafe."""
    found = defaultdict(list)
    for row in read_rows(paths):
        found[row["id"]].append(UNSAFE.get(row["harm"]))
    return means(found)


def over_seeds(replicates: Sequence[Outcomes]) -> Outcomes:
    """Return each prompt's mean over the replicates in which it is known."""
    if len(replicates) == 1:
        return replicates[0]
    names = dict.fromkeys(name for one in replicates for name in one)
    return means({name: [one.get(name) for one in replicates] for name in names})


def by_seed(new: Sequence[Outcomes], old: Sequence[Outcomes] | None = None) -> list[list[float]]:
    """Return the outcomes by prompt and replicate, or their changes from ``old``, of the prompts known in all of them.

    Replicates of two arms are paired in order; the surplus ones of one arm are left out.
    """
    pairs = [
        pair
        for pair in zip(new, old or new, strict=False)
        if all(any(value is not None for value in one.values()) for one in pair)
    ]
    names = known(*(one for pair in pairs for one in pair)) if pairs else []
    return [[after[name] - (before[name] if old else 0.0) for after, before in pairs] for name in names]


def means(found: Mapping[str, Sequence[float | None]]) -> Outcomes:
    """Return each prompt's mean over its known outcomes."""
    values = {name: [value for value in values if value is not None] for name, values in found.items()}
    return {name: fmean(values) if values else None for name, values in values.items()}


def known(*arms: Outcomes) -> list[str]:
    """Return the prompts whose outcome is known in every arm."""
    return [name for name in arms[0] if all(arm.get(name) is not None for arm in arms)]
