"""Read, merge, type and check the config of a run, before any rule is read.

Layers are config/config.yaml, the files of ``--configfile`` in their order, and ``--config``. Mappings merge and lists
replace, as in Snakemake. Some mappings replace as well, since a mixture of two of them makes no sense: ``source``,
``columns``, ``where``, ``leave_out`` and ``contains``. Keys that describe the rows of a filter (``leave_out``,
``source_rows``, ``approx_rows``) are dropped with it. Null drops an inherited key. A file may extend another
(``extends: miniature.yaml``, beside itself or in the workflow's config folder), which is then merged before it. On the
command line, ``students=[...]`` is short for ``select={students: [...]}``, and likewise ``methods`` and ``benchmarks``.
"""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from thinksafe.config.consistency import inconsistencies
from thinksafe.config.problems import problems_of
from thinksafe.config.types import Config, DataSource, ModelSource, partial
from thinksafe.errors import UserError
from thinksafe.suggest import nearest

OURS = Path(__file__).resolve().parents[2] / "config"
REPLACED = ("source", "columns", "where", "leave_out", "contains")
FILTER = {"where", "contains", "rows"}
ABOUT_FILTER = {"leave_out", "source_rows", "approx_rows"}
KINDS = {*ModelSource.ONE_OF, *DataSource.ONE_OF}
SELECTED = ("students", "methods", "benchmarks")
SHOWN = 10


class SettingsError(UserError):
    """Every problem of a config, one line each."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML loader that refuses a key given twice in one mapping; the plain loader silently keeps the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        # Before <<: is expanded: the plain loader puts the merged keys before those that override them.
        keys = [key.value for key, _ in node.value]
        for place, (key, _) in enumerate(node.value):
            if key.value in keys[:place]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value} is given twice", key.start_mark
                )
        return super().construct_mapping(node, deep=deep)


def load(
    files: Sequence[str | Path], command_line: Mapping[str, Any] | None = None, home: Path | None = None
) -> Config:
    """Return the merged, typed and checked config of a run.

    Parameters
    ----------
    files : the paper's config, then overlays in their order. The last one names the run, by its key ``run`` or else by
        its file name.
    command_line : the values of ``--config``, as Snakemake parsed them.
    home : the workflow's own folder, if that is not the working directory; the files that the config names are there.

    Raises
    ------
    SettingsError
        With every problem found, if there is any.
    """
    seen: set[Path] = set()
    layers = [layer for file in files for layer in _layers(Path(file), seen, home)]
    layers.append(_select(_nulls(command_line or {})))
    config = validate(merge(layers))
    _refuse([*_unused_steerings(layers, config)])
    return config


def _refuse(problems: Sequence[str]) -> None:
    """Raise SettingsError with the problems, if there are any."""
    lines = [f"config: {problem}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"config: and {len(problems) - SHOWN} more")
    if lines:
        raise SettingsError("\n".join(lines))


def _at_home(layer: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """Return one of the workflow's own layers with absolute paths of the files that it names."""
    found = copy.deepcopy(dict(layer))
    guards = found.get("guards") or {}
    for entry, key in ((found, "paper"), *((guard, "format") for guard in guards.values() if guard)):
        if entry.get(key):
            entry[key] = str(home / entry[key])
    return found


def _unused_steerings(layers: Sequence[Mapping[str, Any]], config: Config) -> Iterator[str]:
    """Yield the steerings of overlays that no method uses and that look like another one: probably misspelt."""
    data = [method.data for method in config.methods.values() if method.data and method.data.guard]
    used = {half.steering for entry in data for half in (entry.harmful, entry.benign)}
    known = set(layers[0].get("steerings", {}))
    for layer in layers[1:]:
        names = [str(name) for name in layer.get("steerings") or {}]
        for name in names:
            if name in config.steerings.keys() - known - used and (guess := nearest(name, known)):
                yield f"steerings.{name}: no method uses it; name it in one, or did you mean steerings.{guess}?"
        known.update(names)


def _layers(file: Path, seen: set[Path], home: Path | None) -> Iterator[dict[str, Any]]:
    """Yield the file that ``file`` extends, unless it is in ``seen``, and then ``file`` itself."""
    layer = read(file)
    seen.add(file.resolve())
    parent = layer.pop("extends", None)
    if parent is not None:
        if not isinstance(parent, str):
            raise SettingsError(f"config: {file}: extends: must be the name of one file beside this one")
        # Beside the file, or else in the workflow's config folder.
        beside, ours = file.parent / parent, OURS / parent
        extended = ours if ours.is_file() and not beside.is_file() else beside
        if extended.resolve() not in seen:
            yield from _layers(extended, seen, home)
    if layer.get("run") is None:
        layer["run"] = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")
    yield _at_home(layer, home) if home and file.resolve().is_relative_to(home) else layer


def of_workflow(workflow: Any, base: str | Path, given: Mapping[str, Any] = {}) -> Config:
    """Return the config of a Snakemake run whose Snakefile names ``base`` as its ``configfile``.

    In a module (docs/module.md) the overlay is ``given``, the module's config; it may extend one of the workflow's own.
    """
    home = OURS.parent
    if not workflow.modifier.is_main_snakefile():
        overlay = {key: value for key, value in given.items() if key != "extends"}
        extended = [OURS / given["extends"]] if "extends" in given else []
        return load([OURS / "config.yaml", *extended], overlay, home)
    files = list(workflow.overwrite_configfiles)
    if not files or not workflow.config_settings.replace_workflow_config:
        files.insert(0, base)
    # A working directory with config/paper is a clone of the workflow, and has all its files.
    return load(files, workflow.config_settings.config, None if Path("config/paper").is_dir() else home)


def read(file: str | Path) -> dict[str, Any]:
    """Return the mapping in a YAML or JSON file."""
    try:
        layer = yaml.load(Path(file).read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (a safe loader)
    except OSError as error:
        raise SettingsError(f"config: {file}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SettingsError(f"config: {file}{line}: {error.problem}") from None
    if not isinstance(layer or {}, dict):
        raise SettingsError(f"config: {file}: must be a mapping (key: value)")
    return layer or {}


def merge(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the layers merged, later ones over earlier ones; the layers stay as they are."""
    return reduce(_over, layers, {})


def _over(base: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    stale = ABOUT_FILTER if FILTER & layer.keys() else {"approx_rows"} if "source_rows" in layer else set()
    merged = {key: value for key, value in base.items() if key not in stale}
    for key, value in layer.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            # A source that names no kind, such as {revision: ...}, refines the inherited one.
            replaces = key in REPLACED and not (key == "source" and not KINDS & value.keys())
            # So does a loss of the same name.
            replaces |= key == "loss" and old.keys() != value.keys()
            value = value if replaces else _over(old, value)
        merged[key] = value
    return merged


def _nulls(value: Any) -> Any:
    """Return the values of ``--config`` with their nulls, which Snakemake passes on as text."""
    if isinstance(value, Mapping):
        return {key: _nulls(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_nulls(part) for part in value]
    return None if value in ("null", "~") else value


def _select(command_line: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of ``--config`` with their short selections under ``select``; a mapping is no selection."""
    short = {key: command_line[key] for key in SELECTED if isinstance(command_line.get(key), str | list)}
    if not short:
        return dict(command_line)
    chosen = command_line.get("select") or {}
    for key in short:
        if not isinstance(chosen, Mapping) or key in chosen:
            raise SettingsError(f"config: --config: {key} and select.{key} both choose; give one of them")
    chosen = {**chosen, **{key: [value] if isinstance(value, str) else value for key, value in short.items()}}
    return {**{key: value for key, value in command_line.items() if key not in short}, "select": chosen}


def validate(config: Mapping[str, Any]) -> Config:
    """Return a merged config with its types and defaults; raise SettingsError with every problem found."""
    given = without_nulls(config)
    problems: list[str] = []
    broken: set[str] = set()
    try:
        typed = Config.model_validate(given)
    except ValidationError as error:
        problems, broken = problems_of(error, given)
        typed = _readable(given, broken)
    _refuse([*problems, *inconsistencies(typed, broken)])
    return typed


def _readable(given: Mapping[str, Any], broken: set[str]) -> Config:
    """Return a config without its ``broken`` sections and unknown keys; a section that needs one of these is broken."""
    try:
        sections = {key: part for key, part in given.items() if key not in broken}
        return partial("Sections", Config).model_validate(sections, extra="ignore")
    except ValidationError as error:
        broken.update(str(one["loc"][0]) for one in error.errors())
        return _readable(given, broken)


def without_nulls(value: Any) -> Any:
    """Return a part of a config without the keys whose value is null."""
    if isinstance(value, Mapping):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    return value
