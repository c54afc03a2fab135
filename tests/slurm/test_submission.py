"""Other ways of submitting that the profile names: shards as an array, and partitions chosen by their limits."""

import re

import pytest

from tests.slurm.driver import Driver
from thinksafe.files import read_rows

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1500)]

SMOKE = ("--configfile", "config/smoke.yaml")
PARTS = "results/smoke/responses/qwen3-mini/steered-by/prefix/draws-1/replicate-0/harmful/part-{}.parquet"


def test_shards_as_an_array_are_the_rows_of_one_job(cluster, copy_of_run):
    whole = read_rows(copy_of_run / PARTS.format(0))
    parts = [PARTS.format(part) for part in (0, 1)]
    array = ("--slurm-array-jobs", "sample_responses", "--config", "shards={data: 2}")
    driver = Driver(copy_of_run, cluster, *SMOKE, *array, "--", *parts)
    told = driver.finish()
    job = re.search(r"array job .* SLURM job ID (\d+)", told)[1]
    tasks = cluster.ask("sacct", "-X", "-n", "-P", "-j", job, "-o", "JobID,State,Partition,AllocTRES%100").splitlines()
    assert [task.split("|")[:3] for task in tasks] == [[f"{job}_{n}", "COMPLETED", "h100"] for n in (1, 2)]
    assert all("gres/gpu:h100=1" in task for task in tasks)
    rows = read_rows([str(copy_of_run / part) for part in parts])
    assert sorted((row["id"], row["response"], row["seed"]) for row in rows) == sorted(
        (row["id"], row["response"], row["seed"]) for row in whole
    )


def test_partitions_are_chosen_by_their_limits(cluster, copy_of_run):
    """As the comment in the profile says: the file named, and no partition given."""
    path = copy_of_run / "profiles/slurm/config.yaml"
    text = path.read_text(encoding="utf-8").replace("# slurm-partition-config:", "slurm-partition-config:")
    path.write_text(
        "".join(line for line in text.splitlines(True) if "  slurm_partition:" not in line), encoding="utf-8"
    )
    changed = ("--config", "seeds={data: 7}")
    score = "results/smoke/scores/reasoning/qwen3-mini/trained-with/initial/replicate-0/on/gsm8k.json"
    (copy_of_run / score).unlink()
    driver = Driver(copy_of_run, cluster, *SMOKE, *changed, "--", PARTS.format(0), score)
    jobs = re.findall(r"submitted with SLURM jobid (\d+)", driver.finish())
    lines = cluster.ask(
        "sacct", "-X", "-n", "-P", "-j", ",".join(jobs), "-o", "Comment%60,State,Partition"
    ).splitlines()
    seen = {line.split("|")[0].split("_wildcards")[0]: tuple(line.split("|")[1:]) for line in lines}
    assert {name: facts for name, facts in seen.items() if "sample" in name}.popitem()[1] == ("COMPLETED", "h100")
    assert {name: facts for name, facts in seen.items() if "score" in name}.popitem()[1] == ("COMPLETED", "cpu")
