"""The documentation names only what exists: paths, modules, config keys, commands, targets and links."""

import argparse
import importlib
import importlib.util
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from thinksafe.__main__ import COMMANDS
from thinksafe.config import settings
from thinksafe.config.types import schema
from thinksafe.study.targets import TARGETS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "config/README.md",
    ROOT / "results/README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
OVERLAYS = sorted((ROOT / "config").glob("*.yaml"))  # their comments show commands
FOLDERS = "thinksafe|scripts|rules|config|docs|tests|dev|profiles|envs|containers|requirements|workflow|report|slurm"
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
MADE = {"config/mine.yaml", "config/hub.lock.yaml"}  # by the user
OTHERS = {"thinksafe.onstart"}  # of a workflow that uses this one as a module
MAKE = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def code(page: Path) -> list[str]:
    """Return what a page marks as code: the lines of its blocks and its words in backticks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", prose)


def words(page: Path) -> set[str]:
    return {word.strip("()[],;:'\"").rstrip("./") for line in code(page) for word in line.split()}


@cache
def file_names() -> set[str]:
    return {path.name for folder in FOLDERS.split("|") for path in (ROOT / folder).rglob("*")}


config_schema = cache(schema)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_paths_and_modules_exist(page: Path) -> None:
    missing = []
    for word in words(page) - MADE - OTHERS:
        if {"X", "Y", "NAME"} & set(re.split(r"[/._]", word)):  # any name
            continue
        if re.fullmatch(rf"(?:{FOLDERS})/[\w./*-]+", word):
            if not list(ROOT.glob(word)):
                missing.append(word)
        elif re.fullmatch(r"\w+\.(?:py|smk)", word) and word not in file_names():
            missing.append(word)
        elif re.fullmatch(r"(?:thinksafe|dev)\.[\w.]+", word) and not importlib.util.find_spec(word):
            missing.append(word)
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            assert file.exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in anchors, target


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_config_keys_exist(page: Path) -> None:
    """As ``grpo.prompts`` alone, or from the top: ``methods.*.grpo.prompts``."""
    whole = config_schema()

    def exists(part: dict, keys: list[str]) -> bool:
        part = whole["$defs"][part["$ref"].removeprefix("#/$defs/")] if "$ref" in part else part
        if not keys:
            return True
        named, entries = part.get("properties", {}), part.get("additionalProperties")
        if keys[0] == "*" and named:
            return any(exists(inner, keys[1:]) for inner in named.values())
        if keys[0] in named:
            return exists(named[keys[0]], keys[1:])
        return exists(entries, keys[1:]) if isinstance(entries, dict) else bool(entries)

    for word in {re.sub(r"=.*", "", word) for word in words(page)}:
        if word.partition(".")[0] in whole["properties"] and re.fullmatch(r"[\w-]+(\.[\w*<>-]+)+", word):
            assert exists(whole, word.split(".")) or word in file_names() or word == "report.html", word


def test_the_index_lists_every_page_folder_and_command() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages == set(re.findall(r"\]\((\w[\w-]*\.md)\) \|$", index, re.MULTILINE))
    folders = {f"{path.parent.name}/" for path in ROOT.glob("thinksafe/*/__init__.py")}
    assert folders == set(re.findall(r"^\| `(\w+/)` \|", index, re.MULTILINE))
    assert set(COMMANDS) <= set(re.findall(r"`thinksafe (\w+)`", index))


def test_commands_are_understood() -> None:
    found = 0
    for page in [*PAGES, *OVERLAYS]:
        text = page.read_text(encoding="utf-8")
        unqualified = re.findall(r"^(?:\$ )?(?:thinksafe|snakemake) .*$", text, re.MULTILINE)
        assert not unqualified, f"{page}: .venv/bin/ is missing"
        for line in re.findall(r"^(?:\.venv/bin/|# +)thinksafe (.*)$", text, re.MULTILINE):
            name, *arguments = shlex.split(line, comments=True)
            parser = argparse.ArgumentParser()
            importlib.import_module(f"thinksafe.{COMMANDS[name][0]}").add_arguments(parser)
            given = parser.parse_args(arguments)
            for file in getattr(given, "configfile", []):
                assert (ROOT / file).is_file() or str(file) in MADE, f"{page}: {line}"
            found += 1
        for name in re.findall(r"`thinksafe ([a-z]+)", text):
            assert name in COMMANDS, f"{page}: thinksafe {name}"
        for target in re.findall(r"(?:^(?:\.venv/bin/)?|`)make (?:-s )?([a-z-]+)", text, re.MULTILINE):
            assert target in MAKE, f"{page}: make {target}"
    assert found > 20


def test_targets_of_snakemake_exist() -> None:
    rules = "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "Snakefile", *ROOT.glob("rules/*.smk")])
    claims = [f"claim_{name}" for name in settings.read(ROOT / "config/claims.yaml")["claims"]]
    known = {*re.findall(r"^rule (\w+):", rules, re.MULTILINE), *TARGETS, *claims}
    found = 0
    for page in [*PAGES, *OVERLAYS]:
        lines = code(page) if page.suffix == ".md" else page.read_text(encoding="utf-8").splitlines()
        for line in lines:
            if command := re.search(r"(?:^|#\s+|bin/)snakemake ([^#|]*)", line):
                arguments = command[1].split("--")[0].split()
                for target in (word for word in arguments if re.fullmatch(r"[a-z]\w*", word)):
                    assert target in known or target.startswith("thinksafe_"), f"{page}: {line}"
                    found += 1
    assert found > 20
