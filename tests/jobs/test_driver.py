"""What a run checks and writes when it starts."""

import json
import logging
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import Log, OutputFiles, Params

from thinksafe.errors import UserError
from thinksafe.jobs import driver


def job(rule, wildcards, environment="{}", **outputs):
    params = Params(fromdict={"spec": json.dumps({"rule": rule}), "environment": environment})
    return SimpleNamespace(
        rule=SimpleNamespace(name=rule),
        wildcards=list(wildcards.values()),
        wildcards_dict=wildcards,
        params=params,
        output=OutputFiles(fromdict=outputs),
        log=Log(fromdict={"log": f"logs/{rule}.log"}),
    )


def test_a_source_without_a_commit_stops_the_run():
    jobs = [job("prepare_prompts", {}), job("fetch", {})]
    driver.check_pins(jobs, lambda spec: [], "config/hub.lock.json")
    with pytest.raises(UserError, match="^org/a, org/b: taken .* writes them to config/hub.lock.json"):
        driver.check_pins(jobs, lambda spec: ["org/b", "org/a"] if "prepare" in spec else [], "config/hub.lock.json")


def test_another_version_stops_the_run_before_submission(monkeypatch):
    monkeypatch.delenv("THINKSAFE_ANY_VERSION", raising=False)
    with pytest.raises(UserError, match="numpy 0.1 is pinned, .*--sdm conda"):
        driver.check_versions([job("write_table3", {}, '{"numpy": "0.1"}')])


def test_the_plan_lists_each_job_that_has_an_identity(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = job("other_score_safety", {"student": "s", "benchmark": "xstest"}, identity="a.identity.json")
    driver.write_plan([made, job("all", {})], "mine", "other_", local=False)
    plan = json.loads((tmp_path / ".snakemake/thinksafe/mine.json").read_text())
    assert (plan["run"], plan["elsewhere"], len(plan["jobs"])) == ("mine", True, 1)
    assert plan["jobs"][0] == {
        "rule": "score_safety",
        "title": "other score safety s xstest",
        "wildcards": {"student": "s", "benchmark": "xstest"},
        "identity": "a.identity.json",
        "log": "logs/other_score_safety.log",
    }


@pytest.mark.parametrize("local", [True, False])
def test_what_jobs_print_themselves_is_not_logged_twice(local, monkeypatch):
    logger = logging.getLogger("snakemake.logging")
    monkeypatch.setattr(logger, "filters", [])
    workflow = SimpleNamespace(local_exec=True)  # as it seems while rules are read
    driver.shorten_log(workflow)
    workflow.local_exec = local

    def shown(message, event=None):
        record = logging.LogRecord("snakemake.logging", logging.INFO, "", 0, message, None, None)
        record.event = event
        return bool(logger.filter(record))

    assert shown("x", "job_error") and shown("Building DAG of jobs...")
    assert shown("x", SimpleNamespace(value="job_info")) is not local
    assert shown("Select jobs to execute...") is not local
