"""Wall and device time of generation, filtering and training, by method (paper Sec. 5.3, Figure 3).

Times come from the records beside the artifacts. No rule has a record as its input, and records differ from run to run:
so does this table, which comparisons byte by byte leave out (docs/jobs.md). It is written again when the content of an
artifact that it counts changes, not when only its time does.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import fmean

from thinksafe.files import IDENTITY, RECORD, Row, read_json
from thinksafe.jobs.start import start
from thinksafe.layout import files_named
from thinksafe.reporting.tables import write_csv

COLUMNS = ["student", "method", "metric", "value", "low", "high", "n", "attempts", "missing", "replicates"]
STAGES = ("generation", "filtering", "training")


def write_cost(identities: Sequence[str], spec: Row, csv: str) -> None:
    """Write hours of each stage and of all together, summed over shards, jobs and attempts.

    ``train_hours`` is wall time with the jobs one after another, data generation included, as the paper counts;
    ``device_hours`` are GPU hours (without a GPU, hours of a processor thread). A method that shares its data with
    others, such as ThinkSafe's filter with another guard, counts what it would need alone. Where records have them:
    ``gpu_utilisation`` (percent), ``gpu_memory_mb``, ``peak_memory_mb`` (of one job) and ``tokens_per_second``.
    ``low`` and ``high`` are the minimum and the maximum of the replicates.

    ``spec`` has ``jobs`` (``student``, ``method``, ``replicate``, ``stage`` and ``identity``, a path from the run's
    folder), and ``students`` and ``methods`` as pairs of id and label.
    """
    paths = files_named(identities, (job["identity"] for job in spec["jobs"]))
    records = [Path(path.removesuffix(IDENTITY) + RECORD) for path in paths]
    jobs = [
        job | {"record": read_json(path) if path.exists() else None}
        for job, path in zip(spec["jobs"], records, strict=True)
    ]
    rows = []
    for student, method in product(dict(spec["students"]), dict(spec["methods"])):
        own = [job for job in jobs if (job["student"], job["method"]) == (student, method)]
        for stage in (None, *STAGES):
            replicates: dict[int, list[Row | None]] = {job["replicate"]: [] for job in own}
            for job in own:
                if stage in (None, job["stage"]):
                    replicates[job["replicate"]].append(job["record"])
            if any(replicates.values()):
                prefix = f"{stage}:" if stage else ""
                for metric, row in _hours(list(replicates.values())).items():
                    rows.append({"student": student, "method": method, "metric": prefix + metric} | row)
    write_csv(csv, COLUMNS, rows)


def _hours(replicates: Sequence[Sequence[Row | None]]) -> dict[str, Row]:
    """Return wall and device hours and efficiency of one stage; no hours where a record is missing."""
    known = [[record for record in records if record] for records in replicates]
    jobs = sum(map(len, replicates))
    missing = jobs - sum(map(len, known))
    measured = {name: [measure(records, name) for records in known] for name, measure in MEASURES.items()}
    hours = {
        name: [sum(record[key] for record in records) / 3600 for records in known] if not missing else []
        for name, key in (("train_hours", "wall_seconds"), ("device_hours", "device_seconds"))
    }
    common = {
        "n": jobs,
        "attempts": sum(len(record["attempts"]) for records in known for record in records),
        "missing": missing,
        "replicates": len(replicates),
    }
    rows = {}
    for metric, values in (hours | measured).items():
        found = [value for value in values if value is not None]
        numbers = {"value": fmean(found), "low": min(found), "high": max(found)} if found else {}
        if numbers or metric in hours:
            rows[metric] = common | numbers
    return rows


def _over_time(records: Sequence[Row], name: str) -> float | None:
    """Return the tokens per second, or the mean of a rate over the seconds, of the jobs that have it."""
    key = name.removesuffix("_per_second")
    own = [record for record in records if key in record]
    seconds = sum(record["wall_seconds"] for record in own)
    total = sum(record[key] * (record["wall_seconds"] if key == name else 1) for record in own)
    return total / seconds if seconds else None


def _most(records: Sequence[Row], name: str) -> float | None:
    return max((float(record[name]) for record in records if name in record), default=None)


MEASURES = {
    **{"gpu_utilisation": _over_time, "gpu_memory_mb": _most},
    **{"peak_memory_mb": _most, "tokens_per_second": _over_time},
}


if __name__ == "__main__":
    start(snakemake, __file__)
