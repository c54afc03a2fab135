"""Bring the harmful and the benign training prompts into one form (paper Sec. 3: D_h and D_b)."""

from thinksafe.data.sources import COLUMNS, prompt_row, select, source_rows
from thinksafe.files import Row, write_rows
from thinksafe.jobs.start import start


def prepare_prompts(source: list[str], spec: Row, prompts: str) -> None:
    """Write the prompts of one role, numbered in the order of the source; duplicates stay, as they are rows of it."""
    role, columns = spec["role"], spec["columns"]
    rows = select(source_rows(spec["source"], source), spec, f"prompts.{role}")
    made = [prompt_row(row, columns, f"{role}-{n:06d}", row[columns["prompt"]]) for n, row in enumerate(rows)]
    write_rows(prompts, made, COLUMNS)
    print(f"{len(made)} {role} prompts, {len({row['prompt'] for row in made})} of them distinct")


if __name__ == "__main__":
    start(snakemake, __file__)
