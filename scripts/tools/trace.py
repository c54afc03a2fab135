"""Print the chain from a cell of a table back to the raw answers: `make trace CELL=results/miniature/scores/...json`.

Walks the identities: each names its inputs by path and digest. An input whose content is no longer what was used is
marked, so that a number can be audited without running anything.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def identity_of(artifact: Path) -> Path | None:
    """Return the identity that describes an artifact: of its own name, or of its stem."""
    from scripts.lib.files import IDENTITY

    if str(artifact).endswith(IDENTITY):
        return artifact
    name = artifact.name
    while name:
        candidate = artifact.with_name(name + IDENTITY)
        if candidate.is_file():
            return candidate
        name = name.rpartition(".")[0]
    return None


def chain(artifact: Path, run: Path, depth: int = 0, seen: set[Path] | None = None) -> list[str]:
    """Return one line per artifact that ``artifact`` was made from, deeper ones indented."""
    from scripts.lib.files import read_json
    from scripts.lib.manifests import input_digest

    seen = set() if seen is None else seen
    identity = identity_of(artifact)
    if identity is None:
        return [f"{'  ' * depth}{artifact}  (a source: no rule made it)"]
    told = read_json(identity)
    digest = next(iter(told["content"].values()))[:12]
    lines = [f"{'  ' * depth}{artifact}  {digest}"]
    if identity in seen:
        return [lines[0] + "  (see above)"]
    seen.add(identity)
    for name, used in sorted(told["inputs"].items()):
        path = run / name if not Path(name).exists() else Path(name)
        if not path.exists():
            lines.append(f"{'  ' * (depth + 1)}{path}  MISSING")
            continue
        if input_digest(path) != used:
            lines.append(f"{'  ' * (depth + 1)}{path}  CHANGED since it was used")
        lines += chain(path, run, depth + 1, seen)
    return lines


def cell(run: Path, text: str) -> list[Path]:
    """Return the scores behind ``student/method/metric`` of a run's tables."""
    student, method, metric = text.split("/")
    found = sorted(run.glob(f"scores/*/{student}/trained-with/{method}/replicate-*/on/{metric}.json"))
    found = [path for path in found if not path.name.endswith((".identity.json", ".record.json"))]
    if not found:
        sys.exit(
            f"{run}: no score for {text}; name a cell as student/method/benchmark, e.g. qwen3-mini/thinksafe/gsm8k"
        )
    return found


def main() -> None:
    """Print the chain of one artifact or one cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cell", help="a file under results/, or student/method/benchmark")
    parser.add_argument("--run", default="results/miniature", help="the run's folder")
    arguments = parser.parse_args()
    path = Path(arguments.cell)
    for artifact in [path] if path.exists() else cell(Path(arguments.run), arguments.cell):
        run = Path(*artifact.parts[: artifact.parts.index("results") + 2])
        print("\n".join(chain(artifact, run)))


if __name__ == "__main__":
    main()
