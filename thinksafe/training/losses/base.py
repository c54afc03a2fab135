"""The base of all losses: tokenised rows, an order of rows that does not depend on the number of devices, the log.

Each other module of this folder is one loss, named as in config (`methods.*.loss`). It exports `Loss`, a subclass of
`Supervised`: how a row becomes supervised tokens (`example`), what the loss of a micro-batch is (`objective`), and what
else is learnt beside the adapter. A new loss is a new file here and its settings in thinksafe/config/types.py. Only the
chosen module counts for an adapter's staleness (`Study.code_of`).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Sampler
from trl import SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from thinksafe.files import Row
from thinksafe.models.chat import completion_tokens, prompt_tokens
from thinksafe.seeds import seed_for

IGNORED = -100
TOKENS = ("input_ids", "labels")

# Processes without GPUs resume on devices that accelerate numbers (cpu:1), which torch.load does not know.
torch.serialization.register_package(
    100, lambda storage: None, lambda storage, location: storage if location.startswith("cpu:") else None
)


class NotFinite(RuntimeError):  # noqa: N818 - says what was found
    """The loss or its gradient is not finite; the message names the step and the rows."""


class Supervised(SFTTrainer):
    """TRL's trainer on rows with ``input_ids``, ``labels``, ``row`` and the numbers that a loss reads beside them.

    Its own loss is TRL's: the negative log-likelihood of the labelled tokens, divided by their number in the optimiser
    step over all devices and micro-batches.

    Parameters
    ----------
    ids : the rows' names, by ``row``
    settings : the loss's settings in config
    options : arguments of TRL's trainer

    Notes
    -----
    A subclass overrides `example`, `objective`, or both. `objective` must divide by totals over the optimiser step
    (``num_items_in_batch`` and `step_total`) and multiply by `processes`, since gradients are averaged over devices:
    the result is then the same under every split of a step into devices and micro-batches.
    """

    def __init__(self, *, ids: Sequence[str], settings: Row, **options: Any) -> None:
        self.ids, self.settings = list(ids), settings
        self._terms: Row = defaultdict(float)
        self._counts = [0, 0]  # tokens and supervised tokens since the last log
        self._clock, self._logged = 0.0, -1  # when, and after which step, was logged last
        self._seen: list[int] = []  # rows of the optimiser step so far
        super().__init__(**options)
        self.data_collator = Collator(pad_token_id=self.processing_class.pad_token_id)

    @staticmethod
    def example(tokenizer: Any, row: Row, settings: Row) -> Row:
        """Return a row's ``input_ids`` and ``labels``, and single numbers that `objective` reads as tensors (rows,).

        The prompt is the original one, never the steered one (Eq. 2). It gets no loss; everything after it does.
        """
        prompt = prompt_tokens(tokenizer, row["prompt"])
        completion = completion_tokens(tokenizer, row["response"])
        return {"input_ids": prompt + completion, "labels": [IGNORED] * len(prompt) + completion}

    def objective(self, model: Any, inputs: Row, num_items_in_batch: torch.Tensor | None) -> torch.Tensor:
        """Return the loss of one micro-batch on one device, such that the sum over the step is the step's loss.

        Parameters
        ----------
        model : the model as it is to be called (wrapped where there are several devices)
        inputs : dict of tensor
            ``input_ids``, ``labels``, ``attention_mask`` (rows, tokens), padded on the right, and `example`'s numbers.
        num_items_in_batch : scalar tensor
            Supervised tokens of the whole optimiser step.
        """
        tokens = {name: inputs[name] for name in (*TOKENS, "attention_mask")}
        return super().compute_loss(model, tokens, num_items_in_batch=num_items_in_batch)

    def add_term(self, name: str, value: torch.Tensor) -> None:
        """Log a term of the loss, already divided as the loss is."""
        self._terms[name] = self._terms[name] + value.detach()

    @property
    def processes(self) -> int:
        """Number of devices that share a step."""
        return self.accelerator.num_processes

    def step_total(self, count: Callable[[Row], torch.Tensor]) -> torch.Tensor:
        """Return the sum of ``count`` over all micro-batches and devices of the current optimiser step."""
        total = sum(count(batch) for batch in self._step_batches).to(self.args.device)
        return self.accelerator.gather(total.reshape(1)).sum() if self.processes > 1 else total

    def clip_gradient(self, model: Any) -> torch.Tensor:
        """Clip the gradient and return its norm before."""
        return super()._clip_grad_norm(model)

    def save_extra(self, folder: str | Path) -> None:
        """Write what is learnt beside the adapter, if anything, into a folder."""

    def compute_loss(
        self, model: Any, inputs: Row, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Return `objective`; raise NotFinite with the step and the rows if it is not a finite number."""
        if self._logged < 0:
            self._clock, self._logged = time.monotonic(), self.state.global_step
        rows = inputs.pop("row").tolist()
        self._seen += rows
        self._counts[0] += int(inputs["attention_mask"].sum())
        self._counts[1] += int((inputs["labels"][:, 1:] != IGNORED).sum())
        loss = self.objective(model, dict(inputs), num_items_in_batch)
        if not torch.isfinite(loss):
            self._stop("the loss", self._guilty(rows, inputs, num_items_in_batch))
        return loss

    def _guilty(self, rows: list[int], inputs: Row, num_items_in_batch: Any) -> list[int]:
        """Return the rows of a micro-batch whose own loss is not finite; all of them if that is not known."""
        if self.processes > 1 or len(rows) == 1:  # one device cannot compute while the others wait
            return rows
        alone = [{name: value[n : n + 1] for name, value in inputs.items()} for n in range(len(rows))]
        with torch.no_grad():
            losses = [self.objective(self.model, row, num_items_in_batch) for row in alone]
        return [row for row, loss in zip(rows, losses, strict=True) if not torch.isfinite(loss)] or rows

    def _stop(self, what: str, rows: Sequence[int]) -> None:
        names = [self.ids[row] for row in rows if row < len(self.ids)]
        raise NotFinite(f"{what} is not finite at step {self.state.global_step + 1}; rows: {', '.join(names)}")

    def _clip_grad_norm(self, model: Any) -> torch.Tensor:
        norm = self.clip_gradient(model)
        if not torch.isfinite(torch.as_tensor(norm)):
            seen = torch.tensor(self._seen, device=self.args.device)
            self._stop("the gradient", self.accelerator.gather(seen).tolist())
        return norm

    def _get_num_items_in_batch(self, batch_samples: list, device: torch.device) -> Any:
        self._step_batches, self._seen = batch_samples, []  # a step begins
        return super()._get_num_items_in_batch(batch_samples, device)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        multiple = self.args.per_device_train_batch_size * self.processes if self.processes > 1 else 1
        return Order(len(self.ids), multiple, self.args.seed, lambda: int(self.state.epoch or 0))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log the loss's terms, tokens per second and the fraction of supervised tokens too, each over all devices."""
        if "loss" in logs:
            steps = self.state.global_step - self._logged
            terms = [float(value) for _, value in sorted(self._terms.items())]
            figures = torch.tensor([*self._counts, *terms], dtype=torch.float64)
            if self.processes > 1:
                figures = self.accelerator.reduce(figures.to(self.args.device, torch.float32), "sum").cpu()
            tokens, supervised, *sums = figures.tolist()
            now = time.monotonic()
            logs["tokens_per_second"] = tokens / max(now - self._clock, 1e-9)
            logs["supervised_share"] = supervised / max(tokens, 1)
            for name, value in zip(sorted(self._terms), sums, strict=True):
                logs[name] = value / self.processes / max(steps, 1)
            self._clock, self._logged, self._counts = now, self.state.global_step, [0, 0]
            self._terms.clear()
        super().log(logs, start_time)


class Collator(DataCollatorForLanguageModeling):
    """Pads tokens on the right and adds the other columns, one number per row."""

    def torch_call(self, examples: list[Row]) -> Row:
        """Return a batch of tensors: (rows, tokens) for tokens, (rows,) for everything else."""
        others = {name: torch.tensor([row[name] for row in examples]) for name in examples[0] if name not in TOKENS}
        return super().torch_call(examples) | others


class Order(Sampler[int]):
    """Rows in a new random order for every epoch, then blank rows until all devices have the same number.

    A step uses the next rows of this order, so that its rows do not depend on the number of devices and their batches.
    The blank row, which has no supervised token, is the one after the last.
    """

    def __init__(self, rows: int, multiple: int, seed: int, epoch: Callable[[], int]) -> None:
        self.rows, self.seed, self.epoch = rows, seed, epoch
        self.blanks = -rows % multiple

    def __len__(self) -> int:
        return self.rows + self.blanks

    def __iter__(self) -> Iterator[int]:
        drawn = torch.Generator().manual_seed(seed_for("order", self.seed, self.epoch()) % 2**63)
        yield from torch.randperm(self.rows, generator=drawn).tolist()
        yield from [self.rows] * self.blanks


def blank(example: Row) -> Row:
    """Return a row like ``example`` of which no token is supervised."""
    tokens = (example["input_ids"] * 2)[:2]
    return example | {"input_ids": tokens, "labels": [IGNORED] * len(tokens)}
