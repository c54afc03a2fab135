"""Bring the harmful and the benign training prompts into one form (paper Sec. 3: D_h and D_b)."""

from collections.abc import Callable
from typing import Any

from thinksafe.data.sources import COLUMNS, prompt_row, select, source_rows
from thinksafe.files import write_rows


def prepare_prompts(files: list[str], spec: dict[str, Any], output: str, progress: Callable[[int, int], None]) -> None:
    """Write the prompts of one role, numbered in the order of the source; duplicates stay, as they are rows of it."""
    role, columns = spec["role"], spec["columns"]
    rows = select(source_rows(spec["source"], files), spec, f"prompts.{role}")
    prompts = [prompt_row(row, columns, f"{role}-{n:06d}", row[columns["prompt"]]) for n, row in enumerate(rows)]
    write_rows(output, prompts, COLUMNS)
    print(f"{len(prompts)} {role} prompts, {len({row['prompt'] for row in prompts})} of them distinct")
    progress(1, 1)


if __name__ == "__main__":
    import json

    from thinksafe.jobs.start import start

    start(
        snakemake,
        "prepare_prompts",
        files=list(snakemake.input.get("source", [])),
        spec=json.loads(snakemake.params.spec),
        output=snakemake.output.prompts,
    )
