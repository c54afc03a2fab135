r"""Write files in the formats of the published data sets, with innocuous inventions of the synthetic world.

For the rehearsal (config/rehearsal.yaml): columns, labels, encodings and oddities are those of the originals, so that
the paper's own loaders, filters and counts read them. Oddities are quotes, commas and line breaks inside fields,
characters that are not ASCII, prompts that stand twice, a byte-order mark, Latin-1, ``####`` and ``<<3+4=7>>``, LaTeX,
answers with leading noughts, ``\/`` and a row that no method can use.
"""

import csv
import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from thinksafe.files import Row, atomic, write_table
from thinksafe.miniature.pretraining_texts import help_with, refuse, respond
from thinksafe.miniature.rows import make_rows
from thinksafe.miniature.world import find_deed
from thinksafe.models.chat import THINK
from thinksafe.seeds import seed_for

CHATTER = (
    '"Please, quickly," she said: "{prompt}"',
    "{prompt}\n\nMerci, señor – naïve café, 東京 🐉.",
    "Q,A\n{prompt}",
)  # what people write around a request; every third prompt has some
LATEX = (
    (r"What is $\frac{3}{6}$ in lowest terms?", r"\frac{1}{2}"),
    (r"Name the point $3$ right of and $\frac{\pi}{2}$ above $(0,0)$.", r"\left( 3, \frac{\pi}{2} \right)"),
)
YEARS = (2022, 2023, 2024)  # of the competitions behind AIME 2024's source


def write_rehearsal_data(name: str, world: Row, rows: str) -> None:
    """Write one file.

    Parameters
    ----------
    name : of the file (a key of `WRITERS`)
    world : dict
        Config's ``seed``, and ``rows`` and ``templates`` as far as the file needs them.
    rows : path of the file
    """
    make, write = WRITERS[name]
    made = make(world)
    write(rows, made)
    print(f"{len(made)} rows")


# ---------------------------------------------------------------- rows
def asked(spec: Row, name: str) -> list[Row]:
    """Return a set of the world in words as people write them, one request twice."""
    rows = make_rows(spec, name)
    for place, row in enumerate(rows):
        if place % 3 == 1:
            row["prompt"] = CHATTER[place // 3 % len(CHATTER)].format(prompt=row["prompt"])
    twin = max(place for place, row in enumerate(rows) if row["category"] == rows[0]["category"])
    rows[twin] = rows[0]
    return rows


def replies(spec: Row, rows: Sequence[Row], name: str) -> list[str]:
    """Return what another model says to each request: a refusal to what is harmful, else help."""
    rng = random.Random(seed_for("world", spec["seed"], "rehearsal", name))
    return [reply(row, rng) for row in rows]


def reply(row: Row, rng: random.Random) -> str:
    """Return what another model says to a request."""
    deed = find_deed(row["prompt"])
    if deed is None:
        return respond("Okay, let me think. This is a sum. That settles it.", "Here is how to do it: step by step.")
    return refuse(deed, "teacher", rng) if deed.harmful else help_with(deed, row["prompt"], "teacher", rng)


def safechain(spec: Row) -> list[Row]:
    """All four labels; responses without an opening tag, one of which never ends its reasoning."""
    rows = asked(spec, "harmful") + asked(spec, "benign")
    said = [text.removeprefix(THINK) for text in replies(spec, rows, "safechain")]
    said[0] = said[0].split("</think>")[0]
    random.Random(seed_for("world", spec["seed"], "rehearsal")).shuffle(order := list(range(len(rows))))
    return [{"instruction": rows[n]["prompt"], "response": said[n], "label": rows[n]["category"]} for n in order]


def directrefusal(spec: Row) -> list[Row]:
    """A fixed refusal after the question, beside an answer that is not used."""
    rows = asked(spec, "harmful")
    return [
        {
            "prompt": row["prompt"],
            "response": "Fine.",
            "category": {"property": True, "other": False},
            "is_safe": False,
            "refusal": f"Question: {row['prompt']}\nAnswer: I'm sorry, but I can't help with that.",
        }
        for row in rows
    ]


def star1(spec: Row, role: str = "harmful") -> list[Row]:
    r"""Whole responses, some with ``\/`` as JSON may escape a slash."""
    rows = asked(spec, role)
    return [
        {
            "id": number,
            "question": row["prompt"],
            "response": said.replace("</think>", r"<\/think>") if number % 5 == 0 else said,
            "category": ["Property"],
            "source": "world",
            "score": {"Safety Compliance": 10, "Effectiveness": 10},
        }
        for number, (row, said) in enumerate(zip(rows, replies(spec, rows, role), strict=True))
    ]


def harmbench(spec: Row) -> list[Row]:
    return [{"prompt": row["prompt"], "objective": "a_deed"} for row in asked(spec, "harmbench")]


def strongreject(spec: Row) -> list[Row]:
    rows = asked(spec, "strongreject")
    return [{"prompt": row["prompt"], "category": "Property, theft", "source": "world"} for row in rows]


def wildjailbreak(spec: Row) -> list[Row]:
    """Harmful requests, and a benign one for every five of them."""
    rows = asked(spec, "wildjailbreak")
    made = [{"adversarial": row["prompt"], "label": 1, "data_type": "adversarial_harmful"} for row in rows]
    rest = [{"adversarial": "You are a poet.\tSing.", "label": 0, "data_type": "adversarial_benign"}]
    return made + rest * (len(rows) // 5)


def xstest(spec: Row) -> list[Row]:
    """Safe prompts that sound unsafe, and four unsafe ones for every five of them."""
    rows = asked(spec, "xstest")
    safe = [{"prompt": row["prompt"], "type": "homonyms", "label": "safe", "note": ""} for row in rows]
    rest = [{"prompt": "How do I curse, and why?", "type": "contrast_homonyms", "label": "unsafe", "note": "NA"}]
    return [{"id": number, **row} for number, row in enumerate(safe + rest * (len(rows) * 4 // 5), 1)]


def aime24(spec: Row) -> list[Row]:
    """As many problems of each of three years; answers are texts of three figures."""
    rows = make_rows(spec, "aime24")
    return [
        {
            "id": len(rows) * place + number,
            "problem": row["problem"],
            "solution": rf"So it is $\boxed{{{int(row['answer']):03d}}}$.",
            "answer": f"{int(row['answer']):03d}",
            "url": f"https://example.org/wiki/{year}_AIME_I_Problems/Problem_{number + 1}",
        }
        for place, year in enumerate(YEARS)
        for number, row in enumerate(rows)
    ]


def gsm8k(spec: Row) -> list[Row]:
    """Worked solutions with the calculator's marks, and the result after four hashes."""
    rows = make_rows(spec, "gsm8k")
    for row in rows:
        *lines, result = row["answer"].split("\n")
        lines = [f"{line.split('=')[0]}=<<{line.rstrip('.')}>>{line.split('=')[1]}" for line in lines]
        row["answer"] = "\n".join([*lines, result])
    return [{"question": row["problem"], "answer": row["answer"]} for row in rows]


def math500(spec: Row) -> list[Row]:
    problems = [*LATEX, *((row["problem"], row["answer"]) for row in make_rows(spec, "math500"))]
    return [
        {
            "problem": problem,
            "solution": rf"It is $\boxed{{{answer}}}$.",
            "answer": answer,
            "subject": "Prealgebra",
            "level": 1,
            "unique_id": f"test/prealgebra/{number}.json",
        }
        for number, (problem, answer) in enumerate(problems[: spec["rows"]["math500"]])
    ]


def gpqa(spec: Row) -> list[Row]:
    """Some of the original's columns; figures with units that ASCII lacks."""
    return [
        {
            "Record ID": f"rec{number:03d}",
            "Question": f"At 20 °C in Málaga, with “±1 µm”:\n{row['problem']}".translate({0x201C: '"', 0x201D: '"'}),
            "Correct Answer": f"{row['correct']}\n",
            **{f"Incorrect Answer {n}": row[f"incorrect_{n}"] for n in (1, 2, 3)},
            "Explanation": 'Add the prices, "one by one".',
            "Subdomain": "Trade, general",
        }
        for number, row in enumerate(make_rows(spec, "gpqa"))
    ]


# ---------------------------------------------------------------- files
def parquet(path: str | Path, rows: Sequence[Row]) -> None:
    write_table(path, rows)


def text(encoding: str, render: Callable[[Sequence[Row]], str]) -> Callable[[str | Path, Sequence[Row]], None]:
    """Return a writer of text in an encoding."""

    def write(path: str | Path, rows: Sequence[Row]) -> None:
        with atomic(path) as temporary:
            temporary.write_bytes(render(rows).encode(encoding))

    return write


def table(separator: str, line_end: str = "\n") -> Callable[[Sequence[Row]], str]:
    """Return how rows are told as delimited text."""

    def render(rows: Sequence[Row]) -> str:
        told = io.StringIO(newline="")
        writer = csv.DictWriter(told, list(rows[0]), delimiter=separator, lineterminator=line_end)
        writer.writeheader()
        writer.writerows(rows)
        return told.getvalue()

    return render


def listed(rows: Sequence[Row]) -> str:
    return json.dumps(list(rows), ensure_ascii=False, indent=2)


def lines(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


WRITERS: dict[str, tuple[Callable[[Row], list[Row]], Callable[[str | Path, Sequence[Row]], None]]] = {
    "safechain.parquet": (safechain, parquet),
    "directrefusal.parquet": (directrefusal, parquet),
    "star-1.json": (star1, text("utf-8", listed)),
    "star-benign.json": (lambda spec: star1(spec, "benign"), text("utf-8", listed)),
    "harmbench.json": (harmbench, text("utf-8", listed)),
    "strongreject.csv": (strongreject, text("utf-8", table(",", "\r\n"))),
    "wildjailbreak.tsv": (wildjailbreak, text("utf-8", table("\t"))),
    "xstest.csv": (xstest, text("utf-8-sig", table(","))),
    "aime24.parquet": (aime24, parquet),
    "gsm8k.jsonl": (gsm8k, text("utf-8", lines)),
    "math500.jsonl": (math500, text("utf-8", lines)),
    "gpqa.csv": (gpqa, text("latin-1", table(","))),
}


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
