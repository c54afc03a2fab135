"""SafePath's loss: the likelihood of the safety primer that opens the reasoning, and of nothing else.

Jeung et al. 2025 ("SAFEPATH"); the mean is over the primer's tokens of an optimiser step.
"""

from typing import Any

from thinksafe.models.chat import completion_tokens, prompt_tokens
from thinksafe.models.chat_template import rules_of
from thinksafe.models.markup import THINK
from thinksafe.models.tokenizer import encode_plain
from thinksafe.training.losses.base import IGNORED, Supervised


class Loss(Supervised):
    """The response is ``<think>``, newline, primer: it is learnt as it stands, with no closing tag and no end of turn.

    Settings: ``think`` (bool), whether the opening tag and its newline are learnt as well in a family whose generation
    prompt does not hold them (Qwen3); where it does (R1-Distill), they are part of the prompt.
    """

    @staticmethod
    def example(tokenizer: Any, row: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        """Return ``input_ids`` and ``labels``; never through the chat template, which would close the block."""
        prompt = prompt_tokens(tokenizer, row["prompt"])
        target = completion_tokens(tokenizer, row["response"])[:-1]  # without the end of turn
        # Paper: silent on Qwen3; SafePath's code, made for R1, supervises the tag as well.
        if not rules_of(tokenizer).opened and not settings["think"]:
            start = len(target) - len(encode_plain(tokenizer, row["response"].removeprefix(THINK)))
            prompt, target = prompt + target[:start], target[start:]
        return {"input_ids": prompt + target, "labels": [IGNORED] * len(prompt) + target}
