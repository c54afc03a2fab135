"""Show the first tables of a run, and where its other tables and its figures are.

  thinksafe show                 # the run whose tables are the newest
  thinksafe show miniature

Figures are PNG and PDF files; each has the table that it was drawn from beside the others.
"""

import argparse
import json
from pathlib import Path

from thinksafe.errors import UserError


def by_number(name: str) -> tuple[str, int]:
    """Return the key that sorts ``table10`` after ``table9``."""
    letters = name.rstrip("0123456789")
    return letters, int(name[len(letters) :] or 0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", nargs="?", help="a run's name under results/ (default: that of the newest tables)")
    parser.add_argument("--json", action="store_true", help="one JSON object with the paths")


def run(arguments: argparse.Namespace) -> int:
    """Print the first tables of a run as text, and the paths of all its tables and figures."""
    folders = sorted(Path("results").glob(f"{arguments.run or '*'}/tables"), key=lambda folder: folder.stat().st_mtime)
    found = {"tables": [], "figures": []}
    for kind, pattern in (("tables", "table*.md"), ("figures", "figure*.png")):
        for folder in folders[-1:]:
            found[kind] = sorted((folder.parent / kind).glob(pattern), key=lambda path: by_number(path.stem))
    if not any(found.values()):
        raise UserError(f"results/{arguments.run or ''}: has no tables or figures yet")
    if arguments.json:
        print(json.dumps({kind: [str(path) for path in paths] for kind, paths in found.items()}, indent=1))
        return 0
    for path in found["tables"]:
        if path.stem in ("table1", "table2"):
            print(f"\n{path}\n\n{path.read_text(encoding='utf-8').strip()}")
    print()
    for kind, paths in found.items():
        if paths:
            print(f"All {kind}:", *paths, sep="\n  ")
    print()
    return 0
