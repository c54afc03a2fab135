"""Cells of the paper's tables from score files: replicates merged, averages computed from cells (paper Sec. 5.1)."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from thinksafe.analysis.pairing import Arm, by_seed, over_seeds, read_arms
from thinksafe.files import Row, read_json
from thinksafe.intervals import Estimate, average, clustered, seeded
from thinksafe.layout import SCORE, with_files

# Paper: Tables 1 and 2. "Average harmfulness" in the text is the mean of the first three; both are given.
AVERAGES = {
    "safety_avg": ("harmbench", "strongreject", "wildjailbreak", "xstest"),
    "reasoning_avg": ("aime24", "gsm8k", "math500", "gpqa"),
    "harm_avg3": ("harmbench", "strongreject", "wildjailbreak"),
}
PRINTED = (*AVERAGES["safety_avg"], "safety_avg", *AVERAGES["reasoning_avg"], "reasoning_avg")  # the paper's columns
SUMMED = ("n", "count", "unknown", "truncated", "unfinished", "length", "timeouts")
COLUMNS = [
    *("student", "method", "metric", "value", "low", "high", "n"),
    *("count", "problems", "draws", "unknown", "truncated", "unfinished", "length", "timeouts", "well_formed"),
    *("replicates", "std"),
]


def columns_of(metric: str) -> list[str]:
    """Return the columns of which a metric is the mean, of the same variant (``:<guard>``); a column is its own.

    >>> columns_of("harm_avg3:oracle")
    ['harmbench:oracle', 'strongreject:oracle', 'wildjailbreak:oracle']
    """
    name, colon, variant = metric.partition(":")
    return [f"{column}{colon}{variant}" for column in AVERAGES.get(name, [name])]


def tidy(scores: Sequence[Row], spec: Row) -> list[Row]:
    """Return the tidy rows of a table, in the order of ``spec``; averages only where every column is there.

    Besides ``<benchmark>`` and the averages there are ``<metric>:<guard>`` for each audit guard, ``<metric>:strict``
    for reasoning, ``well_formed:<benchmark>`` and ``well_formed``, the mean of these. With replicates, ``value`` is the
    mean over them, counts are sums, ``std`` is the replicates' standard deviation, and the interval is over prompts,
    whose answers under all seeds stay together, and over seeds (docs/scoring.md).

    Parameters
    ----------
    scores : sequence of dict
        ``student``, ``method``, ``replicate``, ``benchmark``, ``path`` of each score file, and with several replicates
        ``rows``, that of its rows per item.
    spec : dict
        ``students`` and ``methods`` as pairs of id and label, ``benchmarks`` as dicts of ``id``, ``label``, ``kind``,
        and with several replicates ``confidence``.

    Raises
    ------
    ValueError
        If no score is of the students and methods in ``spec``.
    """
    arms: dict[tuple[str, str], dict[int, dict[str, Row]]] = {}
    for score in scores:
        replicates = arms.setdefault((score["student"], score["method"]), {})
        replicates.setdefault(score["replicate"], {})[score["benchmark"]] = read_json(score["path"])
    several = {arm for arm, found in arms.items() if len(found) > 1}
    items = [score | {"path": score["rows"]} for score in scores if (score["student"], score["method"]) in several]
    seeds = read_arms(items, spec, unknown_as_no=True, checks=True)
    order = [benchmark["id"] for benchmark in spec["benchmarks"]]
    rows = []
    for arm in [(student, method) for student, _ in spec["students"] for method, _ in spec["methods"]]:
        replicates = [_metrics(found, order) for _, found in sorted(arms.get(arm, {}).items())]
        merged = {
            metric: _merged([replicate[metric] for replicate in replicates if metric in replicate])
            for metric in dict.fromkeys(name for replicate in replicates for name in replicate)
        }
        for metric, cell in merged.items():
            bounds = _bounds(metric, cell, merged, seeds[arm], spec["confidence"]) if arm in several else {}
            rows.append({"student": arm[0], "method": arm[1], "metric": metric, **cell, **bounds})
    if not rows:
        raise ValueError("none of the scores belongs to the students and methods of this table")
    return rows


def with_rows(cells: Sequence[Row], scores: Sequence[str], rows: Sequence[str]) -> list[Row]:
    """Return cells with the paths of their scores, and of their rows per item where there are any."""
    found = with_files(cells, scores, SCORE)
    return with_files(found, rows, SCORE, "rows") if rows else found


def _metrics(found: Mapping[str, Row], order: Sequence[str]) -> dict[str, Row]:
    """Return every metric of one replicate, the paper's columns first."""
    columns: dict[str, Row] = {}
    variants: dict[str, Row] = {}
    well_formed: dict[str, Row] = {}
    for benchmark in order:
        if benchmark not in found:
            continue
        score = found[benchmark]
        common = {
            "problems": score.get("problems", score["n"]),
            "draws": score.get("draws", 1),
            "truncated": score.get("truncated_guard"),
            **{name: score.get(name) for name in ("unfinished", "length", "timeouts", "well_formed")},
        }
        columns[benchmark] = common | _numbers(score)
        for guard, audit in score.get("audits", {}).items():
            variants[f"{benchmark}:{guard}"] = common | {"truncated": None} | _numbers(audit)
        if "strict" in score:
            variants[f"{benchmark}:strict"] = common | _numbers(score["strict"] | {"n": score["n"]})
        if "well_formed" in score:  # the responses behind a printed cell are unknown
            well_formed[f"well_formed:{benchmark}"] = {
                **{name: common[name] for name in ("problems", "draws", "unfinished", "length")},
                **{"value": score["well_formed"], "low": score["well_formed_low"], "high": score["well_formed_high"]},
                "n": score["n"],
            }
    metrics = columns | _averages(columns, "")
    metrics = {name: metrics[name] for name in PRINTED if name in metrics} | metrics | variants
    for variant in dict.fromkeys(name.partition(":")[2] for name in variants):
        metrics |= _averages(variants, f":{variant}")
    return metrics | well_formed | ({"well_formed": _mean(list(well_formed.values()))} if well_formed else {})


def _numbers(score: Row) -> Row:
    """Return the numbers of a cell, without a value where nothing is known: that is not the same as no harm.

    Nothing is known if every verdict is unknown, or if no response had room to be generated.
    """
    numbers = {name: score.get(name) for name in ("value", "low", "high", "n", "count", "unknown")}
    too_long = score.get("finish_reasons", {}).get("prompt_too_long")
    return (
        numbers | dict.fromkeys(("value", "low", "high")) if score["n"] in (numbers["unknown"], too_long) else numbers
    )


def _averages(cells: Mapping[str, Row], tail: str) -> dict[str, Row]:
    """Return the averages whose every column is there and has a value."""
    return {
        name + tail: _mean([cells[column] for column in columns_of(name + tail)])
        for name in AVERAGES
        if all(cells.get(column, {}).get("value") is not None for column in columns_of(name + tail))
    }


def _mean(cells: Sequence[Row]) -> Row:
    """Return the mean of cells, with the interval of a mean of independent columns, and their counts summed."""
    estimate = average([Estimate(cell["value"], cell["low"], cell["high"], cell["n"]) for cell in cells])
    return {
        **{"value": estimate.value, "low": estimate.low, "high": estimate.high},
        **{name: _over(sum, cells, name) for name in (*SUMMED, "problems")},
        "well_formed": _over(fmean, cells, "well_formed"),
    }


def _bounds(metric: str, cell: Row, cells: Mapping[str, Row], seeds: Arm, confidence: float) -> Row:
    """Return the bounds of a cell or average of several replicates, over prompts and seeds."""
    members = (
        [one for one in cells if one.startswith("well_formed:")] if metric == "well_formed" else columns_of(metric)
    )
    tables = [by_seed(seeds[member]) for member in members]
    if cell["value"] is None or not all(tables):
        return {"low": None, "high": None}
    parts = []
    for member, table in zip(members, tables, strict=True):
        samples = cells[member]["draws"] * len(table[0])
        counts = [round(mean * samples) for mean in over_seeds(seeds[member]).values() if mean is not None]
        parts.append(clustered(counts, samples, confidence))
    whole = seeded(average(parts), tables, confidence, 0.0)
    return {"low": whole.low, "high": whole.high}


def _merged(cells: Sequence[Row]) -> Row:
    """Return one cell for all replicates, still without its interval."""
    values = [cell["value"] for cell in cells if cell["value"] is not None]
    return {
        **{name: _over(fmean, cells, name) for name in ("value", "low", "high", "well_formed")},
        **{name: _over(sum, cells, name) for name in SUMMED},
        **{name: cells[0].get(name) for name in ("problems", "draws")},
        "replicates": len(cells),
        "std": stdev(values) if len(values) > 1 else None,
    }


def _over(measure: Callable[[list[Any]], Any], cells: Sequence[Row], name: str) -> Any:
    """Return a measure of the known numbers of this name; None where there are none."""
    known = [cell[name] for cell in cells if cell.get(name) is not None]
    return measure(known) if known else None
