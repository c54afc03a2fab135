r"""The strict score: right on every gold fed back, strict where SkyThought is lenient, blind to the trace."""

import pytest

from thinksafe.evaluation.strict_reasoning import boxes, score_strict

pytest.importorskip("skythought.evals.util.math_parsing_util")


def after(thought: str, answer: str) -> str:
    return f"<think>\n{thought}\n</think>\n\n{answer}"


# Invented golds in every shape that the benchmarks' golds have.
GOLDS = {
    "aime24": ["025", "073", "204", "000", "7", "999", "110"],
    "gsm8k": ["18", "7", "0", "-5", "1450000", "276000", "70000", "1,018", "25.50", "She pays 9 * 2 = 18.\n#### 1,018"],
    "gpqa": ["A", "B", "C", "D"],
    "math500": [
        r"10,\!080",
        r"\$32,\!348",
        "58,500",
        r"11,\! 222,\! 333,\! 000",
        "1,234,567",
        r"\frac{14}{3}",
        r"\dfrac{9}{256}",
        r"-\frac{1}{3}",
        r"\frac43",
        r"3 \tfrac{1}{2}",
        r"4\frac{2}{3}",
        r"\text{Evelyn}",
        r"\text{even}",
        r"\text{(C)}",
        r"\text{two}",
        "E",
        r"(3, \frac{\pi}{2})",
        r"\left( 3, \frac{\pi}{2} \right)",
        r"(6,31,-1)",
        r"90^\circ",
        r"36^{\circ}",
        "025",
        ".35625",
        "5.00",
        "0.09",
        r"10\%",
        r"\$18.90",
        r"5.4 \text{ cents}",
        r"137 \frac{1}{2}",
        r"12 \text{ cm}^2",
        r"x \in [-2,7]",
        "[-2,7]",
        r"\left( \frac{3}{5}, \frac{8}{3} \right]",
        r"(-\infty, 2) \cup (3, \infty)",
        r"\{1, 2\}",
        "1,-2",
        "3, 5, 7",
        "1, 2, 100",
        "6 - 5i",
        r"1 \pm \sqrt{19}",
        r"\sqrt{51}",
        r"3\sqrt{13}",
        r"2k+2",
        r"x^3+3x-6",
        "(x - 2)(x + 5)",
        r"x = 5",
        r"y = 2x + 3",
        r"2516_8",
        r"4210_{5}",
        r"3:20 \text{ p.m.}",
        r"\begin{pmatrix} -18 \\ -45 \\ 90 \end{pmatrix}",
        r"\begin{pmatrix} -1/3 \\ 2/3 \\ 5/3 \end{pmatrix}",
        r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
        r"\pi",
        r"\frac{3\pi}{4}",
        r"\arctan \frac{1}{2}",
        r"2^{10} - 1",
        r"f(x)=x^2",
        r"\emptyset",
        "information",
        r"\infty",
        r"1.25 \cdot 10^{8}",
        r"\text{June 20}",
    ],
}


@pytest.mark.parametrize(("task", "gold"), [(task, gold) for task, golds in GOLDS.items() for gold in golds])
def test_a_gold_fed_back_is_right(task, gold):
    answer = gold.rpartition("#### ")[2]
    assert score_strict(task, after("I wonder.", rf"It is $\boxed{{{answer}}}$."), gold)["correct"]
    if task == "gsm8k":
        assert score_strict(task, after("", f"The final answer is {answer}."), gold)["correct"]


@pytest.mark.parametrize("gold", ["1450000", "70000", "1018", "23456789"])
@pytest.mark.parametrize("separator", [",", r",\!", "{,}", r"\,"])
def test_thousands_separators_do_not_matter(gold, separator):
    written = f"{int(gold):,}".replace(",", separator)
    for task in ("gsm8k", "math500"):
        assert score_strict(task, after("", rf"\boxed{{{written}}}"), gold)["correct"]
        assert score_strict(task, after("", rf"\boxed{{\${written}}}"), gold)["correct"]
    assert score_strict("gsm8k", after("", f"The final answer is ${written} dollars."), gold)["correct"]


STRICT = [
    ("aime24", "204", "<think>\nmaybe 204", False, ""),
    ("aime24", "204", after(r"\boxed{204}", "I give up."), False, ""),
    ("aime24", "204", after("", r"\boxed{204}"), True, "204"),
    ("aime24", "204", after(r"\boxed{204}", "The answer is 204."), True, "204"),
    ("aime24", "204", after("", r"\boxed{2.04}"), False, "2.04"),
    ("aime24", "204", after("", r"\boxed{20400}"), False, "20400"),
    ("aime24", "204", after("", r"\boxed{204.01}"), False, "204.01"),
    ("aime24", "204", after("", r"\boxed{204.0}"), True, "204.0"),
    ("aime24", "073", after("", r"\boxed{73^\circ}"), True, r"73^\circ"),
    ("math500", "50", after("", r"\boxed{0.5}"), False, "0.5"),
    ("math500", r"50\%", after("", r"\boxed{0.5}"), True, "0.5"),
    ("math500", "0.5", after("", r"\boxed{50\%}"), True, r"50\%"),
    ("math500", "12", after("", r"\boxed{12,000}"), False, "12,000"),
    ("math500", "[-2,7]", after("", r"\boxed{(-2,7)}"), False, "(-2,7)"),
    ("math500", "(-2,7]", after("", r"\boxed{(-2,7)}"), False, "(-2,7)"),
    ("math500", r"x \in [-2,7]", after("", r"\boxed{[-2,7]}"), True, "[-2,7]"),
    ("math500", r"\frac{14}{3}", after("", r"\boxed{4.6667}"), True, "4.6667"),
    ("math500", "2.375", after("", r"\boxed{19/8}"), True, "19/8"),
    ("math500", "1, 2, 100", after("", r"\boxed{100, 1, 2}"), True, "100, 1, 2"),
    ("math500", "(1,234)", after("", r"\boxed{(1, 234)}"), True, "(1, 234)"),
    ("math500", "5", after("", r"\boxed{}"), False, ""),
    ("math500", "5", after("", r"\boxed{5"), True, "5"),
    ("math500", r"\frac{1}{2}", after("", r"\boxed{\frac{1}{3}}"), False, r"\frac{1}{3}"),
    ("gsm8k", "18", after(r"perhaps \boxed{20}", "The final answer is 18."), True, "18"),
    ("gsm8k", "-5", after("", "The final answer is \u22125"), True, "-5"),
    ("gsm8k", "276000", after("", "The final answer is 276,000"), True, "276,000"),
    ("gsm8k", "18", after("", "The final answer is 18.00"), True, "18.00"),
    ("gsm8k", "18", after("", "The final answer is 18.5"), False, "18.5"),
    ("gsm8k", "18", after("", "no number"), False, ""),
    ("gpqa", "C", after("", r"\boxed{C} which is a good choice"), True, "C"),
    ("gpqa", "C", after("", r"\boxed{\text{C) a base}}"), True, "C"),
    ("gpqa", "C", after(r"\boxed{C}", r"\boxed{D}, not C"), False, "D"),
    ("gpqa", "C", after("", r"\boxed{\text{(c)}}"), True, "C"),
    ("gpqa", "C", after("", r"\boxed{a base, so C}"), True, "C"),
    ("gpqa", "A", after("", r"\boxed{a base}"), False, ""),
    ("gpqa", "A", after("", "thinking about a"), False, ""),
    ("gpqa", "A", "<think>\n\\boxed{A}", False, ""),
]


@pytest.mark.parametrize(("task", "gold", "text", "correct", "extracted"), STRICT)
def test_strict(task, gold, text, correct, extracted):
    assert score_strict(task, text, gold) == {"extracted": extracted, "correct": correct}


BOXES = [
    (r"\boxed{a} \boxed{\frac{1}{2}} b", ["a", r"\frac{1}{2}"]),
    (r"\fbox{a}", ["a"]),
    (r"\boxed{{a}", ["{a}"]),
    (r"\boxed {a} \boxed{ } \boxed{}", ["a"]),
    (r"\boxed5", ["5"]),
    (r"\boxed{\boxed{5}}", [r"\boxed{5}"]),
    ("", []),
]


@pytest.mark.parametrize(("text", "contents"), BOXES)
def test_boxes(text, contents):
    assert [content for _, content, _ in boxes(text)] == contents
