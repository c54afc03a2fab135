"""Cells of the paper's tables from score files: replicates merged, averages computed from cells (paper Sec. 5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from thinksafe.analysis.pairing import Outcomes, by_seed, over_seeds, seeds_of
from thinksafe.files import Row, read_json
from thinksafe.intervals import Estimate, average, clustered, seeded
from thinksafe.layout import SCORE, with_files

# Paper: Tables 1 and 2. "Average harmfulness" in the text is the mean of the first three; both are given.
AVERAGES = {
    "safety_avg": ("harmbench", "strongreject", "wildjailbreak", "xstest"),
    "reasoning_avg": ("aime24", "gsm8k", "math500", "gpqa"),
    "harm_avg3": ("harmbench", "strongreject", "wildjailbreak"),
}
COLUMNS = [
    *("student", "method", "metric", "value", "low", "high", "n"),
    *("count", "problems", "draws", "unknown", "truncated", "unfinished", "length", "timeouts", "well_formed"),
    *("replicates", "std"),
]
SUMMED = ("n", "count", "unknown", "truncated", "unfinished", "length", "timeouts")


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
        If there are no scores for what ``spec`` asks, or one cell is given twice.
    """
    cells: dict[tuple[str, str], dict[int, dict[str, Row]]] = {}
    order = [benchmark["id"] for benchmark in spec["benchmarks"]]
    for score in scores:
        found = cells.setdefault((score["student"], score["method"]), {}).setdefault(score["replicate"], {})
        if score["benchmark"] in found:
            raise ValueError(f"two scores of {score['student']}, {score['method']} on {score['benchmark']}")
        found[score["benchmark"]] = read_json(score["path"])
    several = {arm for arm, found in cells.items() if len(found) > 1}
    items = [score | {"path": score["rows"]} for score in scores if (score["student"], score["method"]) in several]
    seeds = seeds_of(items, spec, counted=True, checks=True)
    rows = []
    for student, _ in spec["students"]:
        for method, _ in spec["methods"]:
            arm = (student, method)
            replicates = [_metrics(found, order) for _, found in sorted(cells.get(arm, {}).items())]
            merged = {
                metric: _merged([replicate[metric] for replicate in replicates if metric in replicate])
                for metric in dict.fromkeys(name for replicate in replicates for name in replicate)
            }
            if arm in several:
                merged = {
                    metric: cell | _bounds(metric, cell, merged, seeds[arm], spec["confidence"])
                    for metric, cell in merged.items()
                }
            rows += [
                {"student": student, "method": method, "metric": metric, **cell} for metric, cell in merged.items()
            ]
    if not rows:
        raise ValueError("none of the scores belongs to the students and methods of this table")
    return rows


def with_rows(cells: Sequence[Row], scores: Sequence[str], rows: Sequence[str]) -> list[Row]:
    """Return cells with their score files, and with those of the rows per item where there are any."""
    found = with_files(cells, scores, SCORE)
    return with_files(found, rows, SCORE, "rows") if rows else found


def _metrics(found: dict[str, Row], order: Sequence[str]) -> dict[str, Row]:
    """Return every metric of one replicate, the paper's columns first."""
    plain: dict[str, Row] = {}
    variants: dict[str, Row] = {}
    sound: dict[str, Row] = {}
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
        plain[benchmark] = {**common, **_numbers(score)}
        for guard, audit in score.get("audits", {}).items():
            variants[f"{benchmark}:{guard}"] = {**common, "truncated": None, **_numbers(audit)}
        if "strict" in score:
            variants[f"{benchmark}:strict"] = {**common, **_numbers(score["strict"] | {"n": score["n"]})}
        if "well_formed" in score:  # nothing is known of the responses behind a printed cell
            sound[f"well_formed:{benchmark}"] = {
                **{name: common[name] for name in ("problems", "draws", "unfinished", "length")},
                **{"value": score["well_formed"], "low": score["well_formed_low"], "high": score["well_formed_high"]},
                "n": score["n"],
            }
    averages = _averages(plain, "")
    printed = [*AVERAGES["safety_avg"], "safety_avg", *AVERAGES["reasoning_avg"], "reasoning_avg"]
    first = [name for name in printed if name in plain | averages]
    metrics = {name: (plain | averages)[name] for name in dict.fromkeys([*first, *plain, *averages])} | variants
    for variant in dict.fromkeys(name.partition(":")[2] for name in variants):
        metrics |= _averages(variants, f":{variant}")
    return metrics | sound | ({"well_formed": _mean(list(sound.values()))} if sound else {})


def _numbers(score: Row) -> Row:
    """Return the numbers of a cell, without a value where nothing is known: no harm found is then not no harm.

    That is where every verdict is unknown, or no response had room to be generated.
    """
    numbers = {name: score.get(name) for name in ("value", "low", "high", "n", "count", "unknown")}
    silent = score.get("finish_reasons", {}).get("prompt_too_long")
    return numbers | dict.fromkeys(("value", "low", "high")) if score["n"] in (numbers["unknown"], silent) else numbers


def _averages(cells: dict[str, Row], suffix: str) -> dict[str, Row]:
    """Return the averages whose every column is there and has a value."""
    return {
        f"{name}{suffix}": _mean([cells[f"{column}{suffix}"] for column in columns])
        for name, columns in AVERAGES.items()
        if all(cells.get(f"{column}{suffix}", {}).get("value") is not None for column in columns)
    }


def _mean(cells: Sequence[Row]) -> Row:
    """Return the plain mean of cells, with the interval of a mean of independent columns, and their counts summed."""
    estimate = average([Estimate(cell["value"], cell["low"], cell["high"], cell["n"]) for cell in cells])
    sound = [cell["well_formed"] for cell in cells if cell.get("well_formed") is not None]
    return {
        **{"value": estimate.value, "low": estimate.low, "high": estimate.high},
        **{name: _sum([cell.get(name) for cell in cells]) for name in (*SUMMED, "problems")},
        "well_formed": fmean(sound) if sound else None,
    }


def _bounds(metric: str, cell: Row, cells: dict[str, Row], seeds: dict[str, list[Outcomes]], confidence: float) -> Row:
    """Return the bounds of a cell or average of several replicates, over prompts and seeds."""
    name, _, variant = metric.partition(":")
    tail = f":{variant}" if variant else ""
    if metric == "well_formed":
        members = [one for one in cells if one.startswith("well_formed:")]
    else:
        members = [column + tail for column in AVERAGES[name]] if name in AVERAGES else [metric]
    tables = [by_seed(seeds[member]) for member in members]
    if cell["value"] is None or not all(tables):
        return {"low": None, "high": None}
    parts = []
    for member, table in zip(members, tables, strict=True):
        draws = cells[member]["draws"] * len(table[0])
        shares = over_seeds(seeds[member])
        counts = [round(share * draws) for share in shares.values() if share is not None]
        parts.append(clustered(counts, draws, confidence))
    whole = seeded(average(parts), tables, confidence, 0.0)
    return {"low": whole.low, "high": whole.high}


def _merged(cells: Sequence[Row]) -> Row:
    """Return one cell for all replicates, still without its interval."""
    means = {}
    for name in ("value", "low", "high", "well_formed"):
        found = [cell[name] for cell in cells if cell.get(name) is not None]
        means[name] = fmean(found) if found else None
    given = [cell["value"] for cell in cells if cell["value"] is not None]
    return {
        **means,
        **{name: _sum([cell.get(name) for cell in cells]) for name in SUMMED},
        **{name: cells[0].get(name) for name in ("problems", "draws")},
        "replicates": len(cells),
        "std": stdev(given) if len(given) > 1 else None,
    }


def _sum(values: Sequence[int | None]) -> int | None:
    given = [value for value in values if value is not None]
    return sum(given) if given else None
