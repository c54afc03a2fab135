r"""Reasoning answers: extraction and comparison by SkyThought's own functions, and a strict score (paper Sec. 5.1, B).

``score`` does what the handlers of skythought 0.1.0 do (aime24, math500: ``tasks/math/math_handler.py``; gsm8k:
``tasks/gsm8k/gsm8k_handler.py``; gpqa: ``tasks/gpqa_diamond/gpqa_diamond_handler.py``): the whole text is read, the
think block included, and known faults are kept, because the paper's numbers have them. Only the handlers' few lines
are written anew, as their package cannot be imported on Python 3.11; the work is done by
``skythought.evals.util.math_parsing_util``. ``score_strict`` reads only the answer and has those faults mended.

``Scorer`` runs both in a process that the kernel kills when one comparison takes too long; SkyThought's own timeout
does nothing, and a signal's exception would be swallowed by its broad excepts.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any

from scripts.lib.responses import parts

TASKS = ("aime24", "math500", "gsm8k", "gpqa")
LONGEST = 200  # characters of an extracted answer that are kept; gpqa's "answer" can be the whole text
MEMORY = 4 << 30  # bytes the comparing process may take

GSM8K_GOLD = re.compile(r"#### (\-?[0-9\.\,]+)")
GSM8K_ANSWER = re.compile(r"((-?[$0-9.,]{2,})|(-?[0-9]+))")
THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\}|\\[,!:; ]|,\\!\s?)(?=\d{3}(?!\d))")


def score(task: str, response: str, gold: str) -> dict[str, Any]:
    """Return ``{"extracted": str, "correct": bool}`` exactly as SkyThought's handler for ``task`` decides it.

    Parameters
    ----------
    task : {"aime24", "math500", "gsm8k", "gpqa"}
    response : str
        The whole generation; a truncated one is scored like any other.
    gold : str
        Number or LaTeX; for gsm8k the number with or without the text before ``#### ``; for gpqa the letter.
    """
    from skythought.evals.util.math_parsing_util import extract_answer, get_multiple_choice_answer

    text = response.strip()
    if task in ("aime24", "math500"):
        extracted = extract_answer(text)
        correct = _math_equal(extracted, gold)
    elif task == "gsm8k":
        extracted = _gsm8k_number(extract_answer(text))
        correct = extracted == _gsm8k_gold(gold)
    elif task == "gpqa":
        extracted = get_multiple_choice_answer(text)
        correct = extracted == gold
    else:
        raise ValueError(f"task: no answers are read for {task!r}; choose one of {', '.join(TASKS)}")
    return {"extracted": extracted[:LONGEST], "correct": correct}


def score_strict(task: str, response: str, gold: str) -> dict[str, Any]:
    r"""Return ``{"extracted": str, "correct": bool}`` for the answer alone; no ``</think>``, or no answer, is wrong.

    Departs from ``score`` in three more places: gsm8k numbers may have thousands separators and are compared as
    numbers; gpqa takes the first letter inside the last ``\boxed{}`` and nothing else.
    """
    from skythought.evals.util.math_parsing_util import extract_answer

    if task not in TASKS:
        raise ValueError(f"task: no answers are read for {task!r}; choose one of {', '.join(TASKS)}")
    answer = parts(response)[1]
    if not answer:
        return {"extracted": "", "correct": False}
    if task in ("aime24", "math500"):
        extracted = extract_answer(answer)
        correct = bool(extracted) and _math_equal(extracted, gold)
    elif task == "gsm8k":
        extracted = _gsm8k_number(extract_answer(THOUSANDS.sub("", answer)))
        correct = _same_number(extracted, _gsm8k_gold(gold))
    else:
        letters = re.findall(r"\b[A-D]\b", _last_box(answer).upper())
        extracted = letters[0] if letters else ""
        correct = extracted == gold
    return {"extracted": extracted[:LONGEST], "correct": correct}


@lru_cache(maxsize=100_000)
def _math_equal(extracted: str, gold: str) -> bool:
    """Return the math handler's verdict; draws of one problem often agree, so pairs are remembered."""
    from skythought.evals.util.math_parsing_util import math_equal, strip_answer_string
    from sympy.core.random import seed

    seed(0)  # sympy tries random numbers where algebra fails: the verdict must depend on the two strings alone
    return bool(math_equal(strip_answer_string(extracted), strip_answer_string(gold)))


def _gsm8k_number(extracted: str) -> str:
    """Return the last number of an extracted answer, as the gsm8k handler's ``sanitize_answer``."""
    found = GSM8K_ANSWER.findall(extracted.replace(",", "").replace("$", ""))
    return found[-1][0].strip() if found else "[invalid]"


def _gsm8k_gold(gold: str) -> str:
    """Return the gold number without commas, from the data set's text or from the bare number."""
    found = GSM8K_GOLD.search(gold)
    return (found.group(1) if found else gold).strip().replace(",", "")


def _same_number(one: str, other: str) -> bool:
    """Return whether two strings are one number."""
    try:
        return Decimal(one.rstrip(".")) == Decimal(other)
    except InvalidOperation:
        return False


def _last_box(text: str) -> str:
    r"""Return the content of the last ``\boxed{}``, braces balanced; empty if there is none."""
    _, found, rest = text.rpartition("boxed{")
    depth = 1
    for place, character in enumerate(rest):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return rest[:place]
    return rest if found else ""


class Scorer:
    """Scores answers in one lasting process that is killed, and replaced, when a comparison passes its limit.

    The limit counts the comparing process's own CPU seconds, so that a busy machine gives the same scores; ten times
    as long by the clock ends it as well.

    >>> with Scorer(seconds=10) as scorer:
    ...     scorer.score("gsm8k", "<think>\\n2 + 3 = 5\\n</think>\\n\\nThe final answer is 5.", "5")
    {'correct': True, 'extracted': '5', 'failure': None}
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Scorer:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def score(self, task: str, response: str, gold: str, *, strict: bool = False) -> dict[str, Any]:
        """Return ``extracted``, ``correct`` and ``failure``: None, or ``timeout`` or ``error``, both of them wrong.

        Raises
        ------
        RuntimeError
            If the comparing process cannot be started.
        """
        process = self._process or self._start()
        try:
            process.stdin.write(json.dumps([task, response, gold, strict]) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        ended = self._stop()
        slow = ended in (-signal.SIGPROF, -signal.SIGALRM)
        return {"correct": False, "extracted": "", "failure": "timeout" if slow else "error"}

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from scripts.lib.answers import serve; serve({float(self.seconds)!r})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env=_environment(),
            text=True,
            encoding="utf-8",
            errors="surrogatepass",
        )
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the process that compares answers did not start (exit status {self._stop()})")
        return self._process

    def _stop(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        for pipe in (process.stdin, process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        return process.wait()


def _environment() -> dict[str, str]:
    """Return the environment of the comparing process: one thread, and no order that changes between runs."""
    import os

    return {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}


def serve(seconds: float) -> None:
    """Answer requests from standard input, one JSON line each, until it ends; die by signal when one takes too long.

    The timers' signals keep their default action, which no ``except`` in the comparison can swallow.
    """
    import contextlib
    import os
    import resource

    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # nothing that a library prints may look like a reply
    import skythought.evals.util.math_parsing_util  # noqa: F401  (before the clock starts)

    with contextlib.suppress(OSError, ValueError):  # not every system has this limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    _math_equal(r"\frac{1}{2}x", "x/2+y")  # sympy loads its parsers on first use
    print("ready", file=replies, flush=True)
    silence = os.open(os.devnull, os.O_WRONLY)  # the LaTeX parser prints what it cannot read
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    for line in sys.stdin.buffer:
        task, response, gold, strict = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, 10 * seconds)
        try:
            reply = {**(score_strict if strict else score)(task, response, gold), "failure": None}
        except Exception:  # the authors' run would have stopped here; one odd answer must not end ours
            reply = {"correct": False, "extracted": "", "failure": "error"}
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(reply), file=replies, flush=True)
