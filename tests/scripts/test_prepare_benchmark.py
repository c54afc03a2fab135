"""Benchmark rows: templates, gold answers and shuffled options."""

import json
from collections import Counter

import pytest

from scripts.lib.files import read_rows
from scripts.prepare_benchmark import benchmark_row, prepare_benchmark

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
    prepare_benchmark([str(source)], spec, str(tmp_path / "b.parquet"), lambda done, total: None)
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
        prepare_benchmark([str(source)], spec | {"rows": 30}, str(tmp_path / "c.parquet"), lambda done, total: None)
