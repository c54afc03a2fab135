"""What every rule has, as Snakemake reads it, and how the rule files are written."""

import re
from pathlib import Path
from typing import Any

import pytest
import yte

from tests.workflow.dags import ROOT, rules
from thinksafe.config import settings
from thinksafe.config.types import plain
from thinksafe.jobs.driver import ONLINE
from thinksafe.study import stages
from thinksafe.study.targets import TARGETS

SLURM = (ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return what Snakemake knows of every rule; those of a run of the paper's own numbers come with its config."""
    config = settings.load([ROOT / "config/config.yaml", ROOT / "config/printed.yaml"])
    return rules([plain(config)], tmp_path_factory.mktemp("rules"))[0]


@pytest.fixture(scope="module")
def makers(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the rules that make an artifact."""
    return {name: rule for name, rule in found.items() if rule["script"] and name not in ONLINE}


def test_a_rule_that_makes_something_is_whole(makers: dict[str, dict[str, Any]]) -> None:
    assert len(makers) > 40
    for name, rule in makers.items():
        assert rule["docstring"] and rule["log"] and rule["conda"], name
        assert "identity" in rule["output"], f"{name}: no identity among its outputs"
        assert rule["params"] == ["spec", "code", "environment"], name
        assert Path(rule["script"]).stem == stages.script_of(name)
        assert not rule["local"], name


def test_a_rule_of_the_login_node_makes_nothing(found: dict[str, dict[str, Any]]) -> None:
    """Its work is a lock that is nobody's input, or the hub's cache."""
    for name in ONLINE:
        rule = found[name]
        assert rule["docstring"] and rule["log"] and rule["conda"] and not rule["output"], name
        assert rule["local"] and rule["params"] == ["spec", "code", "environment"], name
        assert "    online(snakemake, __file__)\n" in (ROOT / rule["script"]).read_text(encoding="utf-8")


def test_every_rule_has_a_stage_and_every_stage_a_rule(makers: dict[str, dict[str, Any]]) -> None:
    assert set(makers) == set(stages.RULES)


def test_logic_is_in_scripts_and_every_script_has_a_rule(found: dict[str, dict[str, Any]]) -> None:
    assert [name for name, rule in found.items() if rule["code"]] == []
    scripts = {path.relative_to(ROOT).as_posix() for path in (ROOT / "scripts").glob("*/*.py")}
    assert {rule["script"] for rule in found.values()} - {None} == {s for s in scripts if "__init__" not in s}


def test_every_table_figure_ablation_and_claim_is_a_target_with_a_description(found: dict[str, dict[str, Any]]) -> None:
    claims = {f"claim_{name}" for name in settings.read(ROOT / "config/claims.yaml")["claims"]}
    assert len(claims) == 79
    steps = {"all", "chat", "dataset", "adapter", "evaluation", "tables", "figures", "report", "appendix"}
    assert {name for name, rule in found.items() if not rule["script"]} == steps | set(TARGETS) | claims
    assert [name for name, rule in found.items() if not rule["docstring"]] == []


def test_every_wildcard_is_constrained(found: dict[str, dict[str, Any]]) -> None:
    assert {name: rule["unconstrained"] for name, rule in found.items() if rule["unconstrained"]} == {}


def test_rule_files_only_wire() -> None:
    for path in (ROOT / "rules").glob("*.smk"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 200, path
        assert not [line for line in lines if line.lstrip().startswith(("def ", "class "))], path
        # No list that several files append to: what `all` makes, and what a table holds, is in thinksafe/study.
        assert not [line for line in lines if re.search(r"\+=|\.(append|extend|update|add)\(", line)], path


# ---------------------------------------------------------------- profiles
def test_every_rule_with_a_gpu_has_a_partition_with_gpus(found: dict[str, dict[str, Any]]) -> None:
    asked = {name for name, rule in found.items() if "gpu" in rule["resources"]}
    assert asked and set(yte.process_yaml(SLURM, require_use_yte=True)["set-resources"]) == asked


def test_the_slurm_profile_asks_for_gpus_in_both_styles() -> None:
    plain, gres = (
        yte.process_yaml(SLURM.replace("request: gpus", f"request: {style}"), require_use_yte=True)["set-resources"]
        for style in ("gpus", "gres")
    )
    assert plain["train_student"]["gpu"] == 2 and plain["train_student"]["gpu_model"] == "'h100'"
    assert "gres" not in plain["train_student"]
    assert gres["train_student"]["gres"] == "'gpu:h100:2'" and gres["train_student"]["gpu"] == 0
    assert "gpu_model" not in gres["train_student"]  # either would ask a second time


def test_the_slurm_profile_limits_the_time_of_any_rule() -> None:
    limited = SLURM.replace("minutes: {}", "minutes: {train_student: 360 * attempt, score_reasoning: 30}")
    found = yte.process_yaml(limited, require_use_yte=True)["set-resources"]
    assert found["train_student"]["runtime"] == "360 * attempt" and found["train_student"]["gpu"] == 2
    assert found["score_reasoning"] == {"runtime": 30} and "runtime" not in found["train_grpo"]


def test_no_script_reads_the_config() -> None:
    for path in (ROOT / "scripts").rglob("*.py"):
        assert "snakemake.config" not in path.read_text(encoding="utf-8"), path
