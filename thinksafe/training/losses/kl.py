"""ThinkSafe + KL: likelihood of harmful rows, divergence from the untrained student on benign rows (paper Sec. 5.3).

L = (sum of NLL over the supervised tokens of harmful rows + weight * sum of KL(reference || model) over those of benign
rows) / (supervised tokens of the optimiser step). The divergence is token-wise, over the whole vocabulary.

Paper: gives neither a weight nor a divisor of the sums. Here the weight is config's, 1 by default, and the divisor is
that of ThinkSafe without KL. (The authors' code takes a mean per micro-batch, learns the prompts too, and for
R1-Distill does not learn to stop.)
"""

from typing import Any

import torch

from thinksafe.training.lm_head import bare_head, token_kl, token_nll
from thinksafe.training.losses.base import IGNORED, Supervised


class Loss(Supervised):
    """The reference is the same model with its adapter switched off; there is no second copy."""

    @staticmethod
    def example(tokenizer: Any, row: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        """Return the tokens of `Supervised`, and whether the row is a benign one."""
        return Supervised.example(tokenizer, row, settings) | {"benign": int(row["role"] == "benign")}

    def objective(self, model: Any, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | None) -> torch.Tensor:
        """Return the loss of one micro-batch; its logs are ``nll`` and ``kl``, each over all supervised tokens."""
        labels = inputs["labels"][:, 1:]
        benign = inputs["benign"].bool()[:, None]
        learnt = (labels != IGNORED) & ~benign
        kept = (labels != IGNORED) & benign
        head = self.model.get_output_embeddings()
        states = _states(model, head, inputs)
        nll = token_nll(states[learnt], labels[learnt], head).sum()
        reference = states[kept].detach()
        if kept.any():
            # The whole micro-batch again: equal weights give equal states to the last bit only in equal shapes.
            with torch.no_grad(), self.accelerator.unwrap_model(self.model).disable_adapter():
                reference = _states(self.model, head, inputs)[kept]
        kl = token_kl(states[kept], reference, head).sum()
        nll, kl = (value * self.processes / num_items_in_batch for value in (nll, kl))
        self.add_term("nll", nll)
        self.add_term("kl", kl)
        return nll + self.settings["weight"] * kl


def _states(model: Any, head: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """Return what the head reads at each position that has a next token: (rows, tokens - 1, width)."""
    with bare_head(head):
        output = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
    return output.logits[:, :-1]
