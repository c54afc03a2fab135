"""Show the first tables of a run, and where its other tables and its figures are.

  thinksafe show                 # the run whose tables are the newest
  thinksafe show miniature

Figures are PNG and PDF files; each has the table that it was drawn from beside the others.
"""

import argparse
import json
from pathlib import Path

from thinksafe.errors import UserError


def results_of(run: Path) -> dict[str, list[Path]]:
    """Return the tables and figures of a run, in the order of their numbers."""
    found = {"tables": (run / "tables").glob("table*.md"), "figures": (run / "figures").glob("figure*.png")}
    return {kind: sorted(paths, key=lambda path: by_number(path.stem)) for kind, paths in found.items()}


def shown(run: Path) -> str:
    """Return the run's first tables as text and the paths of all tables and figures."""
    results = results_of(run)
    first = [path for path in results["tables"] if path.stem in ("table1", "table2")]
    parts = [f"{path}\n\n{path.read_text(encoding='utf-8').strip()}\n" for path in first]
    for kind, paths in results.items():
        if paths:
            parts.append(f"All {kind}:\n" + "\n".join(f"  {path}" for path in paths))
    return "\n".join(parts)


def by_number(name: str) -> tuple[str, int]:
    """Return the key that sorts ``table10`` after ``table9``."""
    letters = name.rstrip("0123456789")
    return letters, int(name[len(letters) :] or 0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", nargs="?", help="a run's name under results/ (default: that of the newest tables)")
    parser.add_argument("--json", action="store_true", help="one JSON object with the paths")


def run(arguments: argparse.Namespace) -> int:
    """Print what one run has."""
    folders = sorted(Path("results").glob(f"{arguments.run or '*'}/tables"), key=lambda folder: folder.stat().st_mtime)
    if not folders or not (text := shown(folder := folders[-1].parent)):
        raise UserError(f"results/{arguments.run or ''}: has no tables or figures yet")
    paths = {kind: [str(path) for path in found] for kind, found in results_of(folder).items()}
    print(json.dumps(paths, indent=1) if arguments.json else f"\n{text}\n")
    return 0
