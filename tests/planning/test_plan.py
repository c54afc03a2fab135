"""How many prompts a plan counts: the paper's own, those of a user's file, or an unknown number."""

import json
from pathlib import Path

import pytest
import yaml

from thinksafe.config import settings
from thinksafe.errors import UserError
from thinksafe.intervals import Estimate, average, clustered, wilson
from thinksafe.planning import dag
from thinksafe.planning.cost import CostModel
from thinksafe.planning.dag import Job
from thinksafe.planning.plan import prompts_of
from thinksafe.planning.precision import widths

PAPER = Path(__file__).parents[2] / "config/config.yaml"


def counted(folder, harmful):
    (folder / "mine.yaml").write_text(yaml.safe_dump({"prompts": {"harmful": harmful}}))
    config = settings.load([PAPER, folder / "mine.yaml"])
    return prompts_of(config)["harmful"]


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Return a folder with 30 prompts of the user's, and the config that describes them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").symlink_to(PAPER.parent)
    labels = ["vanilla_harmful"] * 20 + ["vanilla_benign"] * 10
    mine = [{"text": f"prompt {n}", "label": label} for n, label in enumerate(labels)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mine))
    return tmp_path, {"source": {"file": "mine.jsonl"}, "columns": {"prompt": "text"}}


def test_a_file_has_as_many_prompts_as_the_job_finds_in_it(rows):
    folder, mine = rows
    assert counted(folder, mine | {"where": None}) == 30
    assert counted(folder, mine | {"where": {"label": ["vanilla_harmful"]}}) == 20
    assert counted(folder, mine | {"where": None, "take": 7}) == 7
    assert counted(folder, mine | {"where": None, "approx_rows": 25}) == 25
    with pytest.raises(UserError, match="prompts.harmful: .*no column"):
        counted(folder, mine | {"where": {"kind": ["a"]}})


def test_what_the_paper_says_of_its_prompts_is_about_its_prompts(rows):
    folder, _ = rows
    assert counted(folder, {}) == 17_888
    assert counted(folder, {"source": {"file": "mine.jsonl"}}) == 17_888
    assert counted(folder, {"source": {"hub": "my/prompts", "split": "train"}, "where": None}) == 0  # told as unknown
    assert counted(folder, {"source_rows": 36}) == 0


def test_a_config_that_is_wrong_is_told_in_words(tmp_path):
    (tmp_path / "mine.yaml").write_text("steering: {mine: text}")
    with pytest.raises(UserError, match="config: steering: .*steerings"):
        dag.settings_of(dag.Overlay([tmp_path / "mine.yaml"]))


def test_one_gpu_is_affordable_and_fits():
    """Under 10 H100-hours; on 24 GB the guard's weights and the cache of its longest prompt leave room."""
    config = settings.load([PAPER, PAPER.parent / "one-gpu.yaml"])
    assert {entry.asked for entry in config.benchmarks.values()} == {301, 157, 400, 125, 30, 220, 99}
    model = CostModel(config, prompts_of(config), "rtx-4090")
    cache = {name: guard.max_prompt_tokens * 2 * 2 * 32 * 8 * 128 for name, guard in config.guards.items()}
    assert all(2 * model.assumed["guard"] + size < 0.9 * model.assumed["device"]["memory"] for size in cache.values())
    assert max(decoding.max_tokens for _, decoding in config.sampling) == 32768
    for device, most in (("h100", 36_000), ("rtx-4090", 100_000)):
        model = CostModel(config, prompts_of(config), device)
        raw = {"student": "qwen3-0.6b", "replicate": "0"}
        jobs = [
            Job("sample_answers", raw | {"method": method, "benchmark": name}, 1, {}, (), (), True, "")
            for name in config.select.benchmarks
            for method in config.select.methods
        ]
        assert sum(model.seconds(job).value for job in jobs) < 0.8 * most


@pytest.mark.parametrize(("items", "samples"), [(30, 1), (200, 4), (500, 8)])
def test_intervals_are_as_wide_as_planned(items, samples):
    """Between those of problems that are always right or wrong and those of independent answers."""
    more = {"benchmarks": {"gsm8k": {"take": items, "samples": samples}}}
    config = settings.validate(settings.merge([settings.read(PAPER), more]))
    planned = {row["column"]: row for row in widths(config, config.select.benchmarks)}
    row = planned["gsm8k"]
    assert (row["items"], row["of"], row["samples"]) == (items, 1319, samples)
    always = clustered([samples] * (items // 2) + [0] * (items // 2), samples)
    assert row["high"] == pytest.approx((always.high - always.low) / 2, rel=0.06)
    free = wilson(items * samples // 2, items * samples)
    assert row["low"] == pytest.approx((free.high - free.low) / 2, rel=1e-6)
    parts = [Estimate(50, 50 - part["high"], 50 + part["high"], 1) for part in planned.values() if "items" in part][4:]
    assert planned["reasoning_avg"]["high"] == pytest.approx(average(parts).high - 50)
    assert "reasoning_avg" not in {row["column"] for row in widths(config, ["aime24", "gsm8k"])}
