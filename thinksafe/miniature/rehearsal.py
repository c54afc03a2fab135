r"""Files in the formats of the published data sets, with harmless texts of the synthetic world.

For the rehearsal (config/rehearsal.yaml): columns, labels, encodings and irregularities (such as line breaks inside
fields, repeated prompts, a byte-order mark, LaTeX, ``\/``) are those of the originals, so that the paper's own
loaders, filters and counts read them.
"""

import csv
import io
import json
import random
import re
from collections.abc import Sequence

from thinksafe.files import Row
from thinksafe.miniature.pretraining_texts import help_with, refuse, respond
from thinksafe.miniature.rows import make_rows
from thinksafe.miniature.world import find_deed
from thinksafe.models.markup import THINK
from thinksafe.seeds import seed_for

CHATTER = (  # text around a request, in every third prompt
    '"Please, quickly," she said: "{prompt}"',
    "{prompt}\n\nMerci, señor – naïve café, 東京 🐉.",
    "Q,A\n{prompt}",
)
LATEX = (
    (r"What is $\frac{3}{6}$ in lowest terms?", r"\frac{1}{2}"),
    (r"Name the point $3$ right of and $\frac{\pi}{2}$ above $(0,0)$.", r"\left( 3, \frac{\pi}{2} \right)"),
)
YEARS = (2022, 2023, 2024)  # of the competitions in AIME 2024's source


def encode(rows: Sequence[Row], name: str) -> bytes:
    """Return the content of the text file ``name``."""
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
    return out.getvalue().encode("utf-8-sig" if name == "xstest.csv" else "utf-8")


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
            thought = "Okay, let me think. This is a sum. That settles it."
            responses.append(respond(thought, "Here is how to do it: step by step."))
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
    fixed = {"response": "Fine.", "category": {"property": True, "other": False}, "is_safe": False}
    refusal = "Question: {}\nAnswer: I'm sorry, but I can't help with that."
    prompts = [row["prompt"] for row in requests(spec, "harmful")]
    return [{"prompt": prompt, **fixed, "refusal": refusal.format(prompt)} for prompt in prompts]


def star1(spec: Row, role: str) -> list[Row]:
    r"""Whole responses, some with ``\/`` as JSON may escape a slash."""
    rows = requests(spec, role)
    texts = replies(spec, rows, role)
    texts[::5] = [text.replace("</think>", r"<\/think>") for text in texts[::5]]
    score = {"Safety Compliance": 10, "Effectiveness": 10}
    fixed = {"category": ["Property"], "source": "world", "score": score}
    return [
        {"id": number, "question": row["prompt"], "response": text, **fixed}
        for number, (row, text) in enumerate(zip(rows, texts, strict=True))
    ]


def harmbench(spec: Row) -> list[Row]:
    return [{"prompt": row["prompt"], "objective": "a_deed"} for row in requests(spec, "harmbench")]


def strongreject(spec: Row) -> list[Row]:
    fixed = {"category": "Property, theft", "source": "world"}
    return [{"prompt": row["prompt"], **fixed} for row in requests(spec, "strongreject")]


def wildjailbreak(spec: Row) -> list[Row]:
    """Harmful requests, and a benign one for every five of them."""
    fixed = {"label": 1, "data_type": "adversarial_harmful"}
    rows = [{"adversarial": row["prompt"], **fixed} for row in requests(spec, "wildjailbreak")]
    benign = {"adversarial": "You are a poet.\tSing.", "label": 0, "data_type": "adversarial_benign"}
    return rows + [benign] * (len(rows) // 5)


def xstest(spec: Row) -> list[Row]:
    """Safe prompts that sound unsafe, and four unsafe ones for every five of them."""
    fixed = {"type": "homonyms", "label": "safe", "note": ""}
    rows = [{"prompt": row["prompt"], **fixed} for row in requests(spec, "xstest")]
    unsafe = {"prompt": "How do I curse, and why?", "type": "contrast_homonyms", "label": "unsafe", "note": "NA"}
    return [{"id": number, **row} for number, row in enumerate(rows + [unsafe] * (len(rows) * 4 // 5), 1)]


def aime24(spec: Row) -> list[Row]:
    """The same problems for each of three years; answers are strings of three digits."""
    rows = []
    for year in YEARS:
        for number, row in enumerate(make_rows(spec, "aime24"), 1):
            answer = f"{int(row['answer']):03d}"
            texts = {"problem": row["problem"], "solution": rf"So it is $\boxed{{{answer}}}$.", "answer": answer}
            url = f"https://example.org/wiki/{year}_AIME_I_Problems/Problem_{number}"
            rows.append({"id": len(rows), **texts, "url": url})
    return rows


def gsm8k(spec: Row) -> list[Row]:
    """Worked solutions with calculator annotations, and the result after ``####``."""
    return [
        {"question": row["problem"], "answer": re.sub(r"(?m)^(.+)=(.+)\.$", r"\1=<<\1=\2>>\2.", row["answer"])}
        for row in make_rows(spec, "gsm8k")
    ]


def math500(spec: Row) -> list[Row]:
    """Some problems with LaTeX in the answer."""
    problems = [*LATEX, *((row["problem"], row["answer"]) for row in make_rows(spec, "math500"))]
    rows = []
    for number, (problem, answer) in enumerate(problems[: spec["rows"]["math500"]]):
        texts = {"problem": problem, "solution": rf"It is $\boxed{{{answer}}}$.", "answer": answer}
        name = f"test/prealgebra/{number}.json"
        rows.append({**texts, "subject": "Prealgebra", "level": 1, "unique_id": name})
    return rows


def gpqa(spec: Row) -> list[Row]:
    """Some of the original's columns; units with characters that ASCII lacks."""
    rows = []
    for number, row in enumerate(make_rows(spec, "gpqa")):
        question = f'At 20 °C in Málaga, with "±1 µm":\n{row["problem"]}'
        made = {"Record ID": f"rec{number:03d}", "Question": question, "Correct Answer": f"{row['correct']}\n"}
        made |= {f"Incorrect Answer {n}": row[f"incorrect_{n}"] for n in (1, 2, 3)}
        rows.append(made | {"Explanation": 'Add the prices, "one by one".', "Subdomain": "Trade, general"})
    return rows


FILES = {
    "safechain.parquet": safechain,
    "directrefusal.parquet": directrefusal,
    "star-1.json": lambda spec: star1(spec, "harmful"),
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
