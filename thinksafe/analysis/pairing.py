"""Methods compared on the same prompts: what came of each prompt, read from the rows per item."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

from thinksafe.files import Row, read_rows

Outcomes = dict[str, float | None]  # of each prompt the mean outcome in [0, 1], None where no draw has one


def seeds_of(
    items: Sequence[Row], spec: Row, counted: bool = False, checks: bool = False
) -> dict[tuple[str, str], dict[str, list[Outcomes]]]:
    """Return by student and method, and by metric, of each replicate every prompt's mean outcome over draws.

    Parameters
    ----------
    counted : bool
        Whether an unknown outcome counts as none, as in the tables, where it stays in the denominator. A metric of
        which nothing is known is left as it is.
    checks : bool
        Whether ``<metric>:strict`` and ``well_formed:<metric>`` are there, too.
    """
    kinds = {benchmark["id"]: benchmark["kind"] for benchmark in spec["benchmarks"]}
    seen: dict[tuple[str, str], dict[str, list[Outcomes]]] = {}
    for item in sorted(items, key=lambda item: item["replicate"]):
        if item["benchmark"] not in kinds:
            continue
        name, found = item["benchmark"], defaultdict(lambda: defaultdict(list))
        for row in read_rows(item["path"]):
            if kinds[name] == "reasoning":
                columns = {name: row["correct"]} | ({f"{name}:strict": row["strict"]} if checks else {})
            else:
                columns = {name + key.removeprefix("outcome"): row[key] for key in row if key.startswith("outcome")}
            if checks:
                columns[f"well_formed:{name}"] = row["well_formed"]
            for metric, outcome in columns.items():
                found[metric][row["id"]].append(outcome)
        metrics = seen.setdefault((item["student"], item["method"]), {})
        for metric, outcomes in found.items():
            metrics.setdefault(metric, []).append(means(_counted(outcomes) if counted else outcomes))
    return seen


def over_seeds(replicates: Sequence[Outcomes]) -> Outcomes:
    """Return each prompt's mean over replicates, of those in which it is known."""
    if len(replicates) == 1:
        return replicates[0]
    return means(
        {name: [one.get(name) for one in replicates] for name in dict.fromkeys(n for r in replicates for n in r)}
    )


def by_seed(new: Sequence[Outcomes], old: Sequence[Outcomes] | None = None) -> list[list[float]]:
    """Return the outcomes by prompt and replicate, or their changes from ``old``, of prompts known in every one.

    Replicates of two arms go together by their order; where one arm has fewer, so many count.
    """
    pairs = [
        pair
        for pair in zip(new, old or new, strict=False)
        if all(any(v is not None for v in one.values()) for one in pair)
    ]
    names = known(*(one for pair in pairs for one in pair)) if pairs else []
    return [[after[name] - (before[name] if old else 0.0) for after, before in pairs] for name in names]


def _counted(found: Mapping[str, Sequence[bool | None]]) -> Mapping[str, Sequence[bool | None]]:
    if all(value is None for values in found.values() for value in values):
        return found
    return {name: [bool(value) for value in values] for name, values in found.items()}


def means(found: Mapping[str, Sequence[float | None]]) -> Outcomes:
    """Return the mean of what is known of each prompt."""
    known = {name: [value for value in values if value is not None] for name, values in found.items()}
    return {name: fmean(values) if values else None for name, values in known.items()}


def known(*arms: Outcomes) -> list[str]:
    """Return the prompts whose outcome is known in every arm."""
    return [name for name in arms[0] if all(arm.get(name) is not None for arm in arms)]
