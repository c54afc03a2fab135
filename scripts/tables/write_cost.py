"""Wall and device time of generation, filtering and training, by method (paper Sec. 5.3, Figure 3).

Times come from the records beside the artifacts. A record is nobody's input and differs from run to run: so does this
table, which is left out wherever results are compared byte by byte (docs/jobs.md). It is written again when what it
counts is made again with another content, not when only the time has changed.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

from thinksafe.files import IDENTITY, RECORD, Row, read_json
from thinksafe.layout import files_named
from thinksafe.reporting.tables import write_csv

COLUMNS = ["student", "method", "metric", "value", "low", "high", "n", "attempts", "missing", "replicates"]
STAGES = ("generation", "filtering", "training")


def write_cost(identities: Sequence[str], spec: Row, csv: str) -> None:
    """Write hours of each stage and of all together, summed over shards, jobs and attempts.

    ``train_hours`` is wall time with the jobs one after another, data generation included, as the paper counts;
    ``device_hours`` are GPU hours (without a GPU, hours of a processor thread). A method whose data others share, as
    ThinkSafe's filter with another guard, counts what it would need alone. Where records tell:
    ``gpu_utilisation`` (percent), ``gpu_memory_mb``, ``peak_memory_mb`` (of one job) and ``tokens_per_second``.
    ``low`` and ``high`` are the least and the most of the replicates.

    Parameters
    ----------
    identities : paths of the identities of what the jobs made
    spec : dict
        ``jobs`` (``student``, ``method``, ``replicate``, ``stage`` and ``identity``, a path from the run's folder),
        ``students`` and ``methods`` as pairs of id and label.
    """
    paths = files_named(identities, (job["identity"] for job in spec["jobs"]))
    jobs = [job | {"path": path} for job, path in zip(spec["jobs"], paths, strict=True)]
    rows = []
    for student, _ in spec["students"]:
        for method, _ in spec["methods"]:
            own = [job for job in jobs if (job["student"], job["method"]) == (student, method)]
            replicates: dict[int, list[Row]] = {}
            for job in own:
                replicates.setdefault(job["replicate"], []).append(job | {"record": _record(job["path"])})
            for stage in (None, *STAGES) if own else ():
                groups = [[job for job in group if stage in (None, job["stage"])] for group in replicates.values()]
                if any(groups):
                    rows += _hours(groups, student, method, stage)
    write_csv(csv, COLUMNS, rows)


def _record(identity: str) -> Row | None:
    path = Path(identity.removesuffix(IDENTITY) + RECORD)
    return read_json(path) if path.exists() else None


def _hours(groups: Sequence[Sequence[Row]], student: str, method: str, stage: str | None) -> list[Row]:
    """Return wall and device hours of one stage; no value where a record is missing, as for published artifacts."""
    prefix = f"{stage}:" if stage else ""
    missing = sum(job["record"] is None for group in groups for job in group)
    known = [[job["record"] for job in group if job["record"]] for group in groups]
    common = {
        "student": student,
        "method": method,
        "n": sum(map(len, groups)),
        "attempts": sum(len(record["attempts"]) for records in known for record in records),
        "missing": missing,
        "replicates": len(groups),
    }
    rows = []
    for metric, key in (("train_hours", "wall_seconds"), ("device_hours", "device_seconds")):
        hours = [sum(record[key] for record in records) / 3600 for records in known]
        numbers = {} if missing else {"value": fmean(hours), "low": min(hours), "high": max(hours)}
        rows.append(common | {"metric": prefix + metric} | numbers)
    for metric, of in EFFICIENCY.items():
        values = [value for records in known if (value := of(records)) is not None]
        if values:
            numbers = {"value": fmean(values), "low": min(values), "high": max(values)}
            rows.append(common | {"metric": prefix + metric} | numbers)
    return rows


def _busy(records: Sequence[Row]) -> float | None:
    """Return how busy the GPUs were, in percent, each job as long as it took; None where none was measured."""
    told = [record for record in records if "gpu_utilisation" in record]
    seconds = sum(record["wall_seconds"] for record in told)
    return sum(record["gpu_utilisation"] * record["wall_seconds"] for record in told) / seconds if seconds else None


def _speed(records: Sequence[Row]) -> float | None:
    """Return tokens per second of the jobs that sampled."""
    told = [record for record in records if "tokens" in record]
    seconds = sum(record["wall_seconds"] for record in told)
    return sum(record["tokens"] for record in told) / seconds if seconds else None


def _most(name: str) -> Callable[[Sequence[Row]], float | None]:
    return lambda records: max((float(record[name]) for record in records if name in record), default=None)


EFFICIENCY: dict[str, Callable[[Sequence[Row]], float | None]] = {
    "gpu_utilisation": _busy,
    "gpu_memory_mb": _most("gpu_memory_mb"),
    "peak_memory_mb": _most("peak_memory_mb"),
    "tokens_per_second": _speed,
}


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
