"""SafeKey's loss: likelihood, a safety head on two paths, and query-mask modelling of the key sentence.

Zhou et al. 2025 ("SafeKey"); the weights, and which tokens each term reads, follow the authors' released code. X is the
prompt with its markup, U the response up to the key sentence K. Every term is divided by its own count in the whole
optimiser step, where the authors average over micro-batches, so that no split of a step changes it.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from thinksafe.jobs.log import say
from thinksafe.models.chat import completion_tokens, own_form, prompt_tokens, response_spans
from thinksafe.seeds import seed_for
from thinksafe.training.losses.base import IGNORED, Supervised

HEAD = "safety_head.safetensors"


class SafetyHead(torch.nn.Module):
    """Two linear maps from the mean final hidden state to a logit of "unsafe": of U alone, and of X with U."""

    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed % 2**63)
            self.understanding = torch.nn.Linear(width, 1)
            self.whole = torch.nn.Linear(width, 1)


class Loss(Supervised):
    """``likelihood + mask_weight * query_mask + head_weight * head``, the last two in the last ``last_epochs`` only.

    Settings: ``mask_weight``, ``head_weight``, ``theta`` (weight of the head's path over U alone) and ``last_epochs``.
    The head is saved beside the adapter's weights, as ``safety_head.safetensors``; sampling does not use it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        width = self.model.config.get_text_config().hidden_size
        head = SafetyHead(width, seed_for("safety head", self.args.seed))
        self.head = head.to(self.args.device, torch.float32)
        self.hidden: torch.Tensor | None = None
        self.model.get_base_model().base_model.register_forward_hook(self._keep)
        if self.is_world_process_zero() and len(set(self.train_dataset["unsafe"][: len(self.ids)])) == 1:
            say("warning: safekey has rows of one role only, so its safety head learns one answer for every prompt")

    def _keep(self, module: Any, arguments: Any, output: Any) -> None:
        self.hidden = output.last_hidden_state

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Return the optimiser, of the head's weights too; biases do not decay."""
        made = super().create_optimizer(model)
        # Paper: SafeKey's code leaves the bias of its head out of the optimiser.
        for name, weights in self.head.named_parameters():
            decay = 0.0 if name.endswith("bias") else self.args.weight_decay
            made.add_param_group({"params": [weights], "weight_decay": decay})
        return made

    def clip_gradient(self, model: Any) -> torch.Tensor:
        """Clip the gradient of model and head together; DDP averages only the model's over devices."""
        learnt = [weights for weights in self.head.parameters() if weights.grad is not None]
        for weights in learnt:
            weights.grad = self.accelerator.reduce(weights.grad, "mean")
        return self.accelerator.clip_grad_norm_([*model.parameters(), *learnt], self.args.max_grad_norm)

    def save_extra(self, folder: str | Path) -> None:
        """Write the head into a folder."""
        save_file(self.head.state_dict(), Path(folder) / HEAD)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        self.save_extra(output_dir or self.args.output_dir)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self.head.load_state_dict(load_file(Path(resume_from_checkpoint) / HEAD))

    def _get_num_items_in_batch(self, *step: Any) -> Any:
        self.head.zero_grad()
        return super()._get_num_items_in_batch(*step)

    @staticmethod
    def example(tokenizer: Any, row: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        """Return ids and labels as for the plain likelihood, with where X, K begin and K ends, and ``unsafe``."""
        prompt = prompt_tokens(tokenizer, row["prompt"])
        completion = completion_tokens(tokenizer, row["response"])
        # Paper: silent; the authors' code tokenises U and K apart, which puts K a token late.
        sentence = row["response"][row["query_end"] : row["key_end"]]
        before = row["response"][: row["query_end"]] + sentence[: len(sentence) - len(sentence.lstrip())]
        written = own_form(tokenizer, row["response"])  # whose marks may be longer than the stored ones
        first = len(own_form(tokenizer, before))
        last = first + len(sentence.strip())
        touched = [
            place
            for place, (start, end) in enumerate(response_spans(tokenizer, written))
            if start < last and end > first
        ]
        key_start, key_end = touched[0], touched[-1] + 1
        if sentence.strip() not in tokenizer.decode(completion[key_start:key_end]):
            raise ValueError(f"{row.get('id')}: the tokens of the key sentence do not spell {sentence.strip()!r}")
        return {
            "input_ids": prompt + completion,
            "labels": [IGNORED] * len(prompt) + completion,
            "query": len(prompt),
            "key_start": len(prompt) + key_start,
            "key_end": len(prompt) + key_end,
            "unsafe": float(row["role"] == "harmful"),
        }

    def objective(self, model: Any, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | None) -> torch.Tensor:
        """Return the weighted sum of the three terms, or the likelihood alone in the earlier epochs."""
        if int(self.state.epoch or 0) < self.args.num_train_epochs - self.settings["last_epochs"]:
            likelihood = super().objective(model, inputs, num_items_in_batch)
            self.add_term("loss_likelihood", likelihood)
            return likelihood
        likelihood, query_mask, head = self.terms(model, inputs, num_items_in_batch)
        for name, value in (("likelihood", likelihood), ("query_mask", query_mask), ("head", head)):
            self.add_term(f"loss_{name}", value)
        return likelihood + self.settings["mask_weight"] * query_mask + self.settings["head_weight"] * head

    def terms(self, model: Any, inputs: dict[str, Any], supervised: Any) -> tuple[torch.Tensor, ...]:
        """Return likelihood, query-mask and head term of a micro-batch, from one forward pass of twice its rows.

        The second half are the same rows with X masked. Position ids are given, so that the mask does not shift them.
        """
        seen = inputs["attention_mask"]
        place, key = key_tokens(inputs)
        hidden_query = seen * (place >= inputs["query"][:, None])
        labels = torch.cat([inputs["labels"], inputs["labels"].masked_fill(~key, IGNORED)])
        output = model(
            input_ids=inputs["input_ids"].repeat(2, 1),
            attention_mask=torch.cat([seen, hidden_query]),
            position_ids=place.clamp(min=0).repeat(2, 1),
            labels=labels,
            fused_lm_head=True,
            use_cache=False,
        )
        rows = len(seen)
        # Paper: silent; the authors' code takes the last two means over each micro-batch.
        likelihood = -output.log_probs[:rows].sum() / supervised.clamp(min=1)
        keys = self.step_total(lambda batch: key_tokens(batch)[1].sum())
        query_mask = -output.log_probs[rows:].sum() / keys.clamp(min=1)
        states, self.hidden = self.hidden[:rows].float(), None
        before_key = (seen > 0) & (place < inputs["key_start"][:, None])
        understanding = before_key & (place >= inputs["query"][:, None])
        theta, wanted, counted = self.settings["theta"], inputs["unsafe"].float(), taught(inputs)
        with torch.autocast(states.device.type, enabled=False):  # the head stays in float32
            own = self.head.understanding(mean_state(states, understanding))[:, 0]
            whole = self.head.whole(mean_state(states, before_key))[:, 0]
            summed = sum(
                weight * functional.binary_cross_entropy_with_logits(logits, wanted, counted, reduction="sum")
                for weight, logits in ((theta, own), (1 - theta, whole))
            )
        head = summed / self.step_total(lambda batch: taught(batch).sum()).clamp(min=1)
        return tuple(term * self.processes for term in (likelihood, query_mask, head))


def key_tokens(inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each token's place in its row, whichever side is padded, and whether it belongs to K."""
    place = inputs["attention_mask"].cumsum(-1) - 1
    key = (place >= inputs["key_start"][:, None]) & (place < inputs["key_end"][:, None])
    return place, key & (inputs["labels"] != IGNORED)


def taught(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return 1 for each row with supervised tokens and 0 for a blank one."""
    return (batch["labels"] != IGNORED).any(-1).float()


def mean_state(states: torch.Tensor, span: torch.Tensor) -> torch.Tensor:
    """Return the mean of hidden states (rows, tokens, width) over a span (rows, tokens); zero where it is empty."""
    weights = span.float() / span.sum(-1, keepdim=True).clamp(min=1)
    return torch.einsum("rtw,rt->rw", states, weights)
