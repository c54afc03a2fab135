"""Where a run keeps what it makes: each kind of path under ``results/<run>`` is written here once, and parsed here.

One folder per wildcard, so that a path reads as a sentence. `Pattern` fills a path in and takes it apart again; which
paths a selection has is the study's business (thinksafe/study/paths.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

CELL = "{student}/trained-with/{method}/replicate-{replicate}/on/{benchmark}"
RAW = "{student}/steered-by/{steering}/draws-{samples}/replicate-{replicate}/{prompts}"
SHARD = "part-{shard}"


class Pattern(str):
    """The path of one kind of artifact from the run's folder, without its ending, with a field per wildcard."""

    def __call__(self, *keys: Any, **more: Any) -> str:
        """Return the path of one artifact; ``keys`` are named tuples or mappings that hold its fields."""
        fields: dict[str, Any] = {}
        for key in keys:
            fields |= key if isinstance(key, dict) else key._asdict()
        return self.format(**fields, **more)

    @cached_property
    def fields(self) -> list[str]:
        """Return the names of the fields, in their order."""
        return re.findall(r"\{(\w+)\}", self)

    @cached_property
    def _form(self) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+)\}", self)
        fields = [rf"(?P<{part}>[^/]+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts)]
        endings = r"\.(?:identity\.json|record\.json|statistics\.json|parquet|json|csv|md)"
        return re.compile(rf"(?:^|.*/){''.join(fields)}(?:{endings})?$")

    def parse(self, path: Any) -> dict[str, str] | None:
        """Return the fields of an artifact's path, whatever folder the run is in; None where it is of another kind."""
        found = self._form.match(str(path))
        return found.groupdict() if found else None


def with_files(
    cells: Sequence[Mapping[str, Any]],
    paths: Iterable[str],
    pattern: Pattern,
    name: str = "path",
    many: bool = False,
    optional: bool = False,
) -> list[dict[str, Any]]:
    """Return each cell with its own files under ``name``, told by the fields in their paths and not by their order.

    ``many``: a cell has a list of files, in the order of ``paths``; otherwise exactly one. ``optional``: or none.

    Raises
    ------
    ValueError
        If a file belongs to no cell, or a cell has none, or more than one where it should have one.
    """
    fields = [field for field in pattern.fields if cells and field in cells[0]]
    found: dict[tuple[str, ...], list[str]] = {tuple(str(cell[field]) for field in fields): [] for cell in cells}
    for path in paths:
        told = pattern.parse(path)
        key = tuple(told[field] for field in fields) if told else None
        if key not in found:
            raise ValueError(f"{path}: belongs to none of the {len(cells)} cells of this job")
        found[key].append(str(path))
    rows = []
    for cell in cells:
        own = found[tuple(str(cell[field]) for field in fields)]
        if (not own and not optional) or (len(own) > 1 and not many):
            raise ValueError(
                f"{len(own)} files for {' '.join(str(cell[field]) for field in fields)}: {', '.join(own[:3])}"
            )
        rows.append({**cell, name: own if many else next(iter(own), None)})
    return rows


def named(paths: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return for each name, a path from the run's folder, the one of ``paths`` that has it."""
    folders = {str(path): Path(path) for path in paths}
    found = {"/".join(place.parts[i:]): path for path, place in folders.items() for i in range(len(place.parts))}
    return [found[name] for name in names]


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
