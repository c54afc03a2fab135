"""A plain training loop for the miniature's models: loss on chosen positions only, float32, one thread, seeded."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Progress = Callable[[int, int], None]

WARMUP = 50  # steps
LAST_RATE = 0.03  # share of the learning rate that the linear decay ends at
CLIP = 1.0
WEIGHT_DECAY = 0.1  # of matrices
BETAS = (0.9, 0.95)
CHUNK = 40  # batches whose rows are sorted by length together
REPORT = 20  # steps between calls of progress


class Row(NamedTuple):
    """Token ids and, for each, whether it is to be learnt."""

    ids: list[int]
    learnt: list[bool]


def row_of(prompt: Sequence[int], completion: Sequence[int]) -> Row:
    """Return a row whose completion alone is learnt."""
    return Row([*prompt, *completion], [False] * len(prompt) + [True] * len(completion))


def make_model(kind: type, config_kind: type, tokenizer: Any, settings: dict[str, Any], seed: int, **more: Any) -> Any:
    """Return a model of ``kind`` with random weights that depend on ``seed`` alone.

    ``settings`` gives ``hidden_size`` and ``layers``; the other sizes follow.
    """
    import torch

    hidden = settings["hidden_size"]
    heads = max(1, hidden // 32)
    config = config_kind(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=settings["layers"],
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 2) if heads % 2 == 0 else heads,
        head_dim=32,
        max_position_embeddings=tokenizer.model_max_length,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **more,
    )
    torch.manual_seed(seed)
    return kind(config)


def batches_of(rows: Sequence[Row], size: int, seed: int) -> Iterator[list[Row]]:
    """Yield every row once, in batches of rows of similar length in random order; the last may be smaller."""
    rng = random.Random(seed)
    order = rng.sample(range(len(rows)), len(rows))
    for start in range(0, len(order), size * CHUNK):
        near = sorted(order[start : start + size * CHUNK], key=lambda place: len(rows[place].ids))
        parts = [near[part : part + size] for part in range(0, len(near), size)]
        rng.shuffle(parts)
        yield from ([rows[place] for place in part] for part in parts)


def fit(
    model: Any, rows: Sequence[Row], settings: dict[str, Any], seed: int, progress: Progress | None = None
) -> float:
    """Train ``model`` on every row once; return the mean loss (nats per token) of the last tenth of the steps.

    Parameters
    ----------
    settings : dict
        ``batch_size`` and ``learning_rate`` (its peak).
    progress : callable, optional
        Called with (done, total) steps.
    """
    import torch

    torch.set_num_threads(1)  # sums, and so the weights, depend on the number of threads
    torch.manual_seed(seed)
    total = math.ceil(len(rows) / settings["batch_size"])
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings["learning_rate"], betas=BETAS, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, total))
    losses: list[float] = []
    model.train()
    for step, batch in enumerate(batches_of(rows, settings["batch_size"], seed), 1):
        loss = _loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.item())
        if progress and (step % REPORT == 0 or step == total):
            progress(step, total)
    model.eval()
    last = losses[-max(1, total // 10) :]
    return sum(last) / len(last)


def rate(step: int, total: int) -> float:
    """Return the share of the peak learning rate: linear warm-up, then linear decay."""
    warmup = min(WARMUP, max(1, total // 10))
    if step < warmup:
        return (step + 1) / warmup
    return max(LAST_RATE, 1 - (1 - LAST_RATE) * (step - warmup) / max(1, total - warmup))


def _loss(model: Any, batch: Sequence[Row]) -> Any:
    """Return the mean cross-entropy over the learnt tokens of a batch.

    Rows are padded on the right, where causal attention never looks, so no mask is needed; the head is computed only
    where something is learnt.
    """
    import torch

    length = max(len(row.ids) for row in batch)
    ids = torch.zeros((len(batch), length), dtype=torch.long)
    learnt = torch.zeros((len(batch), length), dtype=torch.bool)
    for place, row in enumerate(batch):
        ids[place, : len(row.ids)] = torch.tensor(row.ids)
        learnt[place, : len(row.ids)] = torch.tensor(row.learnt)
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    chosen = learnt[:, 1:]
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[chosen]), ids[:, 1:][chosen])


def save(model: Any, tokenizer: Any, output: str | Path) -> None:
    """Write an ordinary Hugging Face model folder with its tokenizer."""
    from transformers import GenerationConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(str(output))
    tokenizer.save_pretrained(str(output))
