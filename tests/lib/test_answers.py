r"""Reasoning answers: every row of the golden table was produced by the real handlers of skythought 0.1.0.

Source: evaluation.md 2.3, 2.6 and 2.8 (reference notes of this project; handlers run on Python 3.11).
"""

import time

import pytest

from scripts.lib.answers import Scorer, score, score_strict

pytest.importorskip("skythought.evals.util.math_parsing_util")


def after(thought: str, answer: str) -> str:
    return f"<think>\n{thought}\n</think>\n\n{answer}"


GOLDEN = [
    ("aime24", "204", after(r"first \boxed{7}", r"So \boxed{204}."), True),
    ("aime24", "204", "<think>\nmaybe 204", True),
    ("aime24", "204", "<think>\nit is \\boxed{204} or later 99", True),
    ("aime24", "204", after("", r"\boxed{2.04}"), True),
    ("aime24", "204", after("", r"\boxed{20400}"), True),
    ("aime24", "204", after("", r"\boxed{205}"), False),
    ("aime24", "073", after("", r"\boxed{73^\circ}"), True),
    ("aime24", "025", after("", r"\boxed{25}"), True),
    ("math500", r"\frac{14}{3}", after("", r"\boxed{14/3}"), True),
    ("math500", r"\frac{14}{3}", after("", r"\boxed{4.6667}"), True),
    ("math500", r"\left( 3, \frac{\pi}{2} \right)", after("", r"\boxed{(3, \pi/2)}"), True),
    ("math500", r"x \in [-2,7]", after("", r"\boxed{[-2,7]}"), False),
    ("math500", r"10\%", after("", r"\boxed{0.1}"), True),
    ("gsm8k", "1234", after("the answer is 5", "The final answer is 1,234."), True),
    ("gsm8k", "18", after("", "The final answer is $18.00"), True),
    ("gsm8k", "18", after("", "The final answer is 18 dollars."), True),
    ("gsm8k", "18", after("", "The final answer is **18**"), True),
    ("gsm8k", "18", after("", "The final answer is [18]."), True),
    ("gsm8k", "18", after("", r"\boxed{18}."), True),
    ("gsm8k", "18", after(r"perhaps \boxed{20}", "The final answer is 18."), False),
    ("gsm8k", "18", after("", "The final answer is 18. That is 3 per day."), False),
    ("gsm8k", "18", after("", "The final answer is 18.5"), False),
    ("gsm8k", "276000", after("", "The final answer is 276,000"), False),
    ("gsm8k", "276000", after("", "The final answer is 276,000 dollars"), True),
    ("gsm8k", "70000", after("", "The final answer is $70,000"), False),
    ("gsm8k", "70000", after("", r"\boxed{70{,}000}"), False),
    ("gsm8k", "70000", after("", "The final answer is 70000."), True),
    ("gsm8k", "He has 3 * 6 = 18.\n#### 1,018", after("", "The final answer is 1018"), True),
    ("gpqa", "C", after("", r"\boxed{C}"), True),
    ("gpqa", "C", after("", r"\boxed{\text{C}}"), True),
    ("gpqa", "C", after("", "option (C)"), True),
    ("gpqa", "C", after("", r"\boxed{C} which is a good choice"), False),
    ("gpqa", "A", "<think>\nthinking about a", True),
]


@pytest.mark.parametrize(("task", "gold", "text", "correct"), GOLDEN)
def test_skythought_golden_table(task, gold, text, correct):
    assert score(task, text, gold)["correct"] is correct


COMPARED = [  # gold, prediction, SkyThought's verdict (evaluation.md 2.8)
    (r"\frac{14}{3}", r"4\frac{2}{3}", False),
    ("[-2,7]", "(-2,7)", True),
    ("50", "0.5", True),
    ("200", "2", True),
    (r"2\sqrt{3}", "3.4641", True),
    (r"\pi", "3.14159", True),
    ("204", "204.01", True),
    ("12", "12,000", True),
    ("1.0e3", "1000", True),
    ("10,080", "10080", False),
    ("10,080", "10,080", True),
    ("2516_8", "2516", False),
    ("(6,31,-1)", "6,31,-1", False),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}", False),
    ("0.5", "1/2", True),
    (r"[-2,7]", r"x \in [-2,7]", True),
    ("5", r"5 \text{ cm}", True),
    (r"\$18.90", "18.90", True),
    ("C", r"\text{(C)}", True),
    ("1,2,3", "3, 1, 2", True),
    ("1, 2", r"\{1,2\}", True),
    (r"\sqrt{12}", r"2\sqrt{3}", True),
    ("5", "x=5", True),
    ("2x+3", "y = 2x + 3", True),
    ("even", "odd", False),
    ("2", "4", False),
]


@pytest.mark.parametrize(("gold", "prediction", "equal"), COMPARED)
def test_math_equal_rows(gold, prediction, equal):
    assert score("math500", after("", rf"\boxed{{{prediction}}}"), gold)["correct"] is equal


def test_normaliser_quirks():
    from skythought.evals.util.math_parsing_util import strip_answer_string

    assert strip_answer_string("10,080") == "10,80"
    assert strip_answer_string("70,000") == "0,70"
    assert strip_answer_string("information") == r"\inftyormation"
    assert strip_answer_string("3, 1, 2") == "1,2,3"


STRICT = [
    ("aime24", "204", "<think>\nmaybe 204", False, ""),
    ("aime24", "204", after(r"\boxed{204}", "I give up."), False, ""),
    ("aime24", "204", after("", r"\boxed{204}"), True, "204"),
    ("gsm8k", "18", after(r"perhaps \boxed{20}", "The final answer is 18."), True, "18"),
    ("gsm8k", "276000", after("", "The final answer is 276,000"), True, "276000"),
    ("gsm8k", "70000", after("", r"\boxed{70{,}000}"), True, "70000"),
    ("gsm8k", "70000", after("", r"\boxed{\$70,\!000}"), True, "70000"),
    ("gsm8k", "1450000", after("", "The final answer is $1,450,000."), True, "1450000"),
    ("gsm8k", "18", after("", "The final answer is 18.00"), True, "18"),
    ("gsm8k", "18", after("", "no number"), False, "[invalid]"),
    ("gpqa", "C", after("", r"\boxed{C} which is a good choice"), True, "C"),
    ("gpqa", "C", after("", r"\boxed{\text{C) a base}}"), True, "C"),
    ("gpqa", "A", after("", "thinking about a"), False, ""),
    ("gpqa", "A", "<think>\n\\boxed{A}", False, ""),
]


@pytest.mark.parametrize(("task", "gold", "text", "correct", "extracted"), STRICT)
def test_strict(task, gold, text, correct, extracted):
    assert score_strict(task, text, gold) == {"extracted": extracted, "correct": correct}


def test_unknown_task_is_an_error():
    for function in (score, score_strict):
        with pytest.raises(ValueError, match="mmlu"):
            function("mmlu", after("", "1"), "1")


def test_a_comparison_without_end_is_killed_and_the_next_one_is_scored():
    with Scorer(seconds=1) as scorer:
        scorer.score("math500", after("", "1"), "1")  # start-up is not on the clock
        before = time.monotonic()
        stuck = scorer.score("math500", after("", r"\boxed{10**(10**8)}"), "5x")
        took = time.monotonic() - before
        following = scorer.score("math500", after("", r"\boxed{\frac12}"), "0.5")
        nested = scorer.score("math500", after("", r"\boxed{9^{9^{9^9}}}"), "5x")
    assert stuck == {"extracted": "", "correct": False, "failure": "timeout"}
    assert took < 10
    assert following == {"extracted": r"\frac{1}{2}", "correct": True, "failure": None}
    assert nested["failure"] == "timeout"


def test_the_process_agrees_with_the_function_and_survives_odd_text():
    with Scorer(seconds=10) as scorer:
        for task, gold, text, correct in GOLDEN:
            assert scorer.score(task, text, gold)["correct"] is correct
        assert scorer.score("gsm8k", "<think>\nline\u2028break \ud800 \x00\n</think>\n\n5", "5")["correct"]
        assert scorer.score("gpqa", after("", r"\boxed{C}, a base"), "C", strict=True)["correct"]
