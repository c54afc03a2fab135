"""SkyThought's own task handlers, also on the Python versions that its package does not import on (paper App. B).

skythought 0.1.0 is for Python below 3.11, and importing one of its handlers imports all of them, the coding tasks
included, with packages that scoring never uses (``pyext`` cannot be built on 3.11, the others are large). During the
import, empty modules replace them, and ``inspect.getargspec`` exists, which a coding task wraps. No function of the
handlers used here refers to any of it. On Python 3.10 the package is imported as it is (envs/scoring-py310.yaml).
"""

import importlib
import inspect
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

from thinksafe.evaluation import formulas
from thinksafe.files import Row

STAND_INS = {
    "torch": (),
    "pyext": ("RuntimeModule",),
    "datasets": ("Dataset", "load_dataset"),
    "pandas": ("DataFrame",),
}
# By our names of the tasks: the handler's class, and the columns of its question and gold answer.
HANDLERS = {
    "aime24": ("AIMETaskHandler", "problem", "answer"),
    "math500": ("MathTaskHandler", "problem", "answer"),
    "gsm8k": ("GSM8KTaskHandler", "question", "answer"),
    "gpqa": ("GPQADiamondTaskHandler", "Question", "Answer"),
}


@cache
def handler(task: str) -> Any:
    """Return SkyThought's handler of ``task``, a key of ``HANDLERS``.

    It has no template and no data set: the prompts are in config, as the paper's differ from the package's.
    """
    name, question, answer = HANDLERS[task]
    tasks = _tasks()
    config = tasks.TaskConfig(handler=task, dataset_path="", dataset_split="", question_key=question, answer_key=answer)
    return getattr(tasks, name)(config)


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


@cache
def _tasks() -> ModuleType:
    """Return ``skythought.evals.tasks``, with a comparison of formulas that is safe, repeatable and remembered."""
    with _importable():
        tasks = importlib.import_module("skythought.evals.tasks")
    formulas.disarm()
    module, latex = map(importlib.import_module, ("skythought.evals.tasks.math.math_handler", "latex2sympy2"))
    compare = module.math_equal
    # An answer such as `A := [1, 2]` is kept by the LaTeX parser as the value of A in all later answers.
    kept = [(memory, dict(memory)) for memory in (latex.variances, latex.var)]

    # Samples of one problem often agree. SymPy tries random numbers where algebra fails; seeded, the verdict depends on
    # the two strings alone.
    @lru_cache(maxsize=100_000)
    def remembered(prediction: str, reference: str) -> bool:
        from sympy.core.random import seed

        seed(0)
        for memory, before in kept:
            memory.clear()
            memory.update(before)
        return bool(compare(prediction, reference))

    module.math_equal = remembered
    return tasks


@contextmanager
def _importable() -> Iterator[None]:
    """Make ``skythought.evals.tasks`` importable for as long as the import lasts, and leave nothing behind."""
    alarm = signal.getsignal(signal.SIGALRM)  # two coding tasks set their own at import
    old_python = hasattr(inspect, "getargspec")
    missing = [] if old_python else [name for name in STAND_INS if name not in sys.modules]
    for name in missing:
        module = sys.modules[name] = ModuleType(name)
        for attribute in STAND_INS[name]:
            setattr(module, attribute, type(attribute, (), {}))
    if not old_python:
        inspect.getargspec = inspect.getfullargspec
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, alarm)
        for name in missing:
            del sys.modules[name]
        if not old_python:
            del inspect.getargspec
