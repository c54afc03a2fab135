"""What `.snakemake-workflow-catalog.yml` says is so; what the catalog asks for is there."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.dags import dry_run, rules
from thinksafe.config import settings
from thinksafe.config.types import plain

ROOT = Path(__file__).parents[2]
USAGE = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
FLAGS = shlex.split(USAGE["mandatory-flags"]["flags"])


def test_it_has_what_the_catalog_reads() -> None:
    """Source: snakemake-workflow-catalog, "Adding workflows", Standardized Usage."""
    assert set(USAGE) == {"mandatory-flags", "software-stack-deployment"}
    assert USAGE["mandatory-flags"]["desc"].strip() and FLAGS
    deployment = USAGE["software-stack-deployment"]
    assert set(deployment) == {"conda", "apptainer", "apptainer+conda", "report"}
    assert all(isinstance(value, bool) for value in deployment.values())
    for path in ("workflow/Snakefile", "config/README.md", "README.md", "LICENSE"):
        assert (ROOT / path).is_file(), path
    readme = (ROOT / "README.md").read_text(encoding="utf-8").lower()
    assert "snakemake" in readme and "workflow" in readme


def test_its_claims_about_software_hold(tmp_path: Path) -> None:
    """Conda: each rule names an environment. An image: it holds these, so that neither is enough without the other."""
    deployment = USAGE["software-stack-deployment"]
    (paper,) = rules([plain(settings.load([ROOT / "config/config.yaml"]))], tmp_path)
    found = [rule for rule in paper.values() if rule["script"]]
    assert deployment["conda"] == all(rule["conda"] for rule in found)
    assert deployment["apptainer"] == any(rule["container"] for rule in found)
    assert deployment["apptainer+conda"] == ("containerized:" in (ROOT / "Snakefile").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_its_flags_run_from_where_the_catalog_looks(tmp_path: Path) -> None:
    """The mandatory flags, in a directory without our profiles, through workflow/Snakefile."""
    printed = dry_run(
        *("--snakefile", str(ROOT / "workflow/Snakefile"), "all", "--configfile", str(ROOT / "config/printed.yaml")),
        *("--quiet", "host", *FLAGS),
        folder=tmp_path,
    )
    assert "write_printed_scores" in printed


@pytest.mark.slow
def test_its_report_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to(ROOT / "config")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "workflow/Snakefile"), "--cores", "2"]
    command += ["tables", "--configfile", "config/printed.yaml", *FLAGS]
    for more in ([], ["--report", "report.html"]):
        done = subprocess.run([*command, *more], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    assert USAGE["software-stack-deployment"]["report"] == ("table1" in (tmp_path / "report.html").read_text())
