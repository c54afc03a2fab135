"""Bring a benchmark into the form in which it is asked and scored (paper Sec. 5.1, B)."""

import random

from thinksafe.data.golds import comparable
from thinksafe.data.sources import COLUMNS, prompt_row, select, source_rows
from thinksafe.data.taking import take_prompts
from thinksafe.files import Row, write_rows
from thinksafe.jobs.start import start
from thinksafe.seeds import seed_for

SEED = 41  # SkyThought's default


def prepare_benchmark(source: list[str], spec: Row, prompts: str) -> None:
    """Write one benchmark's prompts, with gold answers where it has some."""
    name = spec["benchmark"]
    rows = select(source_rows(spec["source"], source), spec, f"benchmarks.{name}")
    # SkyThought draws all orders of options from Python's global stream, seeded once.
    stream = random.Random(SEED) if spec.get("option_order") == "skythought" else None
    items = [benchmark_row(row, spec, f"{name}-{n:05d}", stream) for n, row in enumerate(rows)]
    asked = take_prompts(items, spec.get("take"), f"benchmarks.{name}")
    write_rows(prompts, asked, COLUMNS)
    print(f"{len(asked)} of {len(items)} items of {name}")


def benchmark_row(row: Row, spec: Row, name: str, stream: random.Random | None = None) -> Row:
    """Return one row: the prompt as it is asked, and for reasoning the gold answer.

    ``stream`` orders the options of all questions, one after another; if None, each question has a stream of its own.
    """
    columns = spec["columns"]
    if spec["kind"] != "reasoning":
        return prompt_row(row, columns, name, row[columns["prompt"]])
    problem, gold = row[columns["problem"]], None
    if "correct" in columns:
        problem, gold = multiple_choice(row, columns, stream or random.Random(seed_for(SEED, name)))
    else:
        gold = comparable(row[columns["answer"]], spec["task"], name)
    return prompt_row(row, columns, name, spec["template"].replace("{problem}", problem)) | {"answer": gold}


def multiple_choice(row: Row, columns: Row, stream: random.Random) -> tuple[str, str]:
    """Return the question with its options in an order drawn from ``stream``, and the letter of the right one."""
    # Paper: silent. With SkyThought's one stream a question's letter depends on all questions before it.
    options = [str(row[columns["correct"]]), *(str(row[column]) for column in columns["incorrect"])]
    order = list(range(len(options)))
    stream.shuffle(order)
    listed = ", ".join(f"{letter}) {options[i].strip()}" for letter, i in zip("ABCD", order, strict=True))
    return f"{row[columns['problem']]}\n{listed}", "ABCD"[order.index(0)]


if __name__ == "__main__":
    start(snakemake, __file__)
