"""Score files as the paper's Table 1 gives them: a synthetic run for the tests of tables and figures."""

from thinksafe.files import write_json, write_rows
from thinksafe.intervals import clustered, wilson
from thinksafe.layout import SCORE

# Qwen3-0.6B and Qwen3-4B of Table 1: harmbench strongreject wildjailbreak xstest aime24 gsm8k math500 gpqa.
TABLE1 = {
    ("qwen3-0.6b", "initial"): (68.44, 66.45, 52.80, 5.20, 10.42, 72.51, 71.73, 25.13),
    ("qwen3-0.6b", "directrefusal"): (43.85, 11.82, 36.30, 83.60, 5.83, 64.30, 67.53, 24.81),
    ("qwen3-0.6b", "safechain"): (58.64, 72.84, 49.60, 0.00, 4.58, 68.68, 62.42, 23.74),
    ("qwen3-0.6b", "star1"): (56.64, 38.02, 50.60, 22.40, 6.25, 68.15, 68.17, 24.18),
    ("qwen3-0.6b", "safepath"): (67.61, 60.06, 52.80, 4.40, 7.92, 71.26, 71.77, 26.07),
    ("qwen3-0.6b", "safekey"): (60.96, 48.88, 52.75, 18.40, 5.42, 71.58, 66.17, 24.94),
    ("qwen3-0.6b", "thinksafe"): (40.37, 33.87, 37.95, 6.40, 9.58, 72.36, 70.65, 23.30),
    ("qwen3-4b", "initial"): (38.21, 8.31, 43.00, 0.80, 67.50, 84.69, 93.43, 52.27),
    ("qwen3-4b", "directrefusal"): (33.06, 3.19, 36.20, 32.00, 68.33, 82.58, 93.20, 53.03),
    ("qwen3-4b", "safechain"): (43.69, 41.21, 39.65, 2.00, 62.08, 89.59, 93.03, 51.01),
    ("qwen3-4b", "star1"): (33.72, 5.75, 35.15, 6.80, 62.50, 90.97, 93.05, 51.96),
    ("qwen3-4b", "safepath"): (37.71, 7.35, 42.45, 1.60, 72.08, 84.45, 93.33, 53.54),
    ("qwen3-4b", "safekey"): (32.39, 3.19, 32.95, 0.80, 67.08, 91.79, 92.87, 51.83),
    ("qwen3-4b", "thinksafe"): (9.63, 0.32, 7.45, 2.80, 73.33, 88.06, 93.53, 53.79),
}
BENCHMARKS = [
    {"id": "harmbench", "label": "HarmBench", "kind": "harm", "n": 602},
    {"id": "strongreject", "label": "StrongReject", "kind": "harm", "n": 313},
    {"id": "wildjailbreak", "label": "WildJailbreak", "kind": "harm", "n": 2000},
    {"id": "xstest", "label": "XSTest", "kind": "refusal", "n": 250},
    {"id": "aime24", "label": "AIME 2024", "kind": "reasoning", "n": 30},
    {"id": "gsm8k", "label": "GSM8K", "kind": "reasoning", "n": 1319},
    {"id": "math500", "label": "MATH500", "kind": "reasoning", "n": 500},
    {"id": "gpqa", "label": "GPQA", "kind": "reasoning", "n": 198},
]
METHODS = [
    ("initial", "Initial"),
    ("directrefusal", "DirectRefusal"),
    ("safechain", "SafeChain"),
    ("star1", "STAR-1"),
    ("safepath", "SafePath"),
    ("safekey", "SafeKey"),
    ("thinksafe", "ThinkSafe"),
]
STUDENTS = [("qwen3-0.6b", "Qwen3-0.6B"), ("qwen3-4b", "Qwen3-4B")]
SPEC = {"students": STUDENTS, "methods": METHODS, "benchmarks": BENCHMARKS}


def score_of(benchmark: dict, value: float, well_formed: float = 99.0, audit: float | None = None) -> dict:
    """Return what a score file would hold for this fraction."""
    n = benchmark["n"]
    health = {"well_formed": well_formed, "well_formed_low": well_formed - 1, "well_formed_high": 100.0}
    health |= {"unfinished": 1, "length": 1, "finish_reasons": {"stop": n - 1, "length": 1}}
    if benchmark["kind"] == "reasoning":
        count = round(value * n * 8 / 100)
        share = clustered([8] * (count // 8) + [count % 8] + [0] * (n - count // 8 - 1), 8)
        numbers = {"value": share.value, "low": share.low, "high": share.high, "count": count}
        return {"kind": "reasoning", "n": n * 8, "problems": n, "draws": 8, "timeouts": 0, "errors": 0} | (
            numbers | {"strict": dict(numbers), "pass_at": {"1": share.value}} | health
        )
    found = {}
    for name, share in (("", value), ("oracle", audit)):
        if share is not None:
            estimate = wilson(round(share * n / 100), n)
            found[name] = {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": n, "unknown": 0}
            found[name]["count"] = round(share * n / 100)
    plain = found.pop("")
    return {"kind": benchmark["kind"], "truncated_guard": 0, "audits": found} | plain | health


def cells(entries: list[dict]) -> dict:
    """Return the spec of a job that has these entries as its cells."""
    names = ("student", "method", "replicate", "benchmark")
    return {"cells": [{name: entry[name] for name in names if name in entry} for entry in entries]}


def files(entries: list[dict], name: str = "path") -> list[str]:
    """Return the paths that such a job has as input."""
    return [entry[name] for entry in entries if name in entry]


def write_run(folder, cells=None, benchmarks=BENCHMARKS, replicates=(0,), shift=0.0, **kept) -> list[dict]:
    """Write score files where a run has them, and return each cell with its path."""
    scores = []
    for (student, method), values in (cells or TABLE1).items():
        for replicate in replicates:
            for benchmark, value in zip(BENCHMARKS, values, strict=True):
                if benchmark not in benchmarks:
                    continue
                entry = {"student": student, "method": method, "replicate": replicate, "benchmark": benchmark["id"]}
                path = folder / f"{SCORE(entry, kind=benchmark['kind'])}.json"
                write_json(path, score_of(benchmark, value + shift * replicate, **kept))
                scores.append(entry | {"path": str(path)})
    return scores


def write_items(folder, unsafe, right=None, oracle=None, unknown=0, n=100, benchmarks=BENCHMARKS) -> list[dict]:
    """Write rows per item: of ``n`` prompts ``unsafe[method]`` are unsafe and ``right[method]`` problems are right."""
    entries = []
    for method in unsafe:
        for benchmark in benchmarks:
            entry = {"student": "qwen3-mini", "method": method, "replicate": 0, "benchmark": benchmark["id"]}
            path = folder / f"{SCORE(entry, kind=benchmark['kind'])}.parquet"
            keys = [{"id": f"p{place}", "draw": draw} for place in range(n) for draw in (0, 1)]
            if benchmark["kind"] == "reasoning":
                share = (right or dict.fromkeys(unsafe, n // 2))[method]
                rows = [key | {"correct": place // 2 < share} for place, key in enumerate(keys)]
                write_rows(path, rows, {"id": str, "draw": int, "correct": bool})
            else:
                counts = {"outcome": unsafe, "outcome:oracle": oracle or unsafe}
                if benchmark["kind"] == "refusal":
                    counts = {"outcome": dict.fromkeys(unsafe, 0)}
                rows = [
                    key
                    | {
                        column: None if method == "thinksafe" and place >= n - unknown else place < given[method]
                        for column, given in counts.items()
                    }
                    for place, key in enumerate(keys[::2])
                ]
                write_rows(path, rows, {"id": str, "draw": int, **dict.fromkeys(counts, bool)})
            entries.append(entry | {"path": str(path)})
    return entries
