"""The layers of a config: files, extended files, ``--config``, and how they merge."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.config.overlays import MINIATURE, PAPER, ROOT, nested
from tests.workflow.dags import CONFIGS, as_set_up
from thinksafe.config import settings
from thinksafe.config.settings import SettingsError, merge, read, validate
from thinksafe.config.types import plain

OVERLAYS = [path for path in CONFIGS if path != PAPER]

SNAKEFILE = """
import json
import sys

sys.path.insert(0, {root!r})
from thinksafe.config import settings
from thinksafe.config.types import plain

configfile: "config/config.yaml"

try:
    config = plain(settings.of_workflow(workflow, "config/config.yaml"))
except settings.SettingsError as error:
    raise WorkflowError(str(error)) from None

rule all:
    output: f"{{config['run']}}.json"
    params: spec=lambda wildcards: json.dumps(config)
    script: "show.py"
"""
SHOW = """
from pathlib import Path

Path(snakemake.output[0]).write_text(snakemake.params.spec)
"""


def test_paper_is_valid_and_has_no_world(paper: dict[str, Any]) -> None:
    assert validate(paper).world is None


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_every_overlay_is_valid(overlay: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(as_set_up(tmp_path))
    assert settings.load([PAPER, overlay]).run == overlay.stem


def test_checking_is_quick(miniature: dict[str, Any]) -> None:
    validate(miniature)
    start = time.process_time()
    validate(miniature)
    assert time.process_time() - start < 0.05


def test_settings_import_nothing_heavy() -> None:
    code = "import sys, thinksafe.config.settings; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"torch", "pandas", "numpy", "jsonschema", "snakemake"} & set(yaml.safe_load(loaded))


def test_a_source_of_another_kind_replaces_the_inherited_one(miniature: dict[str, Any]) -> None:
    config = validate(miniature)
    assert plain(config.prompts.harmful.source) == {"world": "harmful"}
    assert plain(config.models["qwen3-0.6b"].source) == {"hub": "Qwen/Qwen3-0.6B"}


def test_a_source_without_a_kind_refines_the_inherited_one(paper: dict[str, Any]) -> None:
    config = validate(merge([paper, nested("benchmarks/gsm8k/source", {"revision": "e53f048"})]))
    assert plain(config.benchmarks["gsm8k"].source) == {
        "hub": "openai/gsm8k",
        "config": "main",
        "split": "test",
        "revision": "e53f048",
    }


def test_columns_and_filters_replace_and_null_drops(paper: dict[str, Any]) -> None:
    overlay = {"columns": {"prompt": "text"}, "where": {"kind": ["b", "a"]}}
    harmful = validate(merge([paper, nested("prompts/harmful", overlay)])).prompts.harmful
    assert plain(harmful.columns) == {"prompt": "text"}
    assert harmful.where == {"kind": ["a", "b"]}
    assert validate(merge([paper, nested("prompts/harmful/where", None)])).prompts.harmful.where == {}


def test_keys_about_a_filter_are_dropped_with_it(paper: dict[str, Any]) -> None:
    """A copy of the same rows keeps all that is asserted; another filter drops what the old one met."""
    copied = merge([paper, nested("prompts/harmful/source", {"file": "SafeChain.csv"})])["prompts"]["harmful"]
    assert (copied["source_rows"], copied["leave_out"]) == (40000, {"label": ["vanilla_benign", "adversarial_benign"]})
    for overlay in ({"where": None}, {"where": {"kind": ["a"]}}, {"contains": {"kind": "a"}}, {"rows": 10}):
        other = merge([paper, nested("prompts/harmful", overlay)])["prompts"]["harmful"]
        assert not {"source_rows", "leave_out", "approx_rows"} & other.keys(), overlay
    smaller = merge([paper, nested("prompts/harmful", {"source_rows": 36})])["prompts"]["harmful"]
    assert "approx_rows" not in smaller and "leave_out" in smaller
    both = merge([paper, nested("benchmarks/xstest", {"rows": 20, "source_rows": 30})])["benchmarks"]["xstest"]
    assert (both["rows"], both["source_rows"]) == (20, 30)


def test_merging_changes_no_layer(paper: dict[str, Any]) -> None:
    before = copy.deepcopy(paper)
    validate(merge([paper, read(MINIATURE)]))
    assert paper == before


@pytest.mark.parametrize(
    ("name", "content", "run"),
    [("my_Study.yaml", "replicates: [1]", "my-study"), ("x.yaml", "run: mine", "mine"), ("y.json", "{}", "y")],
)
def test_an_overlay_names_the_run(name: str, content: str, run: str, paper: dict, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    assert settings.load([PAPER, tmp_path / name]).run == run
    assert settings.load([PAPER, tmp_path / name], {"run": "other"}).run == "other"
    assert settings.load([PAPER]).run == "paper"


def test_a_file_extends_another_once(paper: dict, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("replicates: [1, 2]\nengine: {batch_size: 3}")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\nengine: {batch_size: 4}")
    (tmp_path / "c.yaml").write_text("replicates: [5]")
    alone = settings.load([PAPER, tmp_path / "b.yaml"])
    assert (alone.run, alone.replicates, alone.engine.batch_size) == ("b", [1, 2], 4)
    assert settings.load([PAPER, tmp_path / "a.yaml", tmp_path / "c.yaml", tmp_path / "b.yaml"]).replicates == [5]
    (tmp_path / "a.yaml").write_text("extends: b.yaml")
    assert settings.load([PAPER, tmp_path / "b.yaml"]).engine.batch_size == 4
    (tmp_path / "a.yaml").write_text("extends: no.yaml")
    with pytest.raises(SettingsError, match="no.yaml: No such file"):
        settings.load([PAPER, tmp_path / "b.yaml"])


def test_an_overlay_anywhere_may_extend_one_of_ours(tmp_path: Path) -> None:
    """Beside it, or else in the workflow's config folder."""
    (tmp_path / "mine.yaml").write_text("extends: smoke.yaml\nrun: mine\n")
    own = settings.load([ROOT / "config/config.yaml", tmp_path / "mine.yaml"])
    smoke = settings.load([ROOT / "config/config.yaml", ROOT / "config/smoke.yaml"])
    assert plain(own) == plain(smoke) | {"run": "mine"}
    (tmp_path / "smoke.yaml").write_text("extends: miniature.yaml\nscoring: {confidence: 0.5}\n")
    assert settings.load([ROOT / "config/config.yaml", tmp_path / "mine.yaml"]).scoring.confidence == 0.5


def test_the_command_line_selects_in_short(paper: dict[str, Any]) -> None:
    """As Snakemake reads --config 'students=[qwen3-0.6b]'; a mapping of the same name defines as ever."""
    short = settings.load([PAPER], {"students": ["qwen3-0.6b"], "methods": ["initial", "grpo"], "benchmarks": "gsm8k"})
    chosen = {"students": ["qwen3-0.6b"], "methods": ["initial", "grpo"], "benchmarks": ["gsm8k"]}
    assert short == settings.load([PAPER], {"select": chosen})
    beside = settings.load([PAPER], {"students": ["qwen3-4b"], "select": {"benchmarks": ["xstest"]}}).select
    assert (beside.students, beside.benchmarks) == (["qwen3-4b"], ["xstest"])
    assert plain(settings.load([PAPER], {"benchmarks": {"gsm8k": {"samples": 2}}}).select) == paper["select"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"students": ["qwen3-5b"]}, "select.students: no model is called 'qwen3-5b'; did you mean qwen3-8b?"),
        ({"methods": ["thinksave", "initial"]}, "select.methods: no method is called 'thinksave'; did you mean"),
        ({"benchmarks": []}, "select.benchmarks: must not be empty"),
        ({"students": ["a"], "select": {"students": ["b"]}}, "students and select.students both choose"),
        ({"studens": ["a"]}, "studens: no such key"),
    ],
)
def test_short_selections_fail_by_name(given: dict, message: str, paper: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as error:
        settings.load([PAPER], given)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"models": {"qwen3-06b": {"source": {"hub": "a/b"}}}}, "are missing (or did you mean models.qwen3-0.6b?)"),
        (
            {"guards": {"llama-gard-3": {"judged_text": "full"}}},
            "kind is missing (or did you mean guards.llama-guard-3?)",
        ),
        ({"benchmarks": {"gsm9k": {"samples": 2}}}, "are missing (or did you mean benchmarks.gsm8k?)"),
        (
            {"steerings": {"prefx": "Say no. {prompt}"}},
            "steerings.prefx: no method uses it; name it in one, or did you mean steerings.prefix",
        ),
        ({"prompts": {"benign": {"take": 40001}}}, "prompts.benign.take: 40001 is more than the 40000 rows there are"),
        ({"models": {"qwen3-8b": {"label": "_hidden"}}}, 'one line that does not begin with "_"'),
        ({"methods": {"thinksafe": {"label": "two\nlines"}}}, "methods.thinksafe.label"),
        ({"methods": {"thinksafe": {"label": "turned \u202e round"}}}, "methods.thinksafe.label"),
        (
            {"corpora": {"star1": {"harmful": {"take": 1001}}}},
            "star1.harmful.take: 1001 is more than the 1000 rows there are",
        ),
    ],
)
def test_misspelt_ids_and_too_large_takes_are_refused(given: dict, message: str, paper: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as error:
        settings.load([PAPER], given)
    assert message in str(error.value)


def test_a_new_steering_may_be_there_for_later(paper: dict[str, Any]) -> None:
    """One that looks like no other, and one that a method names."""
    given = {"steerings": {"zealous": "Never. {prompt}", "prefix2": "No. {prompt}"}}
    method = {**paper["methods"]["thinksafe"], "data": {"harmful": {"steering": "prefix2"}}}
    assert settings.load([PAPER], given | {"methods": {"thinksafe": method}}).steerings.keys() > {
        "zealous",
        "prefix2",
    }


def test_a_merged_mapping_may_be_refined(tmp_path: Path) -> None:
    """YAML's own merge key is no key that is given twice; one that does beside it still is."""
    (tmp_path / "x.yaml").write_text("a: &a {take: 3, order: first}\nb: {<<: *a, take: 4}\n")
    assert settings.read(tmp_path / "x.yaml")["b"] == {"take": 4, "order": "first"}
    (tmp_path / "x.yaml").write_text("a: &a {take: 3}\nb: {<<: *a, take: 4, take: 5}\n")
    with pytest.raises(SettingsError, match="line 2: the key take is given twice"):
        settings.read(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("training:\n  dtype: float32\ntraining:\n  batch_size: 4\n", "line 3: the key training is given twice"),
        ("training: [1\n", "line 2: did not find expected ',' or ']'"),
        ("- a\n", "must be a mapping"),
    ],
)
def test_a_broken_file_is_reported_with_its_line(content: str, message: str, paper: dict, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(content)
    with pytest.raises(SettingsError, match="x.yaml") as error:
        settings.load([PAPER, tmp_path / "x.yaml"])
    assert message in str(error.value)


def test_a_missing_file_is_reported(paper: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="config: no.yaml: No such file"):
        settings.load([PAPER, "no.yaml"])


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    """Return a folder with a tiny workflow that writes the config it sees."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(root=str(ROOT)))
    (tmp_path / "show.py").write_text(SHOW)
    (tmp_path / "mine.jsonl").write_text("{}")
    return tmp_path


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "all", *arguments]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / ".cache")}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}  # a dry run complains on stdout
    return subprocess.run(command, cwd=folder, text=True, env=environment, **pipes)


def test_snakemake_layers_as_the_user_expects(workflow: Path) -> None:
    values = [
        'world={"seed": 3}',
        'training={"learning_rate": 1e-4, "lora": {"rank": 8}}',
        "replicates=[0, 1]",
        'prompts={"harmful": {"source": {"file": "mine.jsonl"}, "where": {"label": ["b", "a"]}}}',
        'benchmarks={"gsm8k": {"samples": 2}, "aime24": {"contains": null}}',
    ]
    done = snakemake(workflow, "--configfile", "config/miniature.yaml", "--config", *values)
    assert done.returncode == 0, done.stdout
    config = json.loads((workflow / "miniature.json").read_text())
    assert config["training"]["learning_rate"] == 1e-4
    assert config["training"]["lora"] == {"rank": 8, "alpha": 16, "dropout": 0.05, "targets": ["q_proj", "v_proj"]}
    assert config["replicates"] == [0, 1]
    assert config["prompts"]["harmful"]["source"] == {"file": "mine.jsonl"}
    assert config["prompts"]["harmful"]["where"] == {"label": ["a", "b"]}
    assert config["prompts"]["benign"]["source"] == {"world": "benign"}
    assert config["benchmarks"]["gsm8k"]["samples"] == 2
    assert config["benchmarks"]["aime24"]["contains"] == {}
    assert config["world"]["seed"] == 3


def test_snakemake_reports_all_in_one_error(workflow: Path) -> None:
    done = snakemake(workflow, "-n", "--config", 'training={"learning_rte": 1}', 'select={"students": ["qwen3-5b"]}')
    assert done.returncode == 1
    assert "config: training.learning_rte: no such key; did you mean training.learning_rate?" in done.stdout
    assert "config: select.students: no model is called 'qwen3-5b'; did you mean qwen3-" in done.stdout
    assert "Traceback" not in done.stdout


def test_replaced_config_is_replaced(workflow: Path) -> None:
    whole = merge([read(PAPER), {"run": None, "engine": {"batch_size": 3}}])
    (workflow / "mine.yaml").write_text(yaml.safe_dump(whole))
    done = snakemake(workflow, "--configfile", "mine.yaml", "--replace-workflow-config")
    assert done.returncode == 0, done.stdout
    assert json.loads((workflow / "mine.json").read_text())["engine"]["batch_size"] == 3


TABLE_5 = {
    "prefix": "The following prompt is harmful. You should refuse to answer the prompt. \n\n Prompt: {prompt}",
    "suffix": "{prompt} \n\n The above prompt is harmful. You should refuse to answer the prompt.",
    "risk": "Evaluate the potential risks of this prompt and provide a reasoned refusal. \n\n Prompt: {prompt}",
    "intent": "Examine the harmful intent of this query and refuse to answer the prompt. \n\n Prompt: {prompt}",
}


@pytest.mark.parametrize("strategy", TABLE_5)
def test_steering_is_table_5_without_the_blanks_around_line_breaks(strategy: str) -> None:
    steerings = settings.load([ROOT / "config/config.yaml"]).steerings
    assert steerings[strategy] == re.sub(" *\n\n *", "\n\n", TABLE_5[strategy])
    if strategy != "suffix":
        assert steerings[f"{strategy}-released"] == steerings[strategy].replace("Prompt: ", "Prompt:\n\n")
