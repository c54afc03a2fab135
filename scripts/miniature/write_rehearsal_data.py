r"""Write files in the formats of the published data sets, with harmless texts of the synthetic world.

For the rehearsal (config/rehearsal.yaml): columns, labels, encodings and irregularities are those of the originals, so
that the paper's own loaders, filters and counts read them. Irregularities are quotes, commas and line breaks inside
fields, non-ASCII characters, repeated prompts, a byte-order mark, Latin-1, ``####`` and ``<<3+4=7>>``, LaTeX, answers
with leading zeros, ``\/`` and a row that no method can use.
"""

import csv
import io
import json
import random
import re
from collections.abc import Callable, Sequence

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
)  # text around a request, in every third prompt
LATEX = (
    (r"What is $\frac{3}{6}$ in lowest terms?", r"\frac{1}{2}"),
    (r"Name the point $3$ right of and $\frac{\pi}{2}$ above $(0,0)$.", r"\left( 3, \frac{\pi}{2} \right)"),
)
YEARS = (2022, 2023, 2024)  # of the competitions in AIME 2024's source


def write_rehearsal_data(name: str, world: Row, rows: str) -> None:
    """Write one file.

    Parameters
    ----------
    name : of the file (a key of `FILES`)
    world : ``seed``, ``rows`` and ``templates`` of config's ``world``, as far as the file needs them
    rows : path of the file
    """
    made = FILES[name](world)
    if name.endswith(".parquet"):
        write_table(rows, made)
    else:
        with atomic(rows) as temporary:
            temporary.write_bytes(encode(name, made))
    print(f"{len(made)} rows")


def encode(name: str, rows: Sequence[Row]) -> bytes:
    """Return the content of a text file."""
    out = io.StringIO(newline="")
    if name.endswith(".json"):
        json.dump(rows, out, ensure_ascii=False, indent=2)
    elif name.endswith(".jsonl"):
        out.writelines(json.dumps(row) + "\n" for row in rows)
    else:
        line_end = "\r\n" if name == "strongreject.csv" else "\n"
        delimiter = "\t" if name.endswith(".tsv") else ","
        writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator=line_end)
        writer.writeheader()
        writer.writerows(rows)
    return out.getvalue().encode({"xstest.csv": "utf-8-sig", "gpqa.csv": "latin-1"}.get(name, "utf-8"))


# ---------------------------------------------------------------- rows
def requests(spec: Row, name: str) -> list[Row]:
    """Return a set of the world with text around some requests, and one request twice."""
    rows = make_rows(spec, name)
    for place, row in enumerate(rows):
        if place % 3 == 1:
            row["prompt"] = CHATTER[place // 3 % len(CHATTER)].format(prompt=row["prompt"])
    twin = max(place for place, row in enumerate(rows) if row["category"] == rows[0]["category"])
    rows[twin] = rows[0]
    return rows


def replies(spec: Row, rows: Sequence[Row], name: str) -> list[str]:
    """Return another model's response to each request: a refusal if it is harmful, else help."""
    rng = random.Random(seed_for("world", spec["seed"], "rehearsal", name))
    responses = []
    for row in rows:
        deed = find_deed(row["prompt"])
        if deed is None:
            thought, answer = (
                "Okay, let me think. This is a sum. That settles it.",
                "Here is how to do it: step by step.",
            )
            responses.append(respond(thought, answer))
        elif deed.harmful:
            responses.append(refuse(deed, "teacher", rng))
        else:
            responses.append(help_with(deed, row["prompt"], "teacher", rng))
    return responses


def safechain(spec: Row) -> list[Row]:
    """All four labels; responses without an opening tag, one with reasoning that never ends."""
    rows = requests(spec, "harmful") + requests(spec, "benign")
    texts = [text.removeprefix(THINK) for text in replies(spec, rows, "safechain")]
    texts[0] = texts[0].split("</think>")[0]
    made = [
        {"instruction": row["prompt"], "response": text, "label": row["category"]}
        for row, text in zip(rows, texts, strict=True)
    ]
    random.Random(seed_for("world", spec["seed"], "rehearsal")).shuffle(made)
    return made


def directrefusal(spec: Row) -> list[Row]:
    """A fixed refusal after the question, and an answer that is not used."""
    return [
        {
            "prompt": row["prompt"],
            "response": "Fine.",
            "category": {"property": True, "other": False},
            "is_safe": False,
            "refusal": f"Question: {row['prompt']}\nAnswer: I'm sorry, but I can't help with that.",
        }
        for row in requests(spec, "harmful")
    ]


def star1(spec: Row, role: str = "harmful") -> list[Row]:
    r"""Whole responses, some with ``\/`` as JSON may escape a slash."""
    rows = requests(spec, role)
    return [
        {
            "id": number,
            "question": row["prompt"],
            "response": text.replace("</think>", r"<\/think>") if number % 5 == 0 else text,
            "category": ["Property"],
            "source": "world",
            "score": {"Safety Compliance": 10, "Effectiveness": 10},
        }
        for number, (row, text) in enumerate(zip(rows, replies(spec, rows, role), strict=True))
    ]


def harmbench(spec: Row) -> list[Row]:
    return [{"prompt": row["prompt"], "objective": "a_deed"} for row in requests(spec, "harmbench")]


def strongreject(spec: Row) -> list[Row]:
    return [
        {"prompt": row["prompt"], "category": "Property, theft", "source": "world"}
        for row in requests(spec, "strongreject")
    ]


def wildjailbreak(spec: Row) -> list[Row]:
    """Harmful requests, and a benign one for every five of them."""
    rows = requests(spec, "wildjailbreak")
    made = [{"adversarial": row["prompt"], "label": 1, "data_type": "adversarial_harmful"} for row in rows]
    rest = [{"adversarial": "You are a poet.\tSing.", "label": 0, "data_type": "adversarial_benign"}]
    return made + rest * (len(rows) // 5)


def xstest(spec: Row) -> list[Row]:
    """Safe prompts that sound unsafe, and four unsafe ones for every five of them."""
    rows = requests(spec, "xstest")
    safe = [{"prompt": row["prompt"], "type": "homonyms", "label": "safe", "note": ""} for row in rows]
    rest = [{"prompt": "How do I curse, and why?", "type": "contrast_homonyms", "label": "unsafe", "note": "NA"}]
    return [{"id": number, **row} for number, row in enumerate(safe + rest * (len(rows) * 4 // 5), 1)]


def aime24(spec: Row) -> list[Row]:
    """The same problems for each of three years; answers are strings of three digits."""
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
    """Worked solutions with calculator annotations, and the result after ``####``."""
    return [
        {"question": row["problem"], "answer": re.sub(r"(?m)^(.+)=(.+)\.$", r"\1=<<\1=\2>>\2.", row["answer"])}
        for row in make_rows(spec, "gsm8k")
    ]


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


FILES: dict[str, Callable[[Row], list[Row]]] = {
    "safechain.parquet": safechain,
    "directrefusal.parquet": directrefusal,
    "star-1.json": star1,
    "star-benign.json": lambda spec: star1(spec, "benign"),
    "harmbench.json": harmbench,
    "strongreject.csv": strongreject,
    "wildjailbreak.tsv": wildjailbreak,
    "xstest.csv": xstest,
    "aime24.parquet": aime24,
    "gsm8k.jsonl": gsm8k,
    "math500.jsonl": math500,
    "gpqa.csv": gpqa,
}


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
