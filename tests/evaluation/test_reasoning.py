r"""Reasoning answers: SkyThought's own handlers, their golden table, their known faults, and the limit on time."""

import subprocess
import sys
import time

import pytest

from scripts.evaluation.score_reasoning import score_reasoning
from thinksafe.evaluation import reasoning
from thinksafe.evaluation.scorer import Scorer
from thinksafe.evaluation.skythought import score
from thinksafe.evaluation.strict_reasoning import score_strict
from thinksafe.files import read_json, read_rows, write_rows

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
    ("gsm8k", "276000", after("", "The final answer is 276000"), True),
    ("gsm8k", "1450000", after("", "The final answer is 1,450,000"), False),
    ("gsm8k", "14000", after("", "The final answer is 14,000"), False),
    ("gsm8k", "40000", after("", "The final answer is 40,000"), False),
    ("gsm8k", "1234", after("", "The final answer is 1,234"), True),
    ("gsm8k", "70000", after("", "The final answer is 70,000."), False),
    ("gsm8k", "70000", after("", r"\boxed{70,000}"), False),
    ("gsm8k", "70000", after("", "The final answer is 70,000 dollars"), True),
    ("gsm8k", "1234", after("", r"\boxed{1{,}234}"), False),
    ("gsm8k", "18", after("", "I cannot tell."), False),
    ("gsm8k", "-3", after("", "The final answer is -3"), True),
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
    ("gpqa", "C", after("", r"\boxed{D}, not C"), True),
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
    (r"\frac{14}{3}", "4.6667", True),
    (r"\frac{14}{3}", r"\frac{14}{3}", True),
    (r"\frac{3}{4}", r"\dfrac{3}{4}", True),
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3, \frac{\pi}{2})", True),
    (r"(-\infty, 2) \cup (3, \infty)", r"(-\infty,2)\cup(3,\infty)", True),
    ("36", r"36^\circ", True),
    (r"10\%", "0.1", True),
    (r"10\%", "10", True),
    (r"\text{Evelyn}", "Evelyn", True),
    ("6 - 5i", "6-5i", True),
    ("025", "25", True),
    ("204", "204.0", True),
    (r"3:20 \text{ p.m.}", "3:20", True),
    ("x^2-1", "(x-1)(x+1)", True),
    ("4210_{5}", "4210_5", True),
    ("(-2,7]", r"-2 < x \le 7", False),
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


@pytest.mark.parametrize(
    "gold",
    [
        # Twice normalised, once normalised: SkyThought rejects its own golds of these shapes (docs/scoring.md).
        r"\begin{pmatrix} -1 \\ 20 \\ 3 \end{pmatrix}",
        r"\begin{pmatrix} -18 \\ -45 \\ 90 \end{pmatrix}",
        r"\begin{pmatrix} 7 \\ 12 \\ 31 \end{pmatrix}",
        r"x \in [-3,8]",
    ],
)
def test_golds_that_skythought_rejects(gold):
    assert not score("math500", after("", rf"\boxed{{{gold}}}"), gold)["correct"]
    assert score_strict("math500", after("", rf"\boxed{{{gold}}}"), gold)["correct"]


def test_the_handlers_are_skythoughts_own_and_leave_nothing_behind():
    code = """
import inspect, signal, sys
from thinksafe.evaluation.skythought import STAND_INS, handler
print(type(handler("aime24")).__mro__[1].__module__, type(handler("gpqa")).__module__)
print(hasattr(inspect, "getargspec"), signal.getsignal(signal.SIGALRM) == signal.SIG_DFL)
print([name for name in STAND_INS if name in sys.modules])
import datasets, pandas
print(datasets.Dataset.__module__, pandas.DataFrame.__module__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "skythought.evals.tasks.math.math_handler skythought.evals.tasks.gpqa_diamond.gpqa_diamond_handler",
        f"{sys.version_info < (3, 11)} True",
        "[]",
        "datasets.arrow_dataset pandas",
    ]


def test_the_prompts_of_the_package_are_not_the_papers():
    """Why a handler is given no template: two of the package's four differ from App. B."""
    from importlib import resources

    import yaml

    from thinksafe.config.settings import load

    config = load(["config/config.yaml"])
    folder = resources.files("skythought.evals.tasks")
    same = {}
    files = {"aime24": "aime/aime24", "math500": "math/math500", "gsm8k": "gsm8k/gsm8k"}
    for task, path in (files | {"gpqa": "gpqa_diamond/gpqa_diamond"}).items():
        theirs = yaml.safe_load((folder / f"{path}.yaml").read_text())["templating_parameters"]["template"]
        asked = theirs.format(prompt="Q", problem="Q", question="Q")
        same[task] = config.benchmarks[task].template.replace("{problem}", "Q") == asked
    assert same == {"aime24": False, "math500": False, "gsm8k": True, "gpqa": True}


def test_unknown_task_is_an_error():
    for function in (score, score_strict):
        with pytest.raises(KeyError, match="mmlu"):
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


# -------------------------------------------------------------------------------------------- pass@1 and pass@k
def run(folder, rows, golds, task="gsm8k", seconds=10):
    """Score the rows of two shards."""
    for shard, part in enumerate((rows[:3], rows[3:])):
        columns = {"id": str, "draw": int, "response": str, "finish_reason": str}
        write_rows(folder / f"part-{shard}.parquet", part, columns)
    prompts = [{"id": name, "answer": gold} for name, gold in golds.items()]
    write_rows(folder / "prompts.parquet", prompts, {"id": str, "answer": str})
    shards, out = [str(folder / f"part-{shard}.parquet") for shard in (0, 1)], (folder / "s.json", folder / "s.parquet")
    score_reasoning(shards, str(folder / "prompts.parquet"), task, seconds, 0.95, *out, lambda done, total: None)
    return read_json(out[0])


def test_scores(tmp_path):
    texts = {
        "a": [
            after("R", "The final answer is 5."),
            after("R", "The final answer is 6."),
            after("R", r"\boxed{7}"),
            after("R", "4"),
        ],
        "b": [after("R", "The final answer is 70,000.")] * 2 + [after("R", "70000")] * 2,
        "c": ["<think>\nso it is 9", after("R", "8"), after("R", "8"), after("R", "")],
    }
    rows = [
        {"id": name, "draw": draw, "response": text, "finish_reason": "length" if "</think>" not in text else "stop"}
        for name, given in texts.items()
        for draw, text in enumerate(given)
    ]
    score = run(tmp_path, rows, {"a": "5", "b": "70000", "c": "9"})
    assert (score["count"], score["n"], score["problems"], score["draws"]) == (4, 12, 3, 4)
    assert score["value"] == pytest.approx(100 / 3)
    assert score["pass_at"]["1"] == pytest.approx(score["value"])
    assert score["pass_at"]["4"] == 100.0
    assert score["pass_at"]["2"] == pytest.approx(100 * (1 / 2 + 5 / 6 + 1 / 2) / 3)
    assert "8" not in score["pass_at"]
    assert score["strict"]["count"] == 5  # the two with a comma are right, the unfinished one is not
    assert score["unfinished"] == 1 and score["length"] == 1 and score["well_formed"] == pytest.approx(100 * 10 / 12)
    assert score["timeouts"] == 0 and score["errors"] == 0
    assert score["unmatched_golds"] == {"skythought": 0, "strict": 0}
    assert 0 <= score["low"] < score["value"] < score["high"] <= 100
    found = read_rows(tmp_path / "s.parquet")
    assert [row["correct"] for row in found if row["id"] == "a"] == [True, False, False, False]
    assert [row["strict"] for row in found if row["id"] == "b"] == [True] * 4
    assert found[0]["extracted"] == "5"


def test_golds_that_a_score_cannot_match_are_told(capsys):
    golds = {"a": "5", "b": "x \\in [-3,8]", "c": r"\frac{1}{2}"}
    with Scorer(10) as scorer:
        assert reasoning.unmatched_golds(scorer, "math500", golds) == {"skythought": ["b"], "strict": []}
    assert capsys.readouterr().out == "skythought score: 1 of 3 golds do not match themselves (b)\n"


def test_pass_at_k_is_skythoughts(tmp_path, monkeypatch):
    """Eight samples, of which 1, 8 and 0 are right: the estimator over all of them, as in SkyThought's own metrics."""
    from skythought.evals.util.metrics import pass_at_k

    monkeypatch.setattr(reasoning, "Scorer", FakeScorer)
    right = {"a": 1, "b": 8, "c": 0}
    rows = [
        {"id": name, "draw": draw, "response": after("R", "5" if draw < count else "6"), "finish_reason": "stop"}
        for name, count in right.items()
        for draw in range(8)
    ]
    score = run(tmp_path, rows, dict.fromkeys(right, "5"))
    theirs = pass_at_k(8, {name: [1] * count + [0] * (8 - count) for name, count in right.items()})
    assert {f"k={k}": round(value, 3) for k, value in score["pass_at"].items()} == theirs
    assert (theirs["k=1"], theirs["k=8"]) == (37.5, 66.667) and (score["count"], score["n"]) == (9, 24)


class FakeScorer:
    """Says that every answer is right that is 5, and that an endless one takes too long."""

    __init__ = __exit__ = lambda self, *_: None

    def __enter__(self):
        return self

    def score(self, task, response, gold, *, strict=False):
        correct = response.endswith("5")
        return {"correct": correct, "extracted": "", "failure": "timeout" if "endless" in response else None}


def test_timeouts_are_wrong_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(reasoning, "Scorer", FakeScorer)
    rows = [
        {"id": "a", "draw": draw, "response": after("R", text), "finish_reason": "stop"}
        for draw, text in enumerate(["endless", "5", "05", "6"])
    ]
    score = run(tmp_path, rows, {"a": "5"})
    assert score["timeouts"] == 1 and score["count"] == 2
    assert [row["failure"] for row in read_rows(tmp_path / "s.parquet")] == ["timeout", None, None, None]


@pytest.mark.parametrize(
    ("rows", "golds", "message"),
    [
        ([], {"a": "1"}, "nothing to score"),
        ([("a", 0), ("a", 1), ("b", 0)], {"a": "1", "b": "2"}, "draws 0 to"),
        ([("a", 0), ("a", 0)], {"a": "1"}, "draws 0 to"),
        ([("a", 0)], {"a": "1", "b": "2"}, "draws 0 to"),
        ([("c", 0)], {"a": "1"}, "no problem of this benchmark"),
        ([("a", 0)], {"a": None}, "no answer"),
    ],
)
def test_incomplete_samples_are_an_error(tmp_path, rows, golds, message):
    rows = [{"id": name, "draw": draw, "response": after("R", "1"), "finish_reason": "stop"} for name, draw in rows]
    with pytest.raises(ValueError, match=message):
        run(tmp_path, rows, golds)
