"""Answers are compared in a confined process, which is killed when one comparison takes too long (docs/scoring.md).

SkyThought's own timeout does nothing, and its broad excepts would catch a signal's exception.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import NoReturn, TextIO

from thinksafe.evaluation import formulas
from thinksafe.evaluation.sandbox import confine
from thinksafe.evaluation.skythought import score
from thinksafe.evaluation.strict_reasoning import score_strict
from thinksafe.files import Row

LONGEST = 200  # characters of an extracted answer that are kept; gpqa's "answer" can be the whole text
MEMORY = 4 << 30  # bytes the comparing process may take
LIFE = 600  # CPU seconds after which it is replaced
REPLACE = 77  # its exit status when another one has to take its place
WRONG = {"correct": False, "extracted": ""}
KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # what starting Python may need


class Scorer(contextlib.AbstractContextManager):
    """Scores answers in a confined process, which is replaced after text that is code, and after a limit.

    The limit is on the CPU seconds of one comparison, so that a busy machine gives the same scores; ten times as
    long by the clock ends it as well.

    >>> with Scorer(seconds=10) as scorer:
    ...     scorer.score("gsm8k", "<think>\\n2 + 3 = 5\\n</think>\\n\\nThe final answer is 5.", "5")
    {'correct': True, 'extracted': '5', 'failure': None}
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._process: subprocess.Popen[str] | None = None

    def __exit__(self, *_: object) -> None:
        self._stop()

    def score(self, task: str, response: str, gold: str, *, strict: bool = False) -> Row:
        """Return ``extracted``, ``correct`` and ``failure``: None, or ``timeout`` or ``error``, both of them wrong."""
        process = self._process or self._start()
        process.stdin.write(json.dumps([task, response, gold, strict]) + "\n")
        process.stdin.flush()
        # The comparing process has timers of its own; this is for one whose timers were stopped.
        if select.select([process.stdout], [], [], 10 * self.seconds + 5)[0] and (line := process.stdout.readline()):
            return json.loads(line)
        process.kill()
        self._stop()
        return {**WRONG, "failure": "timeout"}

    def _start(self) -> subprocess.Popen[str]:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve({float(self.seconds)!r})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**environment, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},  # no order that changes between runs
            text=True,
            encoding="utf-8",
            errors="surrogatepass",
        )
        ready, _, missing = self._process.stdout.readline().rstrip("\n").partition(" ")
        if ready != "ready":
            raise RuntimeError(f"the process that compares answers did not start (exit status {self._stop()})")
        if missing:
            _tell(missing)
        return self._process

    def _stop(self) -> int | None:
        process, self._process = self._process, None
        if process:
            process.communicate()
            return process.returncode


@cache
def _tell(missing: str) -> None:
    warnings.warn(
        f"answers are compared with a part of the sandbox missing: {missing}. None is run as code all the same "
        "(docs/scoring.md)",
        stacklevel=3,
    )


def serve(seconds: float) -> None:
    """Answer requests from standard input, one JSON line each, until it ends.

    This process reads none of them: it forks one that does (`_compare`), and another when that one has ended.
    """
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not look like a reply
    # Before the clock starts: SkyThought is imported, and sympy loads its parsers on first use.
    for first in (score, score_strict):
        first("math500", r"</think> \boxed{\frac{1}{2}x}", "x/2+y")
    greeting = "ready"
    while True:
        if not (child := os.fork()):
            missing = confine(MEMORY, LIFE + round(2 * seconds) + 1)
            if greeting:
                print(f"{greeting} {missing}", file=replies, flush=True)
            _compare(seconds, replies)
        greeting, status = "", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            return
        if status != REPLACE:
            failure = "timeout" if status in (-signal.SIGPROF, -signal.SIGALRM, -signal.SIGXCPU) else "error"
            print(json.dumps({**WRONG, "failure": failure}), file=replies, flush=True)


def _compare(seconds: float, replies: TextIO) -> NoReturn:
    """Compare until the input ends, a text was refused as code or `LIFE` is over; die by signal after the limit.

    The timers' signals keep their default action, which no ``except`` in the comparison can catch.
    """
    silence = os.open(os.devnull, os.O_RDONLY)  # the LaTeX parser prints what it cannot read
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    while line := sys.stdin.buffer.readline():
        task, response, gold, strict = json.loads(line)
        formulas.refused.clear()
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, 10 * seconds)
        try:
            reply = {**(score_strict if strict else score)(task, response, gold), "failure": None}
            reply["extracted"] = reply["extracted"][:LONGEST]
        except Exception:  # the authors' run would have stopped here; one odd answer must not end ours
            reply = {**WRONG, "failure": "error"}
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(reply), file=replies, flush=True)
        if formulas.refused or sum(os.times()[:2]) > LIFE:
            os._exit(REPLACE)
    os._exit(0)
