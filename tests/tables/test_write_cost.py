"""The cost of methods from the records of their jobs."""

import pytest

from scripts.tables.write_cost import write_cost
from thinksafe.files import write_json
from thinksafe.reporting.tables import read_csv


def job(folder, student, method, stage, name, attempts, replicate=0, devices=1):
    """Write the record of a job, and return the job as the rule lists it."""
    identity = folder / f"{student}-{method}-{name}.identity.json"
    wall = sum(attempts)
    if attempts:
        write_json(
            folder / f"{student}-{method}-{name}.record.json",
            {"attempts": [{}] * len(attempts), "wall_seconds": wall, "device_seconds": wall * devices},
        )
    return dict(student=student, method=method, replicate=replicate, stage=stage, identity=identity.name)


def cost(folder, jobs, students, methods):
    """Write the table of what these jobs took, and return its path."""
    identities = [str(folder / job["identity"]) for job in jobs]
    write_cost(identities, {"jobs": jobs, "students": students, "methods": methods}, str(folder / "cost.csv"))
    return str(folder / "cost.csv")


def test_cost_sums_stages_shards_and_attempts(tmp_path):
    jobs = [
        job(tmp_path, "a", "thinksafe", "generation", "h0", [1800.0]),
        job(tmp_path, "a", "thinksafe", "generation", "h1", [900.0, 900.0]),  # preempted once
        job(tmp_path, "a", "thinksafe", "filtering", "v", [360.0]),
        job(tmp_path, "a", "thinksafe", "training", "t", [7200.0], devices=2),
        job(tmp_path, "a", "grpo", "training", "t0", [36000.0], 0, 2),
        job(tmp_path, "a", "grpo", "training", "t1", [43200.0], 1, 2),
        job(tmp_path, "a", "star1", "training", "t", []),  # fetched, not made here
    ]
    methods = [(name, name) for name in ("initial", "thinksafe", "grpo", "star1")]
    table = read_csv(cost(tmp_path, jobs, [("a", "A")], methods))
    rows = {(row["method"], row["metric"]): row for row in table}
    hours = {metric: row["value"] for (method, metric), row in rows.items() if method == "thinksafe"}
    assert hours == pytest.approx(
        {
            "train_hours": 3.1,
            "device_hours": 5.1,
            "generation:train_hours": 1.0,
            "generation:device_hours": 1.0,
            "filtering:train_hours": 0.1,
            "filtering:device_hours": 0.1,
            "training:train_hours": 2.0,
            "training:device_hours": 4.0,
        }
    )
    total = rows["thinksafe", "train_hours"]
    assert (total["n"], total["attempts"], total["missing"]) == (4, 5, 0)
    grpo = rows["grpo", "device_hours"]
    assert (grpo["value"], grpo["low"], grpo["high"], grpo["replicates"]) == (22, 20, 24, 2)
    assert rows["star1", "train_hours"]["value"] is None and rows["star1", "train_hours"]["missing"] == 1
    assert not any(method == "initial" for method, _ in rows) and ("grpo", "generation:train_hours") not in rows


def test_efficiency_stands_beside_the_hours(tmp_path):
    """GPUs as long as each job took, memory at its peak, tokens of the jobs that sampled; only where records tell."""
    made = []
    for name, stage, seconds, more in (
        ("h0", "generation", 3000.0, {"gpu_utilisation": 90.0, "gpu_memory_mb": 70_000, "tokens": 6_000_000}),
        ("h1", "generation", 1000.0, {"gpu_utilisation": 50.0, "gpu_memory_mb": 60_000, "tokens": 1_000_000}),
        ("v", "filtering", 500.0, {"peak_memory_mb": 900}),
    ):
        made.append(job(tmp_path, "a", "thinksafe", stage, name, [seconds]))
        record = {"attempts": [{}], "wall_seconds": seconds, "device_seconds": seconds, **more}
        write_json(tmp_path / f"a-thinksafe-{name}.record.json", record)
    values = {row["metric"]: row["value"] for row in read_csv(cost(tmp_path, made, [("a", "A")], [("thinksafe", "T")]))}
    assert values["generation:gpu_utilisation"] == values["gpu_utilisation"] == 80.0
    assert values["generation:gpu_memory_mb"] == 70_000 and values["generation:tokens_per_second"] == 1750
    assert values["filtering:peak_memory_mb"] == values["peak_memory_mb"] == 900
    assert "filtering:gpu_utilisation" not in values and "filtering:tokens_per_second" not in values
