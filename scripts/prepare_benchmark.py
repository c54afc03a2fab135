"""Bring a benchmark into the form in which it is asked and scored (paper Sec. 5.1, B)."""

import random
from collections.abc import Callable
from typing import Any

from scripts.lib.files import write_rows
from scripts.lib.seeds import seed_for
from scripts.lib.sources import COLUMNS, prompt_row, select, source_rows


def prepare_benchmark(
    files: list[str], spec: dict[str, Any], output: str, progress: Callable[[int, int], None]
) -> None:
    """Write one benchmark's prompts, with gold answers where it has some."""
    name = spec["benchmark"]
    rows = select(source_rows(spec["source"], files), spec, f"benchmarks.{name}")
    write_rows(output, [benchmark_row(row, spec, f"{name}-{n:05d}") for n, row in enumerate(rows)], COLUMNS)
    progress(1, 1)


def benchmark_row(row: dict[str, Any], spec: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one row: the prompt as it is asked, and for reasoning the gold answer."""
    columns = spec["columns"]
    if spec["kind"] != "reasoning":
        return prompt_row(row, columns, name, row[columns["prompt"]])
    problem, gold = row[columns["problem"]], None
    if "correct" in columns:
        problem, gold = multiple_choice(row, columns, name)
    else:
        gold = str(row[columns["answer"]])
        if spec["task"] == "gsm8k" and "####" in gold:
            gold = gold.split("####")[-1].strip().replace(",", "")
    return prompt_row(row, columns, name, spec["template"].replace("{problem}", problem)) | {"answer": gold}


def multiple_choice(row: dict[str, Any], columns: dict[str, Any], name: str) -> tuple[str, str]:
    """Return the question with its four options in an order of its own, and the letter of the right one.

    # Paper: silent. SkyThought shuffles all questions by one global stream (seed 41), whose order depends on what else
    # drew from it; here each row has its own stream.
    """
    options = [str(row[columns["correct"]]), *(str(row[column]) for column in columns["incorrect"])]
    order = list(range(len(options)))
    random.Random(seed_for(41, name)).shuffle(order)
    letters = "ABCD"[: len(options)]
    listed = ", ".join(f"{letter}) {options[i].strip()}" for letter, i in zip(letters, order, strict=True))
    return f"{row[columns['problem']]}\n{listed}", letters[order.index(0)]


if __name__ == "__main__":
    import json

    from scripts.lib.running import start

    start(
        snakemake,
        "prepare_benchmark",
        files=list(snakemake.input.get("source", [])),
        spec=json.loads(snakemake.params.spec),
        output=snakemake.output.prompts,
    )
