"""The command line: help with examples that work, exit codes, pipes that close early, JSON, and a quick start."""

import argparse
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from thinksafe.__main__ import COMMANDS, command
from thinksafe.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
SLOW = {"snakemake", "torch", "transformers", "pandas", "httpx", "thinksafe.config.types"}  # to import
HEAVY = SLOW | {"numpy", "yaml", "huggingface_hub", "pyarrow"}


def run(*arguments: str, folder: Path = ROOT, **options: object) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "thinksafe", *arguments], cwd=folder, text=True, env=environment, **options
    )


def examples(name: str) -> list[list[str]]:
    """Return the arguments of the examples in a command's help."""
    module = importlib.import_module(f"thinksafe.{COMMANDS[name][0]}")
    lines = re.findall(rf"^  thinksafe {name}\b(.*)$", module.__doc__, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_and_examples_are_understood(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command([name, "--help"])
    printed = capsys.readouterr().out
    assert ended.value.code == 0 and f"\n  thinksafe {name}" in printed
    parser = argparse.ArgumentParser()
    importlib.import_module(f"thinksafe.{COMMANDS[name][0]}").add_arguments(parser)
    assert examples(name)
    for arguments in examples(name):
        given = parser.parse_args(arguments)
        for file in getattr(given, "configfile", []):
            assert (ROOT / file).is_file(), file


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command(["--help"])
    printed = capsys.readouterr().out
    assert re.findall(r"^  thinksafe (\w+) +\w", printed, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["paln"], ["plan", "--gpus", "0"], ["trace"], ["restore"], ["plan", "--x"]])
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command(arguments)
    assert ended.value.code == 2 and capsys.readouterr().err.startswith("usage: thinksafe")


def test_what_a_user_can_put_right_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["status"]) == 2
    assert command(["show", "none"]) == 2
    assert command(["plan", "--configfile", "none.yaml"]) == 2
    assert command(["plan", "--config", "students"]) == 2
    (tmp_path / "bad.tar.gz").write_bytes(b"no archive")
    assert command(["restore", "bad.tar.gz"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["status", "show", "plan", "plan", "restore"], lines
    assert lines[2] == "plan: config: none.yaml: No such file or directory"


def test_the_code_is_the_errors_and_a_full_disk_is_1(monkeypatch: pytest.MonkeyPatch) -> None:
    from thinksafe.planning import status

    class Found(UserError):
        code = 1

    for error, code in ((UserError("x"), 2), (Found("x"), 1), (OSError(28, "No space left on device"), 1)):

        def fail(arguments: argparse.Namespace, error: Exception = error) -> int:
            raise error

        monkeypatch.setattr(status, "run", fail)
        assert command(["status"]) == code


def test_a_reader_that_leaves_early_ends_nothing(tmp_path: Path) -> None:
    """As `| head` does: with no reader at all, and with one that leaves in the middle of the output."""
    reading, writing = os.pipe()
    os.close(reading)
    ended = {name: run(name, "--help", stdout=writing, stderr=subprocess.PIPE) for name in COMMANDS}
    os.close(writing)
    for name, process in ended.items():
        assert (process.communicate()[1], process.returncode) == ("", 0), name
    tables = tmp_path / "results/mine/tables"
    tables.mkdir(parents=True)
    (tables / "table1.md").write_text("a row\n" * 100_000)
    showing = run("show", "mine", folder=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert "table1.md" in showing.stdout.readline() + showing.stdout.readline()
    showing.stdout.close()
    assert (showing.stderr.read(), showing.wait()) == ("", 0)


def test_json_is_one_object(tmp_path: Path) -> None:
    (tmp_path / "results/mine/tables").mkdir(parents=True)
    (tmp_path / "results/mine/tables/table1.md").write_text("a row")
    plan = {"run": "mine", "began": 0.0, "driver": os.getpid(), "host": "elsewhere", "jobs": []}
    (tmp_path / ".snakemake/thinksafe").mkdir(parents=True)
    (tmp_path / ".snakemake/thinksafe/mine.json").write_text(json.dumps(plan))
    show, status = (run(name, "--json", folder=tmp_path, stdout=subprocess.PIPE) for name in ("show", "status"))
    assert json.loads(show.communicate()[0]) == {"tables": ["results/mine/tables/table1.md"], "figures": []}
    assert json.loads(status.communicate()[0])["run"] == "mine"


@pytest.mark.parametrize("arguments", [["--help"], ["status"], *([name, "--help"] for name in COMMANDS)])
def test_help_and_status_start_quickly(arguments: list[str], tmp_path: Path) -> None:
    """What takes long to import is imported when a command does its work."""
    unused = SLOW if len(arguments) > 1 else HEAVY
    code = f"""
import sys
from thinksafe.__main__ import command
try:
    command({arguments!r})
except SystemExit:
    pass
print(sorted({unused!r} & set(sys.modules)), file=sys.stderr)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "[]", done.stderr


def test_the_project_installs_the_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    module, _, name = project["project"]["scripts"]["thinksafe"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
