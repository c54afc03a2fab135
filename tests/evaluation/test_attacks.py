"""Answers that are code: none runs, none changes a later score, and the process could do nothing anyway."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from thinksafe.evaluation import formulas
from thinksafe.evaluation.scorer import Scorer

pytest.importorskip("skythought.evals.util.math_parsing_util")
ROOT = Path(__file__).parents[2]
ATTACKS = yaml.safe_load((ROOT / "tests/evaluation/attacks.yaml").read_text(encoding="utf-8"))
HONEST = [  # gold, answer, SkyThought's verdict and the strict one
    ("7", "7", True),
    ("7", "8", False),
    ("8", "7", False),
    (r"\frac{14}{3}", "14/3", True),
    ("x^2-1", "(x-1)(x+1)", True),
    ("A_1", "B_1", False),
]


def boxed(answer: str) -> str:
    return f"<think>\nhm\n</think>\n\n$\\boxed{{{answer}}}$"


@pytest.fixture(scope="module")
def scorer():
    with Scorer(seconds=1) as made:
        yield made


def honest(scorer, rows):
    for gold, given, right in rows:
        for strict in (False, True):
            assert scorer.score("math500", boxed(given), gold, strict=strict)["correct"] is right, (gold, given)


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack["answer"][:40])
def test_an_attack_is_wrong_and_leaves_nothing(attack, scorer, tmp_path):
    trace = tmp_path / "trace"
    answer = attack["answer"].replace("{trace}", str(trace))
    for strict in (False, True):
        assert not scorer.score("math500", boxed(answer), "7.25", strict=strict)["correct"]
    assert not trace.exists()
    honest(scorer, HONEST[:2])


def test_after_every_third_attack_at_once_honest_answers_are_scored_as_always(scorer, tmp_path):
    for attack in ATTACKS[::3]:
        if attack["kind"] != "exponent":  # those take their second each
            answer = attack["answer"].replace("{trace}", str(tmp_path / "trace"))
            for strict in (False, True):
                assert not scorer.score("math500", boxed(answer), "7.25", strict=strict)["correct"]
            for task, gold in (("gsm8k", "7.25"), ("gpqa", "C")):
                assert not scorer.score(task, boxed(answer), gold)["correct"]
    assert not list(tmp_path.iterdir())
    honest(scorer, HONEST)


def test_there_are_enough_attacks_of_every_kind():
    assert len(ATTACKS) >= 60 and len({attack["answer"] for attack in ATTACKS}) == len(ATTACKS)
    assert len({attack["kind"] for attack in ATTACKS}) >= 15


def test_attacks_do_run_in_sympy_as_it_comes(tmp_path):
    """What the corpus is worth: without `disarm` these leave their trace."""
    running = [attack["answer"] for attack in ATTACKS if attack.get("runs")]
    code = """
import pathlib, sys, warnings
warnings.simplefilter("ignore")
from skythought.evals.util.math_parsing_util import symbolic_equal, strip_answer_string
for n, answer in enumerate(sys.argv[2:]):
    symbolic_equal(strip_answer_string(answer.replace("{trace}", f"{sys.argv[1]}/{n}")).removeprefix("x="), "8")
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path), *running], check=True, capture_output=True, cwd=ROOT)
    left = [answer for n, answer in enumerate(running) if not (tmp_path / str(n)).exists()]
    assert len(running) >= 20 and not left


@pytest.mark.parametrize(
    "text", ["x.y", "'a'", "f'{x}'", "lambda: 1", "[x for x in y]", "(x := 1)", "a__b", "ｘ", "x @ y"]
)
def test_refused_text(text):
    from sympy import sympify

    formulas.disarm()
    formulas.refused.clear()
    with pytest.raises(Exception):  # noqa: B017 (SymPy's own, or ours)
        sympify(text)
    assert formulas.refused


def test_a_process_that_met_code_is_replaced_and_one_that_did_not_is_kept():
    def reader(scorer):
        me = scorer._process.pid
        return Path(f"/proc/{me}/task/{me}/children").read_text()

    with Scorer(seconds=5) as scorer:
        scorer.score("math500", boxed("7"), "8")
        first = reader(scorer)
        scorer.score("math500", boxed("x+2"), "8")
        assert reader(scorer) == first
        assert scorer.score("math500", boxed('exec("1")'), "8")["failure"] is None
        assert scorer.score("math500", boxed("8"), "8")["correct"]
        assert reader(scorer) != first


CONFINED = """
import os, sys
sys.path.insert(0, {root!r})
from thinksafe.evaluation.sandbox import confine
import socket, subprocess, ctypes, signal, threading, resource
libc = ctypes.CDLL(None)
fork, unlink, kill = libc.fork, libc.unlink, libc.kill
print("missing:", confine(2 << 30, 60), flush=True)
def attempt(name, act):
    try:
        done = act()
        print(name, "done" if done is None or (isinstance(done, int) and done >= 0) else "refused", flush=True)
    except BaseException as error:
        print(name, "refused", flush=True)
attempt("read", lambda: open({file!r}).read() and None)
attempt("write", lambda: open({file!r} + ".new", "w"))
attempt("append", lambda: os.open({file!r}, os.O_WRONLY | os.O_APPEND))
attempt("remove", lambda: os.remove({file!r}))
attempt("remove by libc", lambda: unlink({file!r}.encode()))
attempt("rename", lambda: os.rename({file!r}, {file!r} + ".old"))
attempt("socket", lambda: socket.socket())
attempt("run", lambda: subprocess.run(["true"]))
attempt("fork", lambda: os.fork())
attempt("fork by libc", lambda: fork())
attempt("signal another", lambda: os.kill(os.getppid(), 0))
attempt("signal by libc", lambda: kill(os.getppid(), 0))
attempt("eval", lambda: eval("1 + 1"))
attempt("exec", lambda: exec("x = 1"))
attempt("compiled", lambda: eval(compile("1", "<made>", "eval")))
attempt("memory", lambda: bytearray(3 << 30) and None)
attempt("limits", lambda: resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)))
print("environment", dict(os.environ))
"""


def test_a_confined_process_can_read_and_compute_and_no_more(tmp_path):
    (tmp_path / "file").write_text("x")
    code = CONFINED.format(root=str(ROOT), file=str(tmp_path / "file"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    first, *found, environment = done.stdout.splitlines()
    assert environment == "environment {}", done.stderr
    assert found[0] == "read done"
    by_kernel = "no filter" not in first
    allowed = {line for line in found if line.endswith(" done")} - {"read done"}
    assert allowed <= (set() if by_kernel else {"remove by libc done", "fork by libc done", "signal by libc done"})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_part_of_the_sandbox_that_is_missing_is_told(monkeypatch):
    from thinksafe.evaluation import scorer

    scorer._tell.cache_clear()
    with pytest.warns(UserWarning, match="a part of the sandbox missing: no filter of system calls: x"):
        scorer._tell("no filter of system calls: x")
