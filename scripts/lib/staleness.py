"""What a job depends on, as three canonical values: its share of the config, its code, its environment.

Snakemake compares a rule's named params as an unordered set and never looks at what a script imports, so each rule
carries one param for everything that it takes from config, one with a digest per module that it runs, and one with the
pinned versions that can change its numbers (docs/staleness.md).
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Plumbing: logging, progress, signals, identities. It cannot change an artifact, so a change to it reruns nothing.
PLUMBING = frozenset(
    f"scripts/lib/{name}.py"
    for name in ("running", "warm", "leases", "manifests", "meters", "processes", "training_log")
)


def canonical(value: Any) -> str:
    """Return ``value`` as JSON in which equal values have equal text, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: Any) -> str:
    """Return a short digest of a JSON-like value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def source_digest(text: str) -> str:
    """Return a digest of Python source that comments, docstrings and layout do not change.

    The tree is walked here, because `ast.dump` and `ast.unparse` differ between Python versions: a node is its type and
    its filled fields, so fields that a later version adds empty do not count.
    """
    return digest_of(_tree(ast.parse(text)))


def _tree(node: Any) -> Any:
    if isinstance(node, ast.AST):
        fields = {
            name: _tree(value) for name, value in ast.iter_fields(node) if name not in ("ctx", "type_comment", "kind")
        }
        if isinstance(node, ast.JoinedStr):  # Python 3.12 leaves empty pieces in some f-strings
            pieces = [piece for piece in node.values if not (isinstance(piece, ast.Constant) and piece.value == "")]
            fields["values"] = _tree(pieces)
        if "body" in fields and isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if ast.get_docstring(node, clean=False) is not None:
                fields["body"] = fields["body"][1:]
        return [type(node).__name__, {name: value for name, value in fields.items() if value not in (None, [])}]
    if isinstance(node, list):
        return [_tree(item) for item in node]
    if node is None:
        return None
    # Not repr: which characters it escapes follows the Unicode tables of each Python version.
    return f"{type(node).__name__}:{ascii(node)}"


def imported_modules(text: str) -> set[str]:
    """Return the project modules that a source imports anywhere in it, as paths from the root."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    paths = {name.replace(".", "/") + ".py" for name in names if name.split(".")[0] == "scripts"}
    return {path for path in paths if (ROOT / path).is_file()}


@cache
def _module(path: str, _stamp: int) -> tuple[str, frozenset[str]]:
    text = (ROOT / path).read_text(encoding="utf-8")
    return source_digest(text), frozenset(imported_modules(text))


def code_digests(script: str, unused: Iterable[str] = (), used: Iterable[str] = ()) -> dict[str, str]:
    """Return one digest per module that ``script`` runs, itself included.

    Parameters
    ----------
    script : str
        Path from the root, for example ``scripts/train_student.py``.
    unused : iterable of str
        Modules that this job imports for no input that it can have, for example the engine that config does not name.
    used : iterable of str
        Modules that it imports by a name from config, which no import statement tells: its loss.
    """
    digests: dict[str, str] = {}
    todo, skip = [script, *used], PLUMBING | set(unused)
    while todo:
        path = todo.pop()
        if path in digests or path in skip:
            continue
        digests[path], imports = _module(path, (ROOT / path).stat().st_mtime_ns)
        todo.extend(imports)
    return digests
