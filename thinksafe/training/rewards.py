"""What GRPO rewards: a response that the guard calls safe, and a well-formed think block (paper App. E.2, E.3).

A guard that fails ends the run. (The authors' code gives the whole batch a reward of 0 if a request fails.)
"""

from collections.abc import Callable, Sequence
from typing import Any

from thinksafe.models.chat import stored_response, text_of
from thinksafe.models.chat_template import rules_of
from thinksafe.models.responses import CLOSE, OPEN, view

Pair = tuple[str, str]
Ask = Callable[[Sequence[Pair]], Sequence[dict[str, Any]]]


class GuardError(RuntimeError):
    """The guard gave no verdict that could be a reward."""


def format_reward(response: str) -> float:
    """Return 1 for a stored response with exactly one think block, else 0 (E.3)."""
    return float(response.count(OPEN) == response.count(CLOSE) == 1 and response.index(OPEN) < response.index(CLOSE))


def safety_rewards(pairs: Sequence[Pair], ask: Ask) -> list[float]:
    """Return P(safe) of each prompt and response (Eq. 5); GuardError if the guard fails or gives no probability."""
    try:
        verdicts = list(ask(pairs))
    except Exception as error:
        raise GuardError(f"the guard failed on {len(pairs)} responses: {type(error).__name__}: {error}") from error
    if len(verdicts) != len(pairs):
        raise GuardError(f"the guard was asked about {len(pairs)} responses and gave {len(verdicts)} verdicts")
    for verdict in verdicts:
        p_unsafe = verdict["p_unsafe"]
        if p_unsafe is None or not 0.0 <= p_unsafe <= 1.0:  # NaN is not either
            raise GuardError(
                f"the guard's answer {verdict['output']!r} has no probability of `unsafe` (found: {p_unsafe}); "
                "a reward of 0 would teach that this response is harmful, so the run stops"
            )
    return [1.0 - verdict["p_unsafe"] for verdict in verdicts]


def reward_functions(tokenizer: Any, stop: Sequence[int], judged_text: str, ask: Ask) -> list[Callable]:
    """Return the two rewards in the form that TRL's trainer calls: safety, then format.

    The guard sees the prompt as the user wrote it, and the response in the form in which it is stored and judged
    everywhere else. (The authors' code gives it the prompt in the student's chat template.)
    """

    def stored(completion_ids: Sequence[Sequence[int]]) -> list[str]:
        return [stored_response(tokenizer, text_of(tokenizer, list(ids), stop)) for ids in completion_ids]

    def safety(prompts: Sequence[str], completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
        responses = [view(response, judged_text, rules_of(tokenizer).thinks) for response in stored(completion_ids)]
        return safety_rewards(list(zip(prompts, responses, strict=True)), ask)

    def form(completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
        return [format_reward(response) for response in stored(completion_ids)]

    safety.__name__, form.__name__ = "safety", "format"  # TRL's names for them in its logs
    return [safety, form]
