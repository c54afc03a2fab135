"""The config: its layers, its types, and what it refuses before any job starts."""

from __future__ import annotations

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

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from tests.workflow.dags import CONFIGS
from thinksafe.config import settings
from thinksafe.config.problems import problems_of
from thinksafe.config.settings import SettingsError, merge, read, validate
from thinksafe.config.types import Config, plain

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "config/config.yaml"
RELEASED = {"source": {"hub": "their/set", "split": "train"}, "columns": {"prompt": "q", "response": "a"}}
MINIATURE = ROOT / "config/miniature.yaml"
OVERLAYS = [path for path in CONFIGS if path != PAPER]
SCHEMA = read(ROOT / "config/config.schema.yaml")

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


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the paper's config as it is written."""
    monkeypatch.chdir(ROOT)
    return read(PAPER)


@pytest.fixture
def miniature(paper: dict[str, Any]) -> dict[str, Any]:
    """Return the paper's config under the miniature's."""
    return merge([paper, read(MINIATURE)])


def problems(config: dict[str, Any], *overlays: dict[str, Any]) -> list[str]:
    """Return what is wrong with ``config`` under ``overlays``, a line each."""
    try:
        validate(merge([config, *overlays]))
    except SettingsError as error:
        return str(error).splitlines()
    return []


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return an overlay that sets one key."""
    for key in reversed(path.split("/")):
        value = {key: value}
    return value


# ---------------------------------------------------------------- what is committed


def test_paper_is_valid_and_has_no_world(paper: dict[str, Any]) -> None:
    assert validate(paper).world is None


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_every_overlay_is_valid(overlay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert settings.load([PAPER, overlay]).run == overlay.stem


def test_paper_holds_every_key_but_the_worlds(paper: dict[str, Any]) -> None:
    assert set(SCHEMA["properties"]) - set(paper) == {"world"}


def test_schema_is_that_of_the_types() -> None:
    command = [sys.executable, "-m", "thinksafe.config.types"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / "config/config.schema.yaml").read_text(), "make it again: its first line says how"


def test_schema_is_a_schema_and_closed_and_described() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    definitions = SCHEMA["$defs"]

    def walk(part: dict[str, Any], path: str) -> None:
        target = definitions[part["$ref"].removeprefix("#/$defs/")] if "$ref" in part else {}
        whole = {**target, **part}
        if whole.get("type") == "object":
            assert "additionalProperties" in whole, f"{path} is open"
        for key, child in whole.get("properties", {}).items():
            described = "description" in {**definitions.get(child.get("$ref", "")[8:], {}), **child}
            assert described, f"{path}.{key} is not described"
            walk(child, f"{path}.{key}")
        for keyword in ("additionalProperties", "items"):
            if isinstance(whole.get(keyword), dict):
                walk(whole[keyword], f"{path}[]")

    walk(SCHEMA, "")


def test_checking_is_quick(miniature: dict[str, Any]) -> None:
    validate(miniature)
    start = time.process_time()
    validate(miniature)
    assert time.process_time() - start < 0.05


def test_settings_import_nothing_heavy() -> None:
    code = "import sys, thinksafe.config.settings; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"torch", "pandas", "numpy", "jsonschema", "snakemake"} & set(yaml.safe_load(loaded))


# ---------------------------------------------------------------- layers


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


def test_what_is_said_about_a_filter_goes_with_it(paper: dict[str, Any]) -> None:
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


def test_the_order_of_sets_and_keys_means_nothing(paper: dict[str, Any]) -> None:
    def backwards(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: backwards(value[key]) for key in reversed(value)}
        return value

    turned = backwards(paper)
    turned["training"]["lora"]["targets"].reverse()
    turned["prompts"]["harmful"]["where"]["label"].reverse()
    assert validate(turned) == validate(paper)


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
        ({"prompts": {"benign": {"take": 40001}}}, "prompts.benign.take: 40001 are asked for and there are 40000"),
        ({"models": {"qwen3-8b": {"label": "_hidden"}}}, 'one line that does not begin with "_"'),
        ({"methods": {"thinksafe": {"label": "two\nlines"}}}, "methods.thinksafe.label"),
        ({"methods": {"thinksafe": {"label": "turned \u202e round"}}}, "methods.thinksafe.label"),
        (
            {"corpora": {"star1": {"harmful": {"take": 1001}}}},
            "star1.harmful.take: 1001 are asked for and there are 1000",
        ),
    ],
)
def test_misspelt_ids_and_too_large_takes_are_told_at_once(given: dict, message: str, paper: dict[str, Any]) -> None:
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
    """YAML's own merge key is no key that stands twice; one that does beside it still is."""
    (tmp_path / "x.yaml").write_text("a: &a {take: 3, order: first}\nb: {<<: *a, take: 4}\n")
    assert settings.read(tmp_path / "x.yaml")["b"] == {"take": 4, "order": "first"}
    (tmp_path / "x.yaml").write_text("a: &a {take: 3}\nb: {<<: *a, take: 4, take: 5}\n")
    with pytest.raises(SettingsError, match="line 2: the key take stands twice"):
        settings.read(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("training:\n  dtype: float32\ntraining:\n  batch_size: 4\n", "line 3: the key training stands twice"),
        ("training: [1\n", "line 2: did not find expected ',' or ']'"),
        ("- a\n", "must be a mapping"),
    ],
)
def test_a_broken_file_is_told_with_its_line(content: str, message: str, paper: dict, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(content)
    with pytest.raises(SettingsError, match="x.yaml") as error:
        settings.load([PAPER, tmp_path / "x.yaml"])
    assert message in str(error.value)


def test_a_missing_file_is_told(paper: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="config: no.yaml: No such file"):
        settings.load([PAPER, "no.yaml"])


# ---------------------------------------------------------------- types


@pytest.mark.parametrize(
    ("path", "given", "typed"),
    [
        ("training/learning_rate", "1e-5", 1e-5),
        ("training/learning_rate", 1, 1.0),
        ("training/batch_size", "16", 16),
        ("training/batch_size", 16.0, 16),
        ("training/max_tokens", "1e3", 1000),
        ("replicates", ["1", "0"], [0, 1]),
        ("run", 7, "7"),
        ("benchmarks/aime24/contains", {"url": 2024}, {"url": "2024"}),
    ],
)
def test_values_take_the_schemas_type(path: str, given: Any, typed: Any, paper: dict[str, Any]) -> None:
    value: Any = plain(validate(merge([paper, nested(path, given)])))
    for key in path.split("/"):
        value = value[key]
    assert (value, type(value)) == (typed, type(typed))


def test_words_become_booleans_and_nothing_else_does(paper: dict[str, Any]) -> None:
    for given, typed in (("true", True), ("False", False), ("on", True), (True, True)):
        assert validate(merge([paper, nested("report/public", given)])).report.public is typed
    found = problems(paper, nested("report/public", "perhaps"))
    assert found == ["config: report.public: must be true or false, not 'perhaps'"]


def test_the_types_agree_with_the_schema(paper: dict[str, Any]) -> None:
    """Every key set to every odd value: what we take must satisfy jsonschema, what we refuse must not."""
    keep = {
        "models": ["qwen3-0.6b"],
        "guards": ["wildguard"],
        "methods": ["initial", "rejection"],
        "corpora": ["safekey"],
        "benchmarks": ["harmbench", "gpqa"],
    }
    small = {**paper, **{key: {name: paper[key][name] for name in names} for key, names in keep.items()}}
    numbers: list[Any] = [-1, 0, 1, 1.5, 10**6]
    odd = [None, True, "x", "3", "1e-5", "UPPER CASE", *numbers, [], [1, 1], ["a", "a"], ["a"], {}, {"a": 1}]
    oracle = jsonschema.Draft202012Validator(SCHEMA)
    accepted = refused = 0
    for path in _paths(small):
        for value in odd:
            changed = copy.deepcopy(small)
            *parents, last = path
            part = changed
            for key in parents:
                part = part[key]
            part[last] = value
            given = settings.without_nulls(changed)
            try:
                result = plain(Config.model_validate(given))
            except ValidationError as error:
                refused += 1
                found, _ = problems_of(error, given)
                assert found and not oracle.is_valid(given), f"{path} = {value!r}: {found}"
            else:
                accepted += 1
                assert oracle.is_valid(result), f"{path} = {value!r}"
    assert accepted > 100 and refused > 1000


def _paths(value: Any) -> list[tuple]:
    if not isinstance(value, dict):
        return []
    return [path for key in value for path in [(key,), *((key, *rest) for rest in _paths(value[key]))]]


# ---------------------------------------------------------------- what is refused, and how it is told


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("training/learning_rte", 1e-4, "training.learning_rte: no such key; did you mean training.learning_rate?"),
        ("trainng", {}, "trainng: no such key; did you mean training?"),
        ("learning_rate", 1, "learning_rate: no such key; did you mean training.learning_rate?"),
        ("training/lora/Rank", 1, "training.lora.Rank: no such key; did you mean training.lora.rank?"),
        (
            "prompts/harmful/source",
            {"wrld": "x"},
            "no such key; did you mean prompts.harmful.source.world?",
        ),
        ("training/zzz", 1, "training.zzz: no such key; here may stand lora, learning_rate"),
        ("training/learning_rate", "quick", "training.learning_rate: must be a number, not 'quick'"),
        ("training/learning_rate", "nan", "training.learning_rate: must be a number, not 'nan'"),
        ("training/batch_size", 1.5, "training.batch_size: must be a whole number, not 1.5"),
        ("training/warmup", 1, "training.warmup: must be less than 1, not 1.0"),
        ("scoring/confidence", 95, "scoring.confidence: must be less than 1, not 95.0"),
        ("sampling/data/top_p", 0, "sampling.data.top_p: must be more than 0, not 0.0"),
        ("sampling/data/top_k", {"qwen": 3}, "sampling.data.top_k: no family is called 'qwen'; did you mean qwen3?"),
        ("sampling/data/top_k/r1", None, "sampling.data.top_k: r1 is missing"),
        ("engine/name", "vlm", "engine.name: must be one of vllm, transformers, not 'vlm'; did you mean vllm?"),
        ("shards/data", 0, "shards.data: must be at least 1, not 0"),
        ("shards/reasoning", 31, "shards.reasoning: 31 jobs for the 30 rows of aime24"),
        ("run", "My Run", "run: 'My Run' is not of the form"),
        ("replicates", [], "replicates: must not be empty"),
        ("replicates", [-1], "replicates[0]: must be at least 0, not -1"),
        ("replicates", [0, 0], "replicates: 0 stands there more than once"),
        ("replicates", 3, "replicates: must be a list such as [3], not 3"),
        ("select/students", ["qwen3-06b"], "select.students: no model is called 'qwen3-06b'; did you mean qwen3-0.6b?"),
        ("select/students", ["qwen3-4b", "qwen3-4b"], "select.students: qwen3-4b stands there more than once"),
        ("select/methods", ["initial", "thinksfe"], "no method is called 'thinksfe'; did you mean thinksafe?"),
        ("select/methods", ["thinksafe"], "select.methods: initial is missing"),
        ("select/benchmarks", ["gsm8"], "select.benchmarks: no benchmark is called 'gsm8'; did you mean gsm8k?"),
        ("audit", ["oracel"], "audit: no guard is called 'oracel'; defined are llama-guard-3, wildguard"),
        ("models/qwen3-4b/family", "qwen", "models.qwen3-4b.family: no family is called 'qwen'; did you mean qwen3?"),
        ("families/r1/table", 1, "families.qwen3.table: 1 is the table of r1 too"),
        ("methods/thinksafe/data/guard", "llama", "methods.thinksafe.data.guard: no guard is called 'llama'"),
        ("methods/thinksafe/data/harmful/steering", "prefx", "no steering is called 'prefx'; did you mean prefix?"),
        (
            "methods/thinksafe/data/harmful/samples",
            0,
            "methods.thinksafe.data.harmful.samples: must be at least 1, not 0",
        ),
        ("methods/grpo/grpo/guard", "llama", "methods.grpo.grpo.guard: no guard is called 'llama'"),
        ("methods/grpo/grpo/prompts", "filtered", "methods.grpo.grpo.prompts: filtered and the training set of"),
        ("methods/grpo/data", {"corpus": "star1"}, "methods.grpo.data: means nothing with grpo"),
        ("methods/grpo/loss", {"nll": {}}, "methods.grpo.loss: means nothing with grpo; drop it"),
        ("methods/grpo/epochs", None, "methods.grpo: epochs missing"),
        ("engine/name", "transformers", "methods.grpo.grpo.sampler: colocate needs vllm"),
        ("methods/thinksafe-kl/students", ["qwen3-06b"], "methods.thinksafe-kl.students: no model is called"),
        ("methods/star1/loss", {"kl": {"weight": 1}}, "methods.star1.loss: kl learns from harmful and benign rows"),
        ("methods/initial/epochs", 1, "methods.initial.epochs: initial is the untrained student"),
        (
            "methods/star1/data/corpus",
            "star-1",
            "methods.star1.data.corpus: no corpus is called 'star-1'; did you mean",
        ),
        (
            "methods/star1/data/guard",
            "wildguard",
            "methods.star1.data: needs exactly one of guard, corpus, base_method, not guard and",
        ),
        (
            "methods/thinksafe/data/benign",
            None,
            "methods.thinksafe.data.guard: only goes with benign, which is missing",
        ),
        ("methods/star1/loss", {"nll": {}, "primer": {"think": True}}, "needs exactly one of nll, primer, safekey"),
        (
            "methods/star1/loss",
            {"primer": {"think": True}},
            "primer learns from a corpus of format safepath, not from star1",
        ),
        ("methods/thinksafe/loss", {"primer": {"think": True}}, "of format safepath, not from responses"),
        ("methods/safepath/loss", None, "methods.safepath.loss: nll would teach to stop after the primer; say primer"),
        ("methods/safekey/loss/safekey/theta", 2, "methods.safekey.loss.safekey.theta: must be at most 1, not 2"),
        ("methods/safekey/loss/safekey/last_epochs", None, "methods.safekey.loss.safekey: last_epochs is missing"),
        ("methods/star1/training", {"lr": 1}, "methods.star1.training.lr: no such key"),
        (
            "methods/star1/original",
            {"epoch": 1},
            "original.epoch: no such key; did you mean methods.star1.original.epochs?",
        ),
        ("baseline_settings", "paper", "baseline_settings: must be one of thinksafe, original, not 'paper'"),
        ("sources", {"qwen3-06b": {}}, "sources: no model is called 'qwen3-06b'; did you mean qwen3-0.6b?"),
        (
            "sources",
            {"qwen3-0.6b": {"star1": {"harmful": RELEASED, "benign": RELEASED}}},
            "sources.qwen3-0.6b.star1: star1 samples nothing that a released set could stand in for",
        ),
        (
            "sources",
            {"qwen3-0.6b": {"thinksafe": {"harmful": RELEASED | {"columns": {"prompt": "q"}}, "benign": RELEASED}}},
            "sources.qwen3-0.6b.thinksafe.harmful.columns: needs prompt, response, and has prompt",
        ),
        (
            "sources",
            {"qwen3-0.6b": {"thinksafe": {"harmful": RELEASED}}},
            "sources.qwen3-0.6b.thinksafe: benign is missing",
        ),
        ("corpora/star1/harmful", None, "corpora.star1: has no rows; give harmful, benign, or both"),
        ("corpora/star1/thought", "Hm.", "corpora.star1.thought: means nothing for format star1; drop it"),
        ("corpora/safepath/primer", None, "corpora.safepath.primer: missing, which format safepath needs"),
        ("corpora/star1/harmful/columns", {"prompt": "q"}, "columns: star1 needs prompt, response, and has prompt"),
        (
            "corpora/safekey/harmful/columns",
            {"prompt": "q", "response": "r", "key_end": "k"},
            "safekey needs prompt, response, or these with key_end and query_end, and has key_end, prompt, response",
        ),
        (
            "corpora/star1/harmful/source",
            {"file": "no.json"},
            "corpora.star1.harmful.source.file: there is no file no.json",
        ),
        ("methods/thinksfe", {"epochs": 4}, "methods.thinksfe: label is missing"),
        ("methods/other", {"label": "x"}, "methods.other: data and epochs missing"),
        ("methods/Other", {"label": "x"}, "methods.Other: an id holds only a-z"),
        ("steerings/prefix", "Refuse.", "steerings.prefix: holds {prompt} 0 times; it must stand there exactly once"),
        ("steerings/prefix", "{prompt}{prompt}", "steerings.prefix: holds {prompt} 2 times"),
        ("benchmarks/gsm8k/template", "Solve.", "benchmarks.gsm8k.template: holds {problem} 0 times"),
        ("benchmarks/gsm8k/template", None, "benchmarks.gsm8k.template: missing, which kind reasoning needs"),
        ("benchmarks/gsm8k/guard", "wildguard", "benchmarks.gsm8k.guard: means nothing for kind reasoning"),
        ("benchmarks/gsm8k/columns", {"prompt": "q"}, "benchmarks.gsm8k.columns: needs problem with answer"),
        (
            "benchmarks/gpqa/task",
            "math500",
            "benchmarks.gpqa.columns: choices are asked for by letter, not by task math500",
        ),
        ("benchmarks/xstest/guard", "llama-guard-3", "a llama-guard guard tells no refusal; take one of wildguard"),
        ("guards/wildguard/format", None, "guards.wildguard.format: missing; name the file"),
        ("guards/wildguard/format", "no.txt", "guards.wildguard.format: there is no file no.txt"),
        ("guards/llama-guard-3/format", "x.txt", "guards.llama-guard-3.format: only kind wildguard reads it"),
        ("models/qwen3-4b/source", {"folder": "no"}, "models.qwen3-4b.source.folder: there is no folder no"),
        ("models/qwen3-4b/source", {"built": "student"}, "models.qwen3-4b.source: needs a synthetic world"),
        (
            "models/qwen3-4b/source",
            {"hub": "a/b", "folder": "c"},
            "needs exactly one of hub, folder, built, not hub",
        ),
        ("prompts/benign/source", {"file": "no.json"}, "prompts.benign.source.file: there is no file no.json"),
        ("prompts/benign/source", {"world": "benign"}, "prompts.benign.source: needs a synthetic world"),
        ("prompts/benign/source", {"url": "https://x.org/y"}, "source.url: only goes with sha256, which is missing"),
        ("prompts/benign/where", {"label": "x"}, "prompts.benign.where.label: must be a list such as [x], not 'x'"),
        ("prompts/benign/leave_out", {"kind": ["x"]}, "prompts.benign.leave_out.kind: where has no kind"),
        (
            "prompts/benign/leave_out",
            {"label": ["vanilla_benign"]},
            "prompts.benign.leave_out.label: vanilla_benign is taken by where; leave it in one of them",
        ),
        (
            "prompts/benign/where",
            {"label": ["vanilla_harmful", "vanilla_benign"]},
            "prompts: label vanilla_harmful is harmful and benign; leave it in one `where` only",
        ),
        (
            "benchmarks/xstest/source_rows",
            249,
            "benchmarks.xstest.source_rows: 249 rows before any are left out, and 250 after",
        ),
        ("benchmarks/gsm8k/option_order", "row", "benchmarks.gsm8k.option_order: there are no options"),
        ("benchmarks/gpqa/option_order", "random", "benchmarks.gpqa.option_order: must be one of row, skythought"),
        ("models/qwen3-4b/source", {"folder": "docs"}, "source.folder: docs holds no model (config.json is missing)"),
        (
            "prompts/benign/where",
            {"label": [True]},
            "where.label[0]: must be text, and is read as True; put it",
        ),
    ],
)
def test_what_cannot_be_is_told_once(path: str, value: Any, message: str, paper: dict[str, Any]) -> None:
    found = problems(paper, nested(path, value))
    assert sum(message in line for line in found) == 1, found
    assert len(found) == 1, found


def test_transformers_does_not_split_a_model(paper: dict[str, Any]) -> None:
    overlay = nested("methods/grpo/grpo/sampler", "trainer") | {
        "engine": {"name": "transformers", "tensor_parallel": 2}
    }
    (found,) = problems(paper, overlay)
    assert "engine.tensor_parallel: transformers runs a model in one piece" in found


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("world", None, "prompts.harmful.source: needs a synthetic world, and there is no `world:`"),
        (
            "world/rows/gsm8k",
            90,
            "benchmarks.gsm8k.rows: 100 are expected and world.rows.gsm8k makes 90; set both alike",
        ),
        ("benchmarks/gsm8k/source", {"world": "gsm8"}, "no set of the world is called 'gsm8'; did you mean gsm8k?"),
        ("world/student/mixx", 1, "world.student.mixx: no such key; did you mean world.student.mix?"),
        ("world/student/mix/quik", 1, "world.student.mix.quik: no such key; did you mean world.student.mix.quick?"),
        ("world/teacher/refusals/plan/mid", 1.5, "world.teacher.refusals.plan.mid: must be at most 1, not 1.5"),
        ("world/templates/gpqa", "Choose.", "world.templates.gpqa: holds {problem} 0 times"),
        ("models/teacher-mini/family", "r2", "models.teacher-mini.family: no family is called 'r2'"),
        ("models/qwen3-mini/source", {"built": "teacher"}, "models.qwen3-mini: a built teacher goes on from a built"),
        ("models/qwen3-mini/source", {"built": "guard"}, "models.qwen3-mini.source.built: a guard cannot stand here"),
        ("guards/wildguard/source", {"built": "teacher"}, "guards.wildguard.source.built: a teacher cannot stand here"),
        ("guards/wildguard/format", "LICENSE", "guards.wildguard.format: LICENSE holds {prompt} 0 times"),
        ("guards/wildguard/kind", "oracle", "guards.wildguard.source: an oracle has no model"),
    ],
)
def test_what_cannot_be_in_the_miniature(path: str, value: Any, message: str, miniature: dict[str, Any]) -> None:
    assert any(message in line for line in problems(miniature, nested(path, value)))


def test_unused_definitions_need_no_files(paper: dict[str, Any]) -> None:
    assert not problems(
        paper, nested("models/mine", {**paper["models"]["qwen3-4b"], "source": {"folder": "elsewhere"}})
    )


def test_families_that_no_student_has_are_fine(paper: dict[str, Any]) -> None:
    assert not problems(paper, {"select": {"students": ["r1-llama-8b"]}})


def test_all_problems_come_together_and_the_eleventh_is_counted(paper: dict[str, Any]) -> None:
    found = problems(paper, {"training": {"warmup": 2}}, {"select": {"students": ["x"]}}, {"engine": {"nme": 1}})
    assert {line.split(":")[1].strip() for line in found} == {"training.warmup", "engine.nme", "select.students"}
    many = problems(paper, {f"key{number}": 1 for number in range(13)})
    assert len(many) == 11 and many[-1] == "config: and 3 more"


def test_any_single_missing_section_is_told_and_nothing_breaks(miniature: dict[str, Any]) -> None:
    for path in _paths(miniature):
        if len(path) <= 3:
            overlay: Any = None
            for key in reversed(path):
                overlay = {key: overlay}
            problems(miniature, overlay)  # raises nothing but SettingsError
    for key in SCHEMA["required"]:
        assert any(f"{key} is missing" in line for line in problems(miniature, {key: None})), key


# ---------------------------------------------------------------- through Snakemake itself


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
        'benchmarks={"gsm8k": {"samples": 2}}',
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
    assert config["world"]["seed"] == 3


def test_snakemake_tells_all_in_one_error(workflow: Path) -> None:
    done = snakemake(workflow, "-n", "--config", 'training={"learning_rte": 1}', 'select={"students": ["qwen3-5b"]}')
    assert done.returncode == 1
    assert "config: training.learning_rte: no such key; did you mean training.learning_rate?" in done.stdout
    assert "config: select.students: no model is called 'qwen3-5b'; did you mean qwen3-" in done.stdout
    assert "Traceback" not in done.stdout


def test_null_on_the_command_line_drops(workflow: Path) -> None:
    done = snakemake(workflow, "--config", 'benchmarks={"aime24": {"contains": null}}', "run=x")
    assert done.returncode == 0, done.stdout
    assert json.loads((workflow / "x.json").read_text())["benchmarks"]["aime24"]["contains"] == {}


def test_replaced_config_is_replaced(workflow: Path) -> None:
    whole = merge([read(PAPER), {"run": None, "engine": {"batch_size": 3}}])
    (workflow / "mine.yaml").write_text(yaml.safe_dump(whole))
    done = snakemake(workflow, "--configfile", "mine.yaml", "--replace-workflow-config")
    assert done.returncode == 0, done.stdout
    assert json.loads((workflow / "mine.json").read_text())["engine"]["batch_size"] == 3


# ---------------------------------------------------------------- Table 5
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


def test_an_overlay_anywhere_may_extend_one_of_ours(tmp_path: Path) -> None:
    """Beside it, or else in the workflow's config folder."""
    (tmp_path / "mine.yaml").write_text("extends: smoke.yaml\nrun: mine\n")
    own = settings.load([ROOT / "config/config.yaml", tmp_path / "mine.yaml"])
    smoke = settings.load([ROOT / "config/config.yaml", ROOT / "config/smoke.yaml"])
    assert plain(own) == plain(smoke) | {"run": "mine"}
    (tmp_path / "smoke.yaml").write_text("extends: miniature.yaml\nscoring: {confidence: 0.5}\n")
    assert settings.load([ROOT / "config/config.yaml", tmp_path / "mine.yaml"]).scoring.confidence == 0.5
