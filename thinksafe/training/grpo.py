"""Online reinforcement learning with GRPO (paper Sec. 5.3, App. E), by TRL's trainer.

Rollouts are sampled from the student in training: by vLLM at the paper's scale, by the trainer itself in the miniature,
where each has its own stream of random numbers, so that the number of processes does not matter. Rewards are the
guard's P(safe) and a well-formed think block (`thinksafe.training.rewards`).
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from thinksafe.files import Row
from thinksafe.inference.requests import Request, Sampling
from thinksafe.inference.transformers_engine import Sampler
from thinksafe.jobs.server import free_port
from thinksafe.models.chat import prompt_tokens
from thinksafe.models.folder import stop_tokens, student_tokenizer
from thinksafe.models.location import context_tokens
from thinksafe.seeds import seed_for
from thinksafe.training.losses.base import NotFinite
from thinksafe.training.rewards import Ask, reward_functions
from thinksafe.training.sft import accumulation, checkpoints_of, model_and_callbacks, run, shared_settings


def reinforce(
    prompts: Sequence[Row],
    folder: str | Path,
    output: str | Path,
    spec: Row,
    key: str,
    ask: Ask,
    judged_text: str,
    per_device_batch: int,
    checkpoint_steps: int,
    server: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Row:
    """Train an adapter of the model in ``folder`` by rewards on its own responses, and save it in ``output``.

    Returns ``prompts``, ``too_long``, ``steps`` and ``loss``.

    Parameters
    ----------
    prompts : rows with ``prompt``, as users wrote them, and ``id``, which names them in errors
    spec : ``grpo`` and ``training`` (config), ``epochs``, ``seed`` and ``base`` (the model that the adapter belongs to)
    key, checkpoint_steps : as for `thinksafe.training.sft.finetune`
    ask : returns the guard's verdicts on pairs of prompt and response
    judged_text : {"full", "answer"}, what of a response the guard sees
    per_device_batch : rollouts of which one device computes gradients at once; accumulation makes up the step
    server : address of the vLLM server that samples, if ``grpo.sampler`` is ``server``
    """
    settings = spec["grpo"]
    tokenizer = student_tokenizer(folder, spec.get("chat"))
    stop = stop_tokens(folder, tokenizer)
    room = context_tokens(folder) - settings["max_tokens"]
    lengths = [len(prompt_tokens(tokenizer, row["prompt"])) for row in prompts]
    kept = [row for row, length in zip(prompts, lengths, strict=True) if length <= room]
    facts = {"prompts": len(kept), "too_long": len(prompts) - len(kept)}
    if len(kept) < settings["prompts_per_step"]:
        raise ValueError(
            f"{len(kept)} prompts leave room for grpo.max_tokens={settings['max_tokens']} ({facts['too_long']} do "
            f"not), and a step takes {settings['prompts_per_step']}: lower max_tokens or prompts_per_step"
        )
    longest = max(length for length in lengths if length <= room)
    checkpoints = checkpoints_of(output, key)
    trainer = Trainer(
        stop=stop,
        ids=[row["id"] for row in kept],
        reward_funcs=reward_functions(tokenizer, stop, judged_text, ask),
        args=grpo_settings(spec, checkpoints, per_device_batch, checkpoint_steps, longest, server),
        train_dataset=Dataset.from_list([{"prompt": row["prompt"], "row": place} for place, row in enumerate(kept)]),
        processing_class=tokenizer,
        **model_and_callbacks(folder, output, spec, facts, progress),
    )
    return facts | run(trainer, output, spec["base"])


def grpo_settings(
    spec: Row,
    checkpoints: Path,
    per_device_batch: int,
    checkpoint_steps: int,
    longest_prompt: int,
    server: str | None = None,
) -> GRPOConfig:
    """Return TRL's settings; every one that affects the objective is set here, whatever TRL's default is."""
    settings = spec["grpo"]
    prompts, rollouts = settings["prompts_per_step"], settings["rollouts"]
    what = f"grpo: {prompts} prompts x {rollouts} rollouts a step"
    batches = accumulation(prompts * rollouts, per_device_batch, what, "train_grpo")
    return GRPOConfig(
        **shared_settings(spec, checkpoints, per_device_batch, checkpoint_steps),
        # The objective (Eq. 3 and 4).
        num_generations=settings["rollouts"],  # G
        beta=settings["beta"],  # TRL: 0, without a reference
        epsilon=settings["epsilon"],
        epsilon_high=settings["epsilon"],  # one bound, as in Eq. 4
        delta=None,  # no second clipping
        loss_type="grpo",  # TRL: dapo. A mean over each response's tokens, then over responses
        importance_sampling_level=settings["ratio"],
        scale_rewards="group",  # Eq. 3 divides by the group's standard deviation
        multi_objective_aggregation="sum_then_normalize",  # r is the sum of the two rewards (E.2)
        reward_weights=[settings["weights"]["safety"], settings["weights"]["format"]],
        num_iterations=1,  # each response is learnt from once
        use_bias_correction_kl=False,  # TRL: the divergence times the ratio, which Eq. 4 has not
        mask_truncated_completions=False,  # a response cut at its limit counts as it is
        top_entropy_quantile=1.0,
        entropy_coef=0.0,
        use_adaptive_entropy=False,
        off_policy_mask_threshold=None,
        sync_ref_model=False,  # the reference stays the initial student
        disable_dropout=False,  # dropout as in every other training (Sec. 5.1)
        # Rollouts.
        max_completion_length=settings["max_tokens"],  # TRL: 512
        temperature=settings["temperature"],  # TRL: 1
        top_p=1.0,
        top_k=0,
        min_p=None,
        repetition_penalty=1.0,
        use_vllm=settings["sampler"] != "trainer",
        vllm_mode="server" if settings["sampler"] == "server" else "colocate",
        vllm_server_base_url=server,
        vllm_group_port=free_port(),  # TRL: one fixed port, which two runs on a machine cannot share
        vllm_gpu_memory_utilization=float(os.environ.get("THINKSAFE_ROLLOUT_MEMORY", "0.3")),
        vllm_max_model_length=longest_prompt + settings["max_tokens"],
        vllm_importance_sampling_correction=False,  # TRL: on. Neither the paper nor TRL as it was then has it
        # All rollouts of a step are sampled at once and learnt from in one update.
        gradient_accumulation_steps=batches,
        steps_per_generation=batches,
        max_steps=settings.get("steps", -1),
        shuffle_dataset=True,
        logging_steps=1,  # a step takes long enough
        log_completions=False,
    )


class Trainer(GRPOTrainer):
    """TRL's trainer with our prompts and sampler; it restores the frozen base and stops if the loss is not finite.

    ``stop`` are the tokens that end a response, ``ids`` the names of the prompts by ``row``.
    """

    def __init__(self, *args: Any, stop: Sequence[int], ids: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.stop, self.ids = stop, list(ids)
        self._logged: tuple[float, int] | None = None  # when the log was written last, and after how many tokens

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """Return prompts in the student's chat template; control tokens that they spell out are encoded as letters."""
        return [prompt_tokens(self.processing_class, prompt) for prompt in prompts], None, {}

    def _generate_single_turn(self, prompt_ids: list[list[int]], *args: Any, **options: Any) -> Any:
        """Sample without dropout (TRL's own sampling leaves it on), and restore the base weights."""
        self.model.eval()
        try:
            if not self.use_vllm:
                return self._sampled(prompt_ids), None
            with unchanged(self.model):
                return super()._generate_single_turn(prompt_ids, *args, **options)
        finally:
            self.model.train()

    def _sampled(self, prompt_ids: list[list[int]]) -> list[list[int]]:
        """Return this process's rollouts of the step; none depends on the others."""
        first = self.accelerator.process_index * len(prompt_ids)
        step = ("rollout", self.args.seed, self.state.global_step)
        requests = [
            Request(str(place), tuple(ids), seed_for(*step, place)) for place, ids in enumerate(prompt_ids, first)
        ]
        sampling = Sampling(self.args.temperature, self.args.top_p, self.args.top_k, self.args.max_completion_length)
        sampler = Sampler(self.model.get_base_model(), self.processing_class, self.stop)
        with torch.inference_mode():
            return [list(completion.tokens) for completion in sampler.answer(requests, sampling)]

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Sample and judge the step's rollouts, and keep the number of each one's prompt."""
        if self._logged is None:
            self._logged = time.monotonic(), self.state.num_input_tokens_seen
        self._rows = torch.tensor([row["row"] for row in inputs], device=self.accelerator.device)
        return super()._generate_and_score_completions(inputs) | {"row": self._rows}

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        loss = super()._compute_loss(model, inputs)
        if not torch.isfinite(loss):
            self._stop("the loss", inputs["row"])
        return loss

    def _clip_grad_norm(self, model: Any) -> torch.Tensor:
        norm = super()._clip_grad_norm(model)
        if not torch.isfinite(torch.as_tensor(norm)):
            self._stop("the gradient", self.accelerator.gather(self._rows))
        return norm

    def _stop(self, what: str, rows: torch.Tensor) -> None:
        names = [self.ids[row] for row in dict.fromkeys(rows.tolist())]
        raise NotFinite(f"{what} is not finite at step {self.state.global_step + 1}; prompts: {', '.join(names)}")

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log tokens per second and the fraction of them in rollouts too, each over all devices."""
        if "loss" in logs:
            now, seen = time.monotonic(), self.state.num_input_tokens_seen
            (then, before), figures = self._logged, self._metrics["train"]
            responses = sum(figures["completions/mean_length"]) * self.args.generation_batch_size
            logs["tokens_per_second"] = (seen - before) / max(now - then, 1e-9)
            logs["supervised_share"] = responses / max(seen - before, 1)
            self._logged = now, seen
        super().log(logs, start_time)


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Restore the weights of the layers under an adapter after the block.

    To give its weights to vLLM, TRL adds the adapter to the base and subtracts it again. In bfloat16 the difference is
    not exact: over thousands of steps the base, which is the reference, would drift.
    """
    layers = [module for module in model.modules() if hasattr(module, "base_layer")]
    kept = [layer.base_layer.weight.detach().clone() for layer in layers]
    try:
        yield
    finally:
        with torch.no_grad():
            for layer, weight in zip(layers, kept, strict=True):
                layer.base_layer.weight.copy_(weight)
