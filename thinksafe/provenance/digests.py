"""What a job depends on, as three canonical values: its part of the config, its code, its environment.

Snakemake compares a rule's named params as an unordered set and ignores what a script imports, so each rule has one
param for everything that it takes from config, one with a digest per module that it runs, and one with the pinned
versions that can change its numbers (docs/staleness.md).
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "thinksafe"
# Plumbing: logging, progress, signals, identities. It cannot change an artifact, so a change to it reruns nothing.
JOBS = ("distributed", "gpu_leases", "gpu_meter", "log", "records", "run", "signals", "start", "warm_worker")
PLUMBING = frozenset(
    f"{PACKAGE}/{name}.py" for name in (*(f"jobs/{name}" for name in JOBS), "provenance/identity", "training/log")
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def canonical(value: Any) -> str:
    """Return ``value`` as JSON in which equal values have equal text, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: Any) -> str:
    """Return a short digest of a JSON-like value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def script_path(name: str) -> str:
    """Return the path from the root of the script with this name; raise ValueError unless there is exactly one."""
    found = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "scripts").glob(f"*/{name}.py"))
    if len(found) != 1:
        raise ValueError(f"scripts/*/{name}.py: {len(found)} files have this name; there must be exactly one")
    return found[0]


@cache
def module_files(name: str) -> list[str]:
    """Return the paths from the root of the project's modules with a name."""
    files = [*(ROOT / "scripts").rglob(f"{name}.py"), *(ROOT / PACKAGE).rglob(f"{name}.py")]
    return [file.relative_to(ROOT).as_posix() for file in files]


def source_digest(source: str | ast.AST) -> str:
    """Return a digest of Python source, or its tree, that comments, docstrings and layout do not change.

    `ast.dump` and `ast.unparse` differ between Python versions. Here a node is its type and its filled fields, so that
    empty fields of a later version do not count. Neither does the folder of an imported module of this project, nor
    the order of neighbouring imports: a module may move without a change to its importers.
    """
    tree = ast.parse(source) if isinstance(source, str) else source
    return hashlib.sha256(_text(tree).encode()).hexdigest()[:16]


@cache
def _fields(kind: type[ast.AST]) -> list[str]:
    return sorted(set(kind._fields) - {"ctx", "type_comment", "kind"})


def _text(node: Any) -> str:
    """Return a node's canonical JSON, in one walk: every start of Snakemake does this for all modules."""
    if isinstance(node, ast.AST):
        parts = []
        for name in _fields(type(node)):
            value = getattr(node, name, None)
            # Python 3.12 leaves empty pieces in some f-strings.
            if name == "values" and isinstance(node, ast.JoinedStr):
                value = [piece for piece in value if not (isinstance(piece, ast.Constant) and piece.value == "")]
            if name == "body" and isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
                value = value[1:]
            if value is not None and value != []:
                parts.append(f'"{name}":{_text(value)}')
        return f'["{type(node).__name__}",{{{",".join(parts)}}}]'
    if isinstance(node, list):
        return f"[{','.join(_parts(node))}]"
    # Not repr: which characters it escapes follows the Unicode tables of each Python version.
    return "null" if node is None else encode_basestring(f"{type(node).__name__}:{ascii(node)}")


def _parts(nodes: list[Any]) -> Iterator[str]:
    """Yield the text of each node of a list; neighbouring imports as one sorted group."""
    for is_import, group in groupby(nodes, lambda node: isinstance(node, ast.Import | ast.ImportFrom)):
        if is_import:
            yield from sorted(name for node in group for name in _imports(node))
        else:
            yield from map(_text, group)


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield each name that a statement imports, a module of this project without its folder."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            yield canonical(["import", alias.name, alias.asname])
            continue
        module = node.module or ""
        if module.split(".")[0] == PACKAGE:
            found = (ROOT / (module.replace(".", "/") + ".py")).is_file()
            module = f"{PACKAGE} {module.rpartition('.')[2] if found else ''}"
        yield canonical(["from", node.level, module, alias.name, alias.asname])


def imported_modules(tree: ast.AST) -> set[str]:
    """Return the project modules that a source imports anywhere in it, as paths from the root."""
    names: set[str] = set()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    paths = {name.replace(".", "/") + ".py" for name in names if name.split(".")[0] in (PACKAGE, "scripts")}
    return {path for path in paths if (ROOT / path).is_file()}


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements in a tree; imports are nowhere else."""
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        if isinstance(parts := getattr(node, name, None), list):
            for part in parts:
                yield part
                yield from _statements(part)


def _read(path: str) -> tuple[str, frozenset[str]]:
    return _module(path, (ROOT / path).stat().st_mtime_ns)


@cache
def _module(path: str, _stamp: int) -> tuple[str, frozenset[str]]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return source_digest(tree), frozenset(imported_modules(tree))


def code_paths(script: str, unused: Iterable[str] = (), used: Iterable[str] = ()) -> dict[str, str]:
    """Return the path of each module that ``script`` runs, itself included, by the module's name without its folder.

    Parameters
    ----------
    script : path from the root, for example ``scripts/training/train_student.py``
    unused : modules that this job never imports, for example the engine that config does not name
    used : modules that it imports by a name from config and not by a statement: its loss
    """
    found: dict[str, str] = {}
    todo, skip = [script, *used], PLUMBING | set(unused)
    while todo:
        path = todo.pop()
        name = Path(path).stem
        if path in skip or found.get(name) == path:
            continue
        if name in found:
            raise ValueError(f"{path} and {found[name]} have the same name and {script} runs both; rename one")
        found[name] = path
        todo.extend(_read(path)[1])
    return found


def code_digests(script: str, unused: Iterable[str] = (), used: Iterable[str] = ()) -> dict[str, str]:
    """Return one digest per module that ``script`` runs, by the module's name; arguments as for `code_paths`."""
    return {name: _read(path)[0] for name, path in code_paths(script, unused, used).items()}
