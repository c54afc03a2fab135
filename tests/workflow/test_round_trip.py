"""A bundle's round trip: made of a run, restored elsewhere, its tables made again; stale is afterwards what was before.

The quick tests take a table of the paper's printed numbers, the slow one the miniature's machinery (config/smoke.yaml).
"""

import contextlib
import io
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tarfile
from argparse import ArgumentParser
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.persistence.file import FilePersistence

from tests.workflow.dags import ROOT
from thinksafe import files
from thinksafe.errors import UserError
from thinksafe.planning import dag
from thinksafe.provenance.digests import code_digests
from thinksafe.release import archive, bundle, reproduce, restore
from thinksafe.release.archive import ReleaseError

TABLE = "results/small/tables/table1.csv"
SMALL = {
    "extends": str(ROOT / "config/printed.yaml"),
    "run": "small",
    "select": {"students": ["qwen3-0.6b"], "methods": ["initial", "thinksafe"], "benchmarks": ["harmbench", "gsm8k"]},
}


@cache
def warm() -> None:
    """Do once, before the forks, what each of them would do."""
    import snakemake.api  # noqa: F401

    for path in (ROOT / "scripts").glob("*.py"):
        code_digests(str(path.relative_to(ROOT)))


def forked(folder: Path, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function gives in a folder and a process of its own: Snakemake changes the one that it runs in."""
    warm()

    def run(pipe: Any) -> None:
        os.chdir(folder)
        try:
            pipe.send((function(*arguments), None))
        except UserError as error:
            pipe.send((None, str(error)))

    context = multiprocessing.get_context("fork")
    mine, its = context.Pipe()
    child = context.Process(target=run, args=(its,))
    child.start()
    its.close()
    try:
        found, error = mine.recv()
    finally:
        child.join()
    if error is not None:
        raise ReleaseError(error)
    return found


class Place:
    """A folder with a config, results and Snakemake's records."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.root = folder
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "config").exists():
            (folder / "config").symlink_to(ROOT / "config")
        self.config = str(folder / "small.yaml")
        self.overlay = dag.Overlay([Path(self.config)])
        self.change(**changes)

    def change(self, **changes: Any) -> None:
        """Let the config say something else."""
        Path(self.config).write_text(yaml.safe_dump({**SMALL, **changes}))

    def stale(self, target: str = TABLE) -> set[str]:
        """Return the jobs that Snakemake would run."""

        def planned() -> set[str]:
            return {job.title for job in dag.planned(self.overlay, target) if job.stale and job.params}

        return forked(self.root, planned)

    def bundle(self, *options: Any) -> Path:
        """Return a bundle of what is here."""
        return self.root / forked(self.root, bundle.make_bundle, self.overlay, "scores", TABLE, *options)["path"]

    def restore(self, path: Path, *options: str) -> list[str]:
        """Restore a bundle and return what was printed."""

        def run() -> list[str]:
            parser = ArgumentParser()
            restore.add_arguments(parser)
            with contextlib.redirect_stdout(printed := io.StringIO()):
                restore.run(parser.parse_args([str(path), "--configfile", self.config, *options]))
            return printed.getvalue().splitlines()

        return forked(self.root, run)

    def thinksafe(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command here."""
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "thinksafe", *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, env=environment)

    def files(self) -> dict[str, bytes]:
        """Return the results, without what Snakemake and bundles keep for themselves."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted((self.root / "results").rglob("*"))
            if path.is_file() and not {"bundles", "logs"} & set(path.parts)
        }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a finished run: Table 1 of two methods of one student."""
    place = Place(tmp_path_factory.mktemp("made"))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", place.config]
    done = subprocess.run([*command, "--cores", "2", TABLE], cwd=place.root, capture_output=True, text=True)
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    return place


@pytest.fixture(scope="module")
def packed(made: Place) -> Path:
    """Return a bundle of it."""
    return made.bundle()


CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "an interval": {"scoring": {"confidence": 0.9}},
    "a label": {"models": {"qwen3-0.6b": {"label": "Another"}}},
    "a benchmark's rows": {"benchmarks": {"harmbench": {"rows": 300}}},
    "another selection": {"select": {**SMALL["select"], "methods": ["initial"]}},
}


def test_the_round_trip(made: Place, packed: Path, tmp_path: Path) -> None:
    """The same files, the same records, nothing to do; then an edit makes stale exactly what it should."""
    there = Place(tmp_path / "there")
    assert there.restore(packed, "--dry-run")[-1].endswith("with the provenance of 2 jobs")
    assert not (there.root / "results").exists()
    told = there.restore(packed)
    assert there.files() == {name: data for name, data in made.files().items() if "claims" not in name}
    assert told[-1].startswith("placed ") and told[-1].endswith("with the provenance of 2 jobs")
    for record in (made.root / ".snakemake/metadata").rglob("*"):
        if record.is_file():
            one, two = (json.loads(path.read_text()) for path in (record, there.root / record.relative_to(made.root)))
            assert {key for key in one if one[key] != two[key]} <= {"job_hash", "starttime", "endtime"}
    assert there.stale() == set()
    there.change(models={"qwen3-0.6b": {"label": "Another"}})
    assert there.stale() == {"write_main_table 1"}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_an_edit_makes_stale_here_what_it_does_there(change: str, made: Place, packed: Path, tmp_path: Path) -> None:
    there = Place(tmp_path / "there")
    there.restore(packed)
    try:
        for place in (made, there):
            place.change(**CHANGES[change])
        assert (before := made.stale()) == there.stale()
        assert bool(before) is (change != "nothing")
    finally:
        made.change()


def test_the_same_run_gives_the_same_bytes(made: Place, packed: Path) -> None:
    first = packed.read_bytes()
    for path in (made.root / TABLE, packed):
        os.utime(path, (1, 1))
    assert made.bundle().read_bytes() == first
    packed.unlink()
    assert made.bundle(False, True) == packed and not packed.exists()  # a dry run
    made.bundle()


def test_the_bundle_is_a_crate_of_a_workflow_run(packed: Path, tmp_path: Path) -> None:
    """The structure that RO-Crate 1.1 and Workflow Run Crate 0.5 ask for, and the library reads it."""
    from rocrate.rocrate import ROCrate

    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")
    crate = ROCrate(tmp_path)
    root, workflow = crate.root_dataset, crate.mainEntity
    assert {"Process Run Crate", "Workflow Run Crate", "Workflow RO-Crate"} == {
        one["name"] for one in root["conformsTo"]
    }
    assert all(root[name] for name in ("name", "description", "datePublished", "license"))
    assert set(workflow.type) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert "Snakemake" in workflow["programmingLanguage"]["name"] and workflow["version"]
    (action,) = crate.get_by_type("CreateAction")
    assert action["instrument"] is workflow and action["object"].id == "config.json" and action in [root["mentions"]]
    assert action["startTime"] <= action["endTime"] == root["datePublished"]
    # Every file is described, with the digest that the manifest has, and nothing else is.
    manifest = json.loads((tmp_path / "bundle.json").read_text())["files"]
    described = {file.id: file["sha256"] for file in crate.get_by_type("File") if "sha256" in file}
    assert described == {name: facts["sha256"] for name, facts in manifest.items() if name != "ro-crate-metadata.json"}
    assert {result.id for result in action["result"]} == {name for name in manifest if name.startswith("results/")}
    assert str(tmp_path) not in (tmp_path / "ro-crate-metadata.json").read_text()


@pytest.mark.slow
def test_tables_are_made_again_to_the_byte(packed: Path, tmp_path: Path) -> None:
    there = Place(tmp_path / "there")
    asked = [str(packed), "--configfile", there.config]
    assert "would make 1 jobs of small again:" in there.thinksafe("reproduce", *asked, "--dry-run").stdout
    assert not (there.root / "results").exists() and not (there.root / ".snakemake/thinksafe").exists()
    done = there.thinksafe("reproduce", *asked)
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads((there.root / "results/small/reproduction-scores.json").read_text())
    assert found["counts"] == {"identical": len(found["cells"])} and len(found["cells"]) > 3
    assert found["files"] == {"identical": 3} and not found["taken_as_they_are"]
    assert len(found["devices"]["here"]) == 1
    assert "0 within the interval, 0 different" in done.stdout
    assert done.stdout.splitlines()[-1] == "results/small/reproduction-scores.md"


def test_nothing_is_compared_with_itself(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / TABLE).parent.mkdir(parents=True)
    (tmp_path / TABLE).touch()
    with pytest.raises(ReleaseError, match="are here already.*nothing would be made again"):
        reproduce.prepare(dag.Overlay(), archive.open_bundle(packed), "scores")
    with pytest.raises(ReleaseError, match="begins with scores; --tier adapters needs one of adapters"):
        reproduce.prepare(dag.Overlay(), archive.open_bundle(packed), "adapters")


def test_what_does_not_fit_is_told_and_refused(packed: Path, tmp_path: Path) -> None:
    there = Place(tmp_path / "there", scoring={"confidence": 0.9})
    with pytest.raises(ReleaseError, match="2 of 2 jobs do not fit, so nothing was placed"):
        there.restore(packed)
    assert not (there.root / TABLE).exists()
    assert "does not fit: config: confidence: 0.95 -> 0.9" in there.restore(packed, "--fitting")
    there.change(models={"qwen3-0.6b": {"label": "Another"}})
    told = there.restore(packed, "--fitting")
    assert told[-1].endswith("with the provenance of 1 jobs") and not (there.root / TABLE).exists()
    assert there.stale() == {"write_main_table 1"}


def test_what_is_here_is_not_overwritten(packed: Path, tmp_path: Path) -> None:
    there = Place(tmp_path / "there")
    (there.root / TABLE).parent.mkdir(parents=True)
    (there.root / TABLE).write_text("mine\n")
    assert any("is here already, with other content" in line for line in there.restore(packed, "--fitting"))
    assert (there.root / TABLE).read_text() == "mine\n"


def test_what_a_killed_run_has_left_is_no_hindrance(packed: Path, tmp_path: Path) -> None:
    there = Place(tmp_path / "there")
    (there.root / ".snakemake/locks").mkdir(parents=True)
    (there.root / ".snakemake/locks/0.output.lock").write_text(f"{TABLE}\n")
    with pytest.raises(ReleaseError, match="Snakemake is running in .* or was killed there"):
        there.restore(packed)
    shutil.rmtree(there.root / ".snakemake/locks")
    marked = FilePersistence(path=there.root / ".snakemake")
    marked._mark_incomplete(TABLE, None)
    there.restore(packed)
    assert marked._filter_incomplete_keys([TABLE]) == set()


def test_one_restore_at_a_time_and_after_a_killed_one(packed: Path, tmp_path: Path) -> None:
    there = Place(tmp_path / "there")
    left = there.root / "results/small/bundles/.placing/results/half-a-file"
    left.parent.mkdir(parents=True)
    left.touch()
    (there.root / restore.OURS).mkdir(parents=True, exist_ok=True)
    with (
        contextlib.chdir(there.root),
        files.locked(restore.OURS / "small.placing.lock"),
        pytest.raises(ReleaseError, match="another restore is placing files of small"),
    ):
        there.restore(packed)
    assert left.exists() and not (there.root / TABLE).exists()
    there.restore(packed)
    assert not (there.root / "results/small/bundles/.placing").exists() and there.stale() == set()


def test_another_source_does_not_fit(packed: Path, tmp_path: Path) -> None:
    """Snakemake would not look: the file is older than what is placed."""
    (tmp_path / "there").mkdir()
    shutil.copytree(ROOT / "config", tmp_path / "there/config")
    source = tmp_path / "there/config/paper/table1.csv"
    source.write_text(source.read_text() + "\n")
    os.utime(source, (1, 1))
    with pytest.raises(ReleaseError, match="2 of 2 jobs do not fit"):
        Place(tmp_path / "there").restore(packed)


@pytest.mark.slow
def test_a_public_bundle_tells_no_folder_and_fits_elsewhere(tmp_path: Path) -> None:
    """Where somebody's own files are is nobody's business, and what is in them counts wherever they are."""
    folders = [tmp_path / person / "home/papers" for person in ("jane-doe", "richard-roe")]
    for folder in folders:
        shutil.copytree(ROOT / "config/paper", folder)
    here, there = (Place(folder.parent / "run", paper=str(folder)) for folder in folders)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", here.config]
    subprocess.run([*command, "--cores", "2", TABLE], cwd=here.root, capture_output=True, check=True)
    path = here.bundle(True)
    with tarfile.open(path) as archive:
        for member in archive:
            assert b"jane-doe" not in archive.extractfile(member).read(), member.name
    told = there.restore(path)
    assert told[-1].endswith("with the provenance of 2 jobs") and there.stale() == set()
    (folders[1] / "table1.csv").write_text((folders[1] / "table1.csv").read_text() + "\n")
    assert there.stale() == {"write_printed_scores", "write_main_table 1"}


def test_other_code_does_not_fit(packed: Path, tmp_path: Path) -> None:
    found = archive.open_bundle(packed)
    for job in found.jobs:
        job["params"] = [re.sub('"tables":"...', '"tables":"000', text) for text in job["params"]]

    there = Place(tmp_path / "there")

    def told() -> list[str]:
        with restore.fitted(there.overlay, found) as (_, fit):
            return list(restore.describe(found, fit))

    assert "does not fit: code: thinksafe/reporting/tables.py changed" in forked(there.root, told)


def test_another_run_and_another_format_are_refused(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="is of the run small, but this config's run is other"):
        Place(tmp_path / "there", run="other").restore(packed)
    found = archive.open_bundle(packed)
    found.manifest["record_format"] = 5
    with pytest.raises(ReleaseError, match="format 5; Snakemake .* here keeps format 6"):
        with restore.fitted(dag.Overlay(), found):
            pass


# --------------------------------------------------------------------------------------------------- a run with models
class Clone(Place):
    """A copy of the workflow, as a fresh clone is, whose own tools are run."""

    def __init__(self, folder: Path, config: str) -> None:
        self.root, self.name = folder, config
        folder.mkdir(parents=True)
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        self.change()

    def change(self, **changes: Any) -> None:
        """Let the config say something else."""
        self.config = str(self.root / "changed.yaml")
        self.overlay = dag.Overlay([Path(self.config)])
        changed = {"extends": str(self.root / "config" / self.name), "run": Path(self.name).stem, **changes}
        Path(self.config).write_text(yaml.safe_dump(changed))

    def python(self, *arguments: str) -> list[str]:
        """Run Python here and return the lines that it prints."""
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, env=environment)
        assert not done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return a minute of the miniature: every rule, one student."""
    clone = Clone(tmp_path_factory.mktemp("smoke") / "smoke", "smoke.yaml")
    clone.python("-m", "snakemake", "all", "--configfile", clone.config, "--quiet", "all")
    return clone


@pytest.fixture(scope="module")
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return the miniature, where CI or somebody has made it with this code, or else a minute of it."""
    if (ROOT / "results/miniature/claims.json").is_file():
        clone = Clone(tmp_path_factory.mktemp("trained") / "miniature", "miniature.yaml")
        shutil.copytree(ROOT / "results/miniature", clone.root / "results/miniature", dirs_exist_ok=True)
        shutil.copytree(ROOT / ".snakemake/metadata", clone.root / ".snakemake/metadata")
        if not clone.stale("all"):
            return clone
    return request.getfixturevalue("smoke")


def whole(run: Clone) -> Path:
    """Return a bundle of all of a run."""
    *_, path = run.python("-m", "thinksafe", "bundle", "--configfile", run.config, "--tier", "all")
    return run.root / path


@pytest.mark.slow
def test_a_real_run_comes_back_whole(trained: Clone, tmp_path: Path) -> None:
    there, everything = Clone(tmp_path / "there", trained.name), whole(trained)
    there.python("-m", "thinksafe", "restore", str(everything), "--configfile", there.config)
    dry = there.python("-m", "snakemake", "-n", "all", "--configfile", there.config)
    assert any(line.startswith("Nothing to be done") for line in dry), dry
    ours, theirs = trained.files(), there.files()
    left_out = {name for name in set(ours) - set(theirs) if ".tensorboard/" not in name}
    assert not left_out and not set(theirs) - set(ours)
    assert {name for name in theirs if theirs[name] != ours[name]} == set()
    for changes in (
        {"scoring": {"confidence": 0.9}},
        {"sampling": {"safety": {"max_tokens": 40}}},
        {"training": {"learning_rate": 1e-4}},
        {"guards": {"llama-guard-3": {"max_prompt_tokens": 99}}},
        {"models": {"qwen3-mini": {"label": "Another"}}},
    ):
        for place in (trained, there):
            place.change(**changes)
        assert (stale := trained.stale("all")) and stale == there.stale("all"), changes
    trained.change()


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["responses", "adapters", "datasets"])
def test_a_run_is_made_again_from_each_tier(tier: str, smoke: Clone, tmp_path: Path) -> None:
    """On one machine, with the transformers engine, to the byte."""
    there = Clone(tmp_path / "there", smoke.name)
    path = str(whole(smoke))
    there.python("-m", "thinksafe", "reproduce", path, "--configfile", there.config, "--tier", tier)
    (found,) = (there.root / "results").glob(f"*/reproduction-{tier}.json")
    told = json.loads(found.read_text())
    assert set(told["counts"]) == {"identical"} and set(told["files"]) == {"identical"}
    assert not told["taken_as_they_are"]
    assert told["devices"]["bundle"] == told["devices"]["here"] != []


@pytest.mark.slow
def test_a_public_bundle_tells_no_text_and_its_tables_are_made_again(trained: Clone, tmp_path: Path) -> None:
    arguments = ("--configfile", trained.config, "--tier", "scores", "--public")
    *_, path = trained.python("-m", "thinksafe", "bundle", *arguments)
    found = archive.open_bundle(trained.root / path)
    assert found.manifest["withheld"]
    texts = [
        row["response"]
        for file in (trained.root / "results").glob("*/responses/**/harmful/part-0.parquet")
        for row in files.read_rows(file)
        if len(row["response"]) > 40
    ]
    assert texts
    archive.extract(found, tmp_path / "out", found.manifest["files"])
    for file in (tmp_path / "out").rglob("*"):
        if file.suffix == ".parquet":
            rows = files.read_rows(file)
            assert not rows or not {"response", "prompt", "asked"} & set(rows[0]), file
        elif file.is_file():
            data = file.read_bytes()
            assert not [text for text in texts[:20] if text.encode() in data], file
            assert file.name.endswith(".record.json") is False or b'"host"' not in data, file
    there = Clone(tmp_path / "there", trained.name)
    there.python("-m", "thinksafe", "reproduce", str(trained.root / path), "--configfile", there.config)
    (page,) = (there.root / "results").glob("*/reproduction-scores.json")
    told = json.loads(page.read_text())
    assert set(told["counts"]) == {"identical"} and set(told["files"]) == {"identical"}
    assert any(cell["cell"].startswith("table1/") for cell in told["cells"])
