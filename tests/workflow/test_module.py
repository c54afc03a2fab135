"""The workflow as a module of another one, from another directory, under a prefix (docs/module.md)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.dags import dry_run
from thinksafe.files import read_json
from thinksafe.provenance.lineage import Lineage
from thinksafe.provenance.trace import back, query_of

ROOT = Path(__file__).parents[2]
FLAGS = ["--rerun-triggers", "mtime", "params", "input", "--rerun-incomplete"]
OUTER = """
configfile: "config.yaml"

module thinksafe:
    snakefile: {snakefile!r}
    config: config["thinksafe"]
    prefix: "safety"

use rule * from thinksafe as thinksafe_*

onstart:
    thinksafe.onstart()

rule mine:
    default_target: True
    input: "safety/results/printed/tables/table1.csv", "safety/results/printed/claims.md"
    output: "mine.txt"
    shell: "cat {{input}} > {{output}}"
"""


def outer(folder: Path, *arguments: str, **config: object) -> subprocess.CompletedProcess[str]:
    """Run another workflow that takes ours as a module with this config."""
    (folder / "Snakefile").write_text(OUTER.format(snakefile=str(ROOT / "Snakefile")))
    (folder / "config.yaml").write_text(yaml.safe_dump({"thinksafe": config}))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *FLAGS, *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def counts(printed: str) -> dict[str, int]:
    """Return how many jobs of each rule a dry run has planned, by the rules' own names."""
    lines = (line.split() for line in printed.splitlines())
    return {
        name.removeprefix("thinksafe_"): int(n)
        for name, n in (words for words in lines if len(words) == 2)
        if n.isdigit()
    }


@pytest.mark.slow
def test_it_plans_what_it_plans_alone(tmp_path: Path) -> None:
    """An overlay of ours, a prefix and another directory: the same jobs, nothing outside the prefix."""
    done = outer(tmp_path, "-n", "thinksafe_all", "--quiet", "host", extends="smoke.yaml")
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    (tmp_path / "alone").mkdir()
    smoke = str(ROOT / "config/smoke.yaml")
    alone = dry_run("all", "--configfile", smoke, "--quiet", "host", folder=tmp_path / "alone")
    assert counts(done.stdout) == counts(alone) and counts(alone)["total"] > 30
    made = [word.strip(",") for word in done.stdout.split() if "results/smoke" in word]
    assert made and all(path.startswith("safety/results/smoke/") for path in made)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"extends": "printed.yaml", "selekt": {}}, "did you mean select"),
        ({"extends": "no-such.yaml"}, "no-such.yaml: No such file"),
    ],
)
@pytest.mark.slow
def test_a_wrong_config_of_the_module_is_told(tmp_path: Path, config: dict[str, object], words: str) -> None:
    done = outer(tmp_path, "-n", **config)
    assert done.returncode and words in done.stdout + done.stderr


@pytest.mark.slow
def test_it_runs_and_its_results_are_those_of_a_run_alone(tmp_path: Path) -> None:
    done = outer(tmp_path, extends="printed.yaml")
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    assert (tmp_path / "mine.txt").read_text().startswith("student,method,metric,value")
    ours = tmp_path / "safety/results/printed"
    for place in ("home", "elsewhere"):  # with the workflow's config folder, and from a directory that has none
        (tmp_path / place).mkdir()
        if place == "home":
            (tmp_path / "home/config").symlink_to(ROOT / "config")
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(ROOT / "workflow/Snakefile")]
        command += ["table1", "claims", "--configfile", str(ROOT / "config/printed.yaml"), *FLAGS]
        subprocess.run(command, cwd=tmp_path / place, check=True, capture_output=True)
        theirs = tmp_path / place / "results/printed"
        for name in ("tables/table1.csv", "tables/table1.identity.json", "claims.json", "scores/printed.identity.json"):
            assert (ours / name).read_bytes() == (theirs / name).read_bytes(), (place, name)
        assert (ours / "claims.fixed.json").read_bytes() == (theirs / "claims.fixed.json").read_bytes()
    assert {job["rule"] for job in read_json(tmp_path / ".snakemake/thinksafe/printed.json")["jobs"]} == {
        "write_printed_scores",
        "write_main_table",
        "judge_claims",
    }
    again = outer(tmp_path, "-n", extends="printed.yaml")
    assert "Nothing to be done" in again.stdout + again.stderr
    lineage = Lineage(ours)
    steps = back(lineage, query_of(lineage, "qwen3-0.6b/thinksafe/harmbench"))["steps"]
    assert "config/paper/table1.csv" in {step["name"] for step in steps}
    assert {step.get("state", "") for step in steps} == {"", "no rule made it"}
