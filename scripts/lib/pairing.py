"""Methods compared on the same prompts: what came of each prompt, read from the rows per item."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from scripts.lib.files import read_rows

Row = dict[str, Any]
Outcomes = dict[str, float | None]  # of each prompt the mean outcome in [0, 1], None where no draw has one


def arms_of(items: Sequence[Row], spec: Row, counted: bool = False) -> dict[tuple[str, str], dict[str, Outcomes]]:
    """Return by student and method, and by metric, every prompt's mean outcome over draws and replicates.

    Parameters
    ----------
    counted : bool
        Whether an unknown outcome counts as none, as in the tables, where it stays in the denominator. A metric of
        which nothing is known is left as it is.
    """
    kinds = {benchmark["id"]: benchmark["kind"] for benchmark in spec["benchmarks"]}
    seen: dict[tuple[str, str], dict[str, dict[str, list[bool | None]]]] = {}
    for item in items:
        if item["benchmark"] not in kinds:
            continue
        metrics = seen.setdefault((item["student"], item["method"]), {})
        name = item["benchmark"]
        for row in read_rows(item["path"]):
            if kinds[name] == "reasoning":
                columns = {name: row["correct"]}
            else:
                columns = {name + key.removeprefix("outcome"): row[key] for key in row if key.startswith("outcome")}
            for metric, outcome in columns.items():
                metrics.setdefault(metric, defaultdict(list))[row["id"]].append(outcome)
    return {
        arm: {metric: means(_counted(found) if counted else found) for metric, found in metrics.items()}
        for arm, metrics in seen.items()
    }


def _counted(found: Mapping[str, Sequence[bool | None]]) -> Mapping[str, Sequence[bool | None]]:
    if all(value is None for values in found.values() for value in values):
        return found
    return {name: [bool(value) for value in values] for name, values in found.items()}


def means(found: Mapping[str, Sequence[bool | None]]) -> Outcomes:
    """Return the mean of what is known of each prompt."""
    known = {name: [value for value in values if value is not None] for name, values in found.items()}
    return {name: fmean(values) if values else None for name, values in known.items()}


def known(*arms: Outcomes) -> list[str]:
    """Return the prompts whose outcome is known in every arm."""
    return [name for name in arms[0] if all(arm.get(name) is not None for arm in arms)]
