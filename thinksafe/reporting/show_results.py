"""Print the tables of a finished run and say where its figures are: `make demo` ends with it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def shown(run: Path) -> str:
    """Return the run's first tables as text and the paths of all tables and figures."""
    tables = sorted((run / "tables").glob("table*.md"), key=_number)
    figures = sorted((run / "figures").glob("figure*.png"), key=_number)
    parts = [
        f"{table}\n\n{table.read_text(encoding='utf-8').strip()}\n" for table in tables if _number(table)[0] in (1, 2)
    ]
    for name, files in (("tables", tables), ("figures", figures)):
        if files:
            parts.append(f"All {name}:\n" + "\n".join(f"  {file}" for file in files))
    return "\n".join(parts)


def _number(path: Path) -> tuple[int, str]:
    """Return the table's or figure's number, which sorts 10 behind 9."""
    figures = "".join(letter for letter in path.stem if letter.isdigit())
    return int(figures or 0), path.stem


def main() -> None:
    """Print what one run has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the run's folder, such as results/miniature")
    run = parser.parse_args().run
    if not (text := shown(run)):
        sys.exit(f"{run}: holds no tables or figures yet")
    print(f"\n{text}\n")


if __name__ == "__main__":
    main()
