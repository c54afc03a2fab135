"""Why jobs would run again: the leaf of the config, the module, the version or the file that has changed."""

from dataclasses import replace

import pytest

from thinksafe.config import settings
from thinksafe.planning.cost import CostModel
from thinksafe.planning.dag import Job, ordered
from thinksafe.planning.explain import causes, difference, explain, kind_of, render
from thinksafe.provenance.digests import canonical

PARAMS = {"spec": canonical({"rows": 8}), "code": canonical({"files": "0" * 16}), "environment": canonical({})}


def job(rule: str, inputs: tuple[str, ...], output: str, reason: str = "", recorded: tuple[str, ...] = ()) -> Job:
    """Return a job that is stale where there is a reason."""
    return Job(rule, {"student": "qwen3-0.6b"}, 0, PARAMS, inputs, (output,), bool(reason), reason, recorded)


def test_a_change_is_named_by_leaf_module_and_version() -> None:
    before, after = {"lora": {"rank": 32, "alpha": 64}, "seeds": [1]}, {"lora": {"rank": 16, "alpha": 64}, "seeds": [2]}
    assert difference("spec", before, after) == ["config: lora.rank: 32 -> 16", "config: seeds: [1] -> [2]"]
    assert difference("code", {"files": "a", "gone": "b"}, {"files": "c", "seeds": "d"}) == [
        "code: thinksafe/files.py changed",
        "code: gone no longer runs",
        "code: thinksafe/seeds.py runs now",
    ]
    assert difference("environment", {"numpy": "2.4"}, {}) == ['environment: numpy: "2.4" -> nothing']
    (line,) = difference("spec", {"text": "x" * 100}, {"text": "y"})
    assert line == f'config: text: "{"x" * 29}...{"x" * 29}" -> "y"'


def test_the_kind_of_a_recorded_param_is_recognized() -> None:
    assert kind_of({"train_student": "0123456789abcdef"}) == "code"
    assert kind_of({"numpy": "2.4"}) == kind_of({}) == "environment"
    assert kind_of({"a": 1}) == "spec"


def test_a_job_without_versions_says_what_changed_in_its_spec() -> None:
    """Its empty environment takes the place of no other param: prompts of a file, and then of the hub."""
    before = {"spec": {"source": {"file": "a.csv"}}, "environment": {}}
    after = {"spec": {"source": {"hub": "x/y"}}, "environment": {"datasets": "3.1"}}
    for old, new in ((before, after), (after, before)):
        recorded = tuple(sorted(repr(canonical(old[name])) for name in ("spec", "environment")))
        params = {name: canonical(value) for name, value in new.items()}
        one = Job("prepare_prompts", {}, 0, params, (), (), True, "Params have changed", recorded)
        assert len(lines := causes(one)) == 3
        assert {line.split()[0] + line.split()[1] for line in lines} == {
            *("config:source.file:", "config:source.hub:", "environment:datasets:")
        }


def test_a_file_counts_as_a_cause_if_no_stale_job_makes_it() -> None:
    first = job("prepare_prompts", ("mine.csv",), "a", "Updated input files: mine.csv; more")
    second = job("train_student", ("a", "b"), "c", "Updated input files: a, b")
    ordered([first, second])
    assert causes(first) == ["input: mine.csv has other content"]
    assert causes(second) == ["input: b has other content"]
    assert causes(replace(first, reason="", other_inputs=True)) == ["inputs: another set of files"]
    assert causes(replace(first, reason="Incomplete files")) == ["an earlier run was stopped while it was made"]


@pytest.fixture(scope="module")
def model() -> CostModel:
    return CostModel(settings.load(["config/config.yaml"]), {"harmful": 10, "benign": 10})


def test_a_reason_lists_what_it_makes_stale_and_what_follows(model: CostModel) -> None:
    scores = [
        job("score_safety", ("answers",), f"scores/{n}.json", "Params have changed", (repr(canonical({"rows": 4})),))
        for n in range(2)
    ]
    table = job("write_main_table", ("scores/0.json", "scores/1.json"), "tables/table1.csv", "Input files updated by")
    figure = job("plot_gains", (), "figures/figure11.png", "Missing output files: figures/figure11.png")
    fresh = job("write_lengths", (), "tables/lengths.csv")
    found = explain(ordered([*scores, table, figure, fresh]), model, 8)
    reach = {"jobs": 3, "cells": 2, "results": ["table1"]}
    assert found["reasons"] == [{"reason": "config: rows: 4 -> 8", "rules": {"score_safety": 2}, "reaches": reach}]
    assert (found["jobs"], found["stale"]) == (5, 4)
    assert (found["not_made"], found["follow"]) == ({"plot_gains": 1}, {"write_main_table": 1})
    lines = render(found)
    assert lines[0] == "4 of 5 jobs would run"
    assert "    by itself: 2 score_safety" in lines and "made from those: 1 write_main_table" in lines
    assert "in all: 4 jobs, 2 cells; figure11, table1" in lines
    assert render(explain([fresh], model, 8)) == ["nothing is stale: all of 1 jobs are up to date"]
