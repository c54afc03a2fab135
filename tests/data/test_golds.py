"""Golds as data sets have them: a right answer equals each that is kept, and other rows are refused by name."""

import pytest

from thinksafe.data.golds import comparable
from thinksafe.evaluation.skythought import score
from thinksafe.evaluation.strict_reasoning import score_strict

KEPT = [  # task, gold as a data set has it, a right answer as the prompt asks for it
    ("gsm8k", 145.0, "The final answer is 145."),
    ("gsm8k", 18, "The final answer is 18."),
    ("gsm8k", "9 (pears)", "The final answer is 9 pears."),
    ("gsm8k", "$18", "The final answer is $18."),
    ("gsm8k", "$1,450", "The final answer is 1450."),
    ("gsm8k", "They are <<2*9=18>>18.\n#### 18", "The final answer is 18."),
    ("gsm8k", "-7", "The final answer is -7."),
    ("gsm8k", "12 dollars", "The final answer is 12 dollars."),
    ("gsm8k", "7.25", "The final answer is 7.25"),
    ("gpqa", "(B)", r"\boxed{B}"),
    ("gpqa", "c", r"\boxed{C}"),
    ("gpqa", "D.", r"\boxed{D}"),
    ("math500", 145.0, r"\boxed{145}"),
    ("math500", r"\frac{1}{2}", r"\boxed{1/2}"),
    ("math500", "9 (pears)", r"\boxed{9 (pears)}"),
    ("aime24", "025", r"\boxed{25}"),
]


@pytest.mark.parametrize(("task", "gold", "answer"), KEPT)
def test_a_right_answer_equals_the_gold(task, gold, answer):
    kept = comparable(gold, task, "b-00000")
    assert score_strict(task, f"<think>\n</think>\n\n{answer}", kept)["correct"]
    assert score(task, f"<think>\n</think>\n\n{answer}", kept)["correct"]


REFUSED = [
    ("gsm8k", "(B)", "no number"),
    ("gsm8k", "1,2", "no number"),
    ("gsm8k", "nine", "no number"),
    ("gsm8k", "18 or 20", "no number"),
    ("gsm8k", "$", "no number"),
    ("gpqa", "2", "counts from 0 or 1"),
    ("gpqa", 1, "counts from 0 or 1"),
    ("gpqa", "E", "no letter from A to D"),
    ("gpqa", "pear", "map `correct` and `incorrect`"),
    ("math500", r"The sum is $\boxed{\frac12}$.", "a whole solution"),
    ("aime24", None, "there is no answer"),
    ("math500", " ", "there is no answer"),
]


@pytest.mark.parametrize(("task", "gold", "message"), REFUSED)
def test_a_gold_that_no_answer_equals_is_refused_by_name(task, gold, message):
    with pytest.raises(ValueError, match="b-00007: .*" + message):
        comparable(gold, task, "b-00007")
