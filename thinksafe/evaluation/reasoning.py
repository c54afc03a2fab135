r"""pass@1 and pass@k on one reasoning benchmark, by SkyThought's own task handlers (paper Sec. 5.1, App. B).

The handlers read the whole text, the think block included, and their known faults are kept, because the paper's numbers
have them (docs/scoring.md). ``Scorer`` runs them in a process that the kernel kills when one comparison takes too long:
SkyThought's own timeout does nothing, and its broad excepts would catch a signal's exception.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from thinksafe.evaluation.skythought import handler
from thinksafe.evaluation.strict_reasoning import score_strict
from thinksafe.evaluation.well_formed import well_formed_counts
from thinksafe.files import Row
from thinksafe.intervals import clustered, pass_at_k
from thinksafe.models.responses import well_formed

LONGEST = 200  # characters of an extracted answer that are kept; gpqa's "answer" can be the whole text
MEMORY = 4 << 30  # bytes the comparing process may take
COLUMNS: dict[str, type] = dict(id=str, draw=int, extracted=str, correct=bool, extracted_strict=str, strict=bool)
COLUMNS |= dict(failure=str, well_formed=bool, finish_reason=str)


def reasoning_score(
    answers: Sequence[Row],
    golds: Mapping[str, str | None],
    task: str,
    timeout_seconds: float,
    confidence: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Row, list[Row]]:
    """Return pass@1 in per cent over all samples, with pass@k, a strict score and counts, and one row per answer.

    Parameters
    ----------
    answers : rows with ``id``, ``draw``, ``response`` and ``finish_reason``; as many samples of every problem
    golds : the right answer of each problem
    task : whose answers are read (`score`)
    timeout_seconds : limit of one comparison; what takes longer is wrong, and counted in ``timeouts``
    """
    samples = _samples(answers, golds)
    rows = []
    with Scorer(timeout_seconds) as scorer:
        for place, row in enumerate(answers):
            progress(place, len(answers))
            loose = scorer.score(task, row["response"], golds[row["id"]])
            strict = scorer.score(task, row["response"], golds[row["id"]], strict=True)
            rows.append(
                {**row, "well_formed": well_formed(row["response"], row["finish_reason"])}
                | {"extracted": loose["extracted"], "correct": loose["correct"]}
                | {"extracted_strict": strict["extracted"], "strict": strict["correct"]}
                | {"failure": loose["failure"] or strict["failure"]}
            )
    progress(len(answers), len(answers))
    right, strictly = Counter(), Counter()
    for row in rows:
        right[row["id"]] += row["correct"]
        strictly[row["id"]] += row["strict"]
    estimate, strict = (clustered(list(counts.values()), samples, confidence) for counts in (right, strictly))
    failures = Counter(row["failure"] for row in rows)
    score = {
        "kind": "reasoning",
        "task": task,
        **asdict(estimate),
        "count": sum(right.values()),
        "problems": len(right),
        "draws": samples,
        "pass_at": {
            str(k): 100 * sum(pass_at_k(samples, count, k) for count in right.values()) / len(right)
            for k in (1, 2, 4, 8)
            if k <= samples
        },
        "strict": {"value": strict.value, "low": strict.low, "high": strict.high, "count": sum(strictly.values())},
        "timeouts": failures["timeout"],
        "errors": failures["error"],
        **well_formed_counts(answers, confidence),
    }
    return score, rows


def _samples(answers: Sequence[Row], golds: Mapping[str, str | None]) -> int:
    """Return how many samples each problem has; ValueError if that is not one number, or there are none."""
    if not answers or not golds:
        raise ValueError(f"{len(answers)} responses to {len(golds)} problems: nothing to score")
    draws: dict[str, list[int]] = {name: [] for name in golds}
    for row in answers:
        if row["id"] not in draws:
            raise ValueError(f"a response to {row['id']!r}, which is no problem of this benchmark")
        draws[row["id"]].append(row["draw"])
    samples = len(answers) // len(golds)
    if wrong := [name for name, found in draws.items() if sorted(found) != list(range(samples))]:
        raise ValueError(
            f"{len(answers)} responses to {len(golds)} problems: {len(wrong)} problems do not have draws 0 to "
            f"{samples - 1} once each, such as {sorted(wrong)[:3]}"
        )
    if None in golds.values():
        raise ValueError(f"{list(golds.values()).count(None)} problems have no answer to compare with")
    return samples


def score(task: str, response: str, gold: str) -> Row:
    """Return ``{"extracted": str, "correct": bool}`` as SkyThought's handler for ``task`` decides it.

    Parameters
    ----------
    task : {"aime24", "math500", "gsm8k", "gpqa"}
    response : the whole response; a truncated one is scored like any other
    gold : number or LaTeX; for gsm8k the number with or without the text before ``#### ``; for gpqa the letter
    """
    from skythought.evals.util.math_parsing_util import extract_answer, get_multiple_choice_answer

    judge, text = handler(task), response.strip()
    if task == "gsm8k" and "####" not in gold:
        gold = f"#### {gold}"  # the handler looks for the mark
    correct = judge.update_results({judge.task_config.answer_key: gold}, text)["correctness"]
    extracted = get_multiple_choice_answer(text) if task == "gpqa" else extract_answer(text)
    if task == "gsm8k":
        extracted = judge.sanitize_answer(extracted)
    return {"extracted": extracted, "correct": bool(correct)}


class Scorer(contextlib.AbstractContextManager):
    """Scores answers in a process of its own, which is killed and replaced when a comparison takes too long.

    The limit is on the CPU seconds of that process, so that a busy machine gives the same scores; ten times as long by
    the clock ends it as well.

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
        try:
            process.stdin.write(json.dumps([task, response, gold, strict]) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        slow = self._stop() in (-signal.SIGPROF, -signal.SIGALRM)
        return {"correct": False, "extracted": "", "failure": "timeout" if slow else "error"}

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve({float(self.seconds)!r})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},  # no order that changes between runs
            text=True,
            encoding="utf-8",
            errors="surrogatepass",
        )
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the process that compares answers did not start (exit status {self._stop()})")
        return self._process

    def _stop(self) -> int | None:
        process, self._process = self._process, None
        if process:
            process.communicate()
            return process.returncode


def serve(seconds: float) -> None:
    """Answer requests from standard input, one JSON line each, until it ends; die by signal when one takes too long.

    The timers' signals keep their default action, which no ``except`` in the comparison can catch.
    """
    import resource

    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not look like a reply
    # Before the clock starts: SkyThought is imported, and sympy loads its parsers on first use.
    score("math500", r"\boxed{\frac{1}{2}x}", "x/2+y")
    with contextlib.suppress(OSError, ValueError):  # not every system has this limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
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
            reply["extracted"] = reply["extracted"][:LONGEST]
        except Exception:  # the authors' run would have stopped here; one odd answer must not end ours
            reply = {"correct": False, "extracted": "", "failure": "error"}
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(reply), file=replies, flush=True)
