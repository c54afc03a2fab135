"""Benchmark rows: templates, gold answers and shuffled options."""

import json
from collections import Counter
from pathlib import Path

import pytest

from scripts.data.prepare_benchmark import benchmark_row, prepare_benchmark
from thinksafe.config import settings
from thinksafe.config.types import plain
from thinksafe.files import read_rows

ROOT = Path(__file__).parents[2]

BOXED = r"Put your answer within \boxed{}. {problem} {not this}"
PLAIN = {"problem": "problem", "answer": "answer"}
CHOICE = {"problem": "Question", "correct": "Right", "incorrect": ["W1", "W2", "W3"]}


def row(source, columns=PLAIN, name="gsm8k-00000", **spec):
    return benchmark_row(
        source, {"kind": "reasoning", "task": "gsm8k", "template": "{problem}", "columns": columns} | spec, name
    )


@pytest.mark.parametrize(
    "answer, gold",
    [
        ("She pays <<3*4=12>>12.\n#### 1,234", "1234"),
        ("#### 12", "12"),
        ("a #### 3\n#### -1,000,000 ", "-1000000"),
        ("72", "72"),
        (72, "72"),
    ],
)
def test_gold_answers_of_gsm8k(answer, gold):
    assert row({"problem": "How many?", "answer": answer})["answer"] == gold


def test_other_tasks_keep_their_gold_answer():
    assert row({"problem": "x", "answer": r"(1,234) \frac{1}{2} #### 3"}, task="math500")["answer"].endswith("#### 3")
    assert row({"problem": "x", "answer": 33}, task="aime24")["answer"] == "33"


def test_a_template_with_braces_takes_the_problem_and_nothing_else():
    made = row({"problem": r"Let {x} = \{1\}; {problem}", "answer": "1"}, template=BOXED)
    assert made["prompt"] == r"Put your answer within \boxed{}. Let {x} = \{1\}; {problem} {not this}"


def question(n=0):
    return {"Question": f"Which {n}?", "Right": f" right {n}\n", "W1": "wrong, A) one", "W2": 2, "W3": "wrong three"}


def test_the_letter_points_to_the_right_option_and_each_row_has_its_own_order():
    golds = Counter()
    for n in range(200):
        made = row(question(n), CHOICE, f"gpqa-{n:05d}", task="gpqa", template=BOXED)
        assert made == row(question(n), CHOICE, f"gpqa-{n:05d}", task="gpqa", template=BOXED)
        asked = made["prompt"].split(f"Which {n}?\n")[1]
        assert f"{made['answer']}) right {n}" in asked
        assert all(option in asked for option in ("A) ", "B) ", "C) ", "D) ", "wrong, A) one", ") 2", "wrong three"))
        golds[made["answer"]] += 1
    assert set(golds) == set("ABCD") and min(golds.values()) > 30


def test_the_order_of_options_is_known():
    made = [row(question(n), CHOICE, f"gpqa-{n:05d}", task="gpqa")["answer"] for n in range(12)]
    assert "".join(made) == "ADDCCBDDACAC"


def test_the_order_of_skythought_is_its_own(tmp_path):
    """Gold letters of the first questions under its seed, as its own handler gives them."""
    source = tmp_path / "gpqa.jsonl"
    source.write_text("\n".join(json.dumps(question(n)) for n in range(3)))
    spec = {
        "benchmark": "gpqa",
        "kind": "reasoning",
        "task": "gpqa",
        "template": "{problem}",
        "source": {"file": str(source)},
        "columns": CHOICE,
        "option_order": "skythought",
    }
    prepare_benchmark([str(source)], spec, str(tmp_path / "b.parquet"))
    rows = read_rows(tmp_path / "b.parquet")
    assert [row["answer"] for row in rows] == ["B", "A", "B"]
    assert all(f"{row['answer']}) right {n}" in row["prompt"] for n, row in enumerate(rows))


def test_a_missing_answer_is_an_error():
    for answer in (None, "", " "):
        with pytest.raises(ValueError, match="gsm8k-00000: there is no answer"):
            row({"problem": "How many?", "answer": answer})


# ---------------------------------------------------------------- the paper's benchmarks, rows invented
PAPER = plain(settings.load([ROOT / "config/config.yaml"]))["benchmarks"]
ODD = 'He said "no", then\nleft; naïve — é'


def invented(name, n):
    """Return row ``n`` of a file with the columns of the real one."""
    return {
        "harmbench": {"prompt": f"{ODD} {n}", "objective": f"o{n // 2}"},
        "strongreject": {"prompt": f"{ODD} {n}", "category": "x"},
        "wildjailbreak": {
            "adversarial": f"{ODD} {n}",
            "label": 1,
            "data_type": "adversarial_harmful" if n < 2000 else "adversarial_benign",
        },
        "xstest": {"id": 7, "prompt": f"{ODD} {n}", "label": "safe" if n % 9 < 5 else "unsafe"},
        "aime24": {"id": n, "problem": f"${n}$?", "answer": f"{n % 7:03d}", "url": f"/wiki/{2022 + n % 3}_AIME_I"},
        "gsm8k": {"question": f"{ODD} {n}", "answer": f"<<{n}*1000>>\n#### {n},000"},
        "math500": {
            "problem": r"\(x_{1}\)",
            "answer": r"\left( 3, \frac{\pi}{2} \right)",
            "unique_id": "test/a/1.json",
        },
        "gpqa": {
            "Question": f"{ODD} {n}",
            "Correct Answer": f"right {n}\n",
            "Incorrect Answer 1": "NA",
            "Incorrect Answer 2": "None",
            "Incorrect Answer 3": "1,2-x",
        },
    }[name]


FORMATS = {
    "harmbench": "json",
    "strongreject": "csv",
    "wildjailbreak": "tsv",
    "xstest": "parquet",
    "aime24": "parquet",
    "gsm8k": "jsonl",
    "math500": "jsonl",
    "gpqa": "csv",
}


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_benchmarks_have_their_numbers_of_rows(name, tmp_path):
    """From a local copy in the real format, the GPQA one in Windows-1252, which one public copy is in."""
    rows = [invented(name, n) for n in range(PAPER[name].get("source_rows", PAPER[name]["rows"]))]
    path = tmp_path / f"rows.{FORMATS[name]}"
    write(path, rows, "cp1252" if name == "gpqa" else "utf-8")
    source = {"file": str(path)} | ({"encoding": "cp1252"} if name == "gpqa" else {})
    spec = PAPER[name] | {"benchmark": name, "source": source}
    prepare_benchmark([str(path)], spec, str(tmp_path / "made.parquet"))
    made = read_rows(tmp_path / "made.parquet")
    wanted = dict(zip(PAPER, (602, 313, 2000, 250, 30, 1319, 500, 198), strict=True))
    assert len(made) == wanted[name] == len({row["id"] for row in made})
    first = next(row for row in rows if name != "aime24" or "2024" in row["url"])
    if name in ("harmbench", "strongreject", "xstest"):
        assert made[0]["prompt"] == first["prompt"]
    elif name == "wildjailbreak":
        assert [row["prompt"] for row in made] == [row["adversarial"] for row in rows[:2000]]
    elif name == "aime24":
        assert made[0]["answer"] == first["answer"] == "002"
    elif name == "gsm8k":
        assert [row["answer"] for row in made[:2]] == ["0000", "1000"]
    elif name == "math500":
        assert made[0]["answer"] == first["answer"] and made[0]["prompt"].endswith(first["problem"])
    else:
        assert f"{made[0]['answer']}) right 0" in made[0]["prompt"] and ") NA" in made[0]["prompt"]
        assert "naïve — é" in made[0]["prompt"]


def write(path, rows, encoding):
    import csv
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix in (".csv", ".tsv"):
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)
        path.write_bytes(out.getvalue().encode(encoding))
    else:
        lines = json.dumps(rows) if path.suffix == ".json" else "\n".join(map(json.dumps, rows))
        path.write_text(lines, encoding=encoding)


def test_harm_and_refusal_benchmarks_are_asked_as_they_are():
    made = row({"text": " Do {it}! ", "kind": "bad"}, {"prompt": "text", "category": "kind"}, "hb-00001", kind="harm")
    assert made == {"id": "hb-00001", "prompt": " Do {it}! ", "category": "bad", "answer": None, "meta": None}


def test_a_benchmark_is_written_with_its_rows_asserted(tmp_path):
    source = tmp_path / "b.jsonl"
    source.write_text(
        "\n".join(json.dumps({"q": f"q{n}", "a": f"#### {n},000", "url": f"x{2023 + n}"}) for n in range(2))
    )
    spec = {
        "benchmark": "gsm8k",
        "kind": "reasoning",
        "task": "gsm8k",
        "template": BOXED,
        "source": {"file": str(source)},
        "columns": {"problem": "q", "answer": "a"},
        "contains": {"url": "2024"},
        "rows": 1,
    }
    prepare_benchmark([str(source)], spec, str(tmp_path / "b.parquet"))
    assert read_rows(tmp_path / "b.parquet") == [
        {
            "id": "gsm8k-00000",
            "prompt": r"Put your answer within \boxed{}. q1 {not this}",
            "category": None,
            "answer": "1000",
            "meta": None,
        }
    ]
    with pytest.raises(ValueError, match="benchmarks.gsm8k: 1 rows, where 30 are expected"):
        prepare_benchmark([str(source)], spec | {"rows": 30}, str(tmp_path / "c.parquet"))


def test_some_items_are_asked_as_they_are_in_the_whole(tmp_path):
    """Ids, options and letters are those of the whole benchmark, also where one stream orders all options."""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(question(n)) + "\n" for n in range(40)))
    spec = {"benchmark": "gpqa", "kind": "reasoning", "task": "gpqa", "template": "{problem}", "columns": CHOICE}
    spec |= {"source": {"file": "rows.jsonl"}, "option_order": "skythought", "rows": 40}
    made = {}
    for take in (None, 8, 20):
        out = str(tmp_path / f"{take}.parquet")
        prepare_benchmark([str(tmp_path / "rows.jsonl")], spec | ({"take": take} if take else {}), out)
        made[take] = read_rows(out)
    assert [len(rows) for rows in made.values()] == [40, 8, 20]
    for fewer, more in (8, 20), (20, None):
        assert [row for row in made[more] if row in made[fewer]] == made[fewer]
