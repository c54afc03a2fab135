"""The layout of a run: the paths under ``results/<run>/`` that several jobs share, written here once, and parsed here.

One folder per wildcard, so that a path reads as a sentence. thinksafe/study/paths.py lists those of a selection.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

RESULTS = "<results>"  # Snakemake's name for the run's folder
ENDINGS = r"\.(?:identity\.json|record\.json|statistics\.json|parquet|json|csv|md)"


class Pattern(str):
    """The path of one kind of artifact from the run's folder, without its ending, with a field per wildcard."""

    def __call__(self, *keys: Any, **more: Any) -> str:
        """Return the path of one artifact; ``keys`` are named tuples or dicts that hold its fields."""
        fields: dict[str, Any] = {}
        for key in keys:
            fields |= key if isinstance(key, dict) else key._asdict()
        return self.format(**fields, **more)

    def in_run(self, *keys: Any, **more: Any) -> str:
        """Return the path of one artifact as rules name it."""
        return f"{RESULTS}/{self(*keys, **more)}"

    @cached_property
    def fields(self) -> list[str]:
        """Return the names of the fields in order."""
        return re.findall(r"\{(\w+)\}", self)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        path = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+?)", re.escape(self))
        return re.compile(rf"(?:.*/)?{path}(?:{ENDINGS})?")

    def parse(self, path: Any) -> dict[str, str] | None:
        """Return the fields of an artifact's path in any run's folder; None for a path of another kind."""
        found = self._regex.fullmatch(str(path))
        return found.groupdict() if found else None


CELL = "{student}/trained-with/{method}/replicate-{replicate}/on/{benchmark}"
RAW = "{student}/steered-by/{steering}/draws-{samples}/replicate-{replicate}/{prompts}"
SHARD = "part-{shard}"

PROMPTS = Pattern("prompts/{prompts}")
BENCHMARK = Pattern("benchmarks/{benchmark}")
CORPUS = Pattern("corpora/{corpus}")
MODEL = Pattern("models/{model}")
RESPONSES = Pattern(f"responses/{RAW}/{SHARD}")
RESPONSE_VERDICTS = Pattern(f"verdicts/by-{{guard}}/on-responses/{RAW}/{SHARD}")
TRAINING_SET = Pattern("datasets/{student}/for/{method}/replicate-{replicate}")
ADAPTER = Pattern("adapters/{student}/trained-with/{method}/replicate-{replicate}")
ANSWERS = Pattern(f"answers/{CELL}/{SHARD}")
ANSWER_VERDICTS = Pattern(f"verdicts/by-{{guard}}/on-answers/{CELL}/{SHARD}")
VIEW_VERDICTS = Pattern(f"verdicts/by-{{guard}}/of-{{view}}/on-answers/{CELL}/{SHARD}")
SCORE = Pattern(f"scores/{{kind}}/{CELL}")
PERPLEXITY = Pattern("scores/perplexity/{student}/of/{method}/replicate-{replicate}")
TABLE = Pattern("tables/{name}")
FIGURE = Pattern("figures/{name}")


def with_files(
    cells: Sequence[Mapping[str, Any]],
    paths: Iterable[str],
    pattern: Pattern,
    name: str = "path",
    many: bool = False,
    optional: bool = False,
) -> list[dict[str, Any]]:
    """Return each cell with its own files under ``name``, matched by the fields in their paths.

    With ``many`` a cell has a list of files in the order of ``paths``, otherwise exactly one; with ``optional`` it may
    have none.

    Raises
    ------
    ValueError
        If a file belongs to no cell, or a cell has too few files or too many.
    """
    fields = [field for field in pattern.fields if cells and field in cells[0]]
    files: dict[tuple[str, ...], list[str]] = {tuple(str(cell[field]) for field in fields): [] for cell in cells}
    for path in paths:
        parsed = pattern.parse(path)
        key = tuple(parsed[field] for field in fields) if parsed else None
        if key not in files:
            raise ValueError(f"{path}: belongs to none of the {len(cells)} cells of this job")
        files[key].append(str(path))
    for key, own in files.items():
        if (not own and not optional) or (len(own) > 1 and not many):
            raise ValueError(f"{len(own)} files for {' '.join(key)}: {', '.join(own[:3])}")
    found = [files[tuple(str(cell[field]) for field in fields)] for cell in cells]
    return [{**cell, name: own if many else next(iter(own), None)} for cell, own in zip(cells, found, strict=True)]


def files_named(paths: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return for each name, a path from the run's folder, the file of ``paths`` that ends in it."""
    parts = {str(path): Path(path).parts for path in paths}
    ends = {"/".join(place[i:]): path for path, place in parts.items() for i in range(len(place))}
    return [ends[name] for name in names]
