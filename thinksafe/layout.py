"""Where a run keeps what it makes: each kind of path under ``results/<run>`` is written here once, and parsed here.

One folder per wildcard, so that a path reads as a sentence. `Pattern` fills a path in and takes it apart again; which
paths a selection has is the study's business (thinksafe/study/paths.py).
"""

from __future__ import annotations

import re
from functools import cached_property
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
    def _form(self) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+)\}", self)
        fields = [rf"(?P<{part}>[^/]+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts)]
        endings = r"\.(?:identity\.json|record\.json|statistics\.json|parquet|json|csv|md)"
        return re.compile(rf"(?:^|.*/){''.join(fields)}(?:{endings})?$")

    def parse(self, path: Any) -> dict[str, str] | None:
        """Return the fields of an artifact's path, whatever folder the run is in; None where it is of another kind."""
        found = self._form.match(str(path))
        return found.groupdict() if found else None


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
