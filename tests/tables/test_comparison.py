"""Figures 3 and 8, and the cost of methods from the records of their jobs."""

import pytest

from scripts.figures.plot_perplexity import plot_perplexity
from scripts.figures.plot_reinforcement import plot_reinforcement
from scripts.tables.write_averages import write_averages
from scripts.tables.write_cost import write_cost
from tests.figures.test_figures import twice
from tests.paper_run import SPEC, STUDENTS, TABLE1, cells, files, write_run
from thinksafe.files import write_json
from thinksafe.reporting.tables import read_csv, write_csv

METHODS = [("initial", "Initial"), ("thinksafe", "ThinkSafe"), ("thinksafe-kl", "ThinkSafe + KL"), ("grpo", "GRPO")]
FIGURE3 = SPEC | {"methods": METHODS}


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


def test_figure3(tmp_path):
    shown = {key: value for key, value in TABLE1.items() if key[1] in ("initial", "thinksafe")}
    shown |= {(student, "thinksafe-kl"): TABLE1[student, "safekey"] for student, _ in STUDENTS}
    shown |= {(student, "grpo"): TABLE1[student, "safepath"] for student, _ in STUDENTS}
    table, scores = str(tmp_path / "figure3.csv"), write_run(tmp_path, shown)
    write_averages(files(scores), [], FIGURE3 | cells(scores), table)
    student = STUDENTS[0][0]
    jobs = [
        job(tmp_path, student, method, "training", "t", [seconds])
        for method, seconds in (("thinksafe", 90.0), ("thinksafe-kl", 120.0), ("grpo", 900.0), ("star1", 5.0))
    ]
    times = cost(tmp_path, jobs, STUDENTS, [*METHODS, ("star1", "STAR-1")])
    drawn = twice(tmp_path, "figure3", plot_reinforcement, table, times, FIGURE3)
    without = twice(tmp_path, "without", plot_reinforcement, table, cost(tmp_path, [], STUDENTS, METHODS), FIGURE3)
    assert drawn[0] != without[0]


def test_figure8(tmp_path):
    rows = [
        dict(student=student, method=method, metric=metric, value=value + 1, low=value + 0.9, high=value + 1.2)
        for student, _ in STUDENTS[:2]
        for method, value in (("star1", 6.0), ("safechain", 2.0), ("thinksafe", 0.5))
        for metric in ("perplexity", "perplexity:harmful")
    ]
    table = str(tmp_path / "figure8.csv")
    write_csv(table, ["student", "method", "metric", "value", "low", "high"], rows)
    names = [(name, name) for name in ("star1", "safechain", "thinksafe")]
    drawn = twice(tmp_path, "figure8", plot_perplexity, table, {"students": STUDENTS, "methods": names})
    assert len(drawn[0]) > 10_000
