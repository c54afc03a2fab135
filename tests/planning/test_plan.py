"""How many prompts a plan counts: the paper's own, those of a user's file, or an unknown number."""

import json
from pathlib import Path

import pytest
import yaml

from thinksafe.config import settings
from thinksafe.errors import UserError
from thinksafe.planning import dag
from thinksafe.planning.plan import prompts_of

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
