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
LAYER_DECAY = 0.01  # weight decay of the layers' matrices; 0.1 keeps attention too soft to copy in order
EMBEDDING_DECAY = 0.1
EMBEDDING_RATE = 0.6  # learning rate of the embeddings, as a share of the others'
SHARP = 0.08  # first standard deviation of query and key weights; models with QK-norm need none
BETAS = (0.9, 0.95)
ROPE_THETA = 300.0  # turns fit for texts of some 100 tokens
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

    ``settings`` gives ``hidden_size`` and ``layers``; the other sizes follow. ``more`` goes into its config.
    """
    import torch

    hidden = settings["hidden_size"]
    heads = max(1, hidden // 32)
    sizes = dict(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=settings["layers"],
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 2) if heads % 2 == 0 else heads,
        head_dim=32,
        max_position_embeddings=tokenizer.model_max_length,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    model = kind(config_kind(**(sizes | more)))
    for layer in model.model.layers:
        if not hasattr(layer.self_attn, "q_norm"):
            for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj):
                torch.nn.init.normal_(projection.weight, std=SHARP)
    return model


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
    optimizers = _optimizers(model, settings["learning_rate"])
    schedules = [torch.optim.lr_scheduler.LambdaLR(one, lambda step: rate(step, total)) for one in optimizers]
    losses: list[float] = []
    model.train()
    for step, batch in enumerate(batches_of(rows, settings["batch_size"], seed), 1):
        loss = _loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for part in (*optimizers, *schedules):
            part.step()
        model.zero_grad()
        losses.append(loss.item())
        if progress and (step % REPORT == 0 or step == total):
            progress(step, total)
    model.eval()
    last = losses[-max(1, total // 10) :]
    return sum(last) / len(last)


def _optimizers(model: Any, rate: float) -> list[Any]:
    """Return Muon for the layers' matrices and AdamW for embeddings, norms and biases.

    With AdamW alone these models need several times the steps before they copy in order.
    """
    import torch

    from thinksafe.miniature.muon import Muon

    named = list(model.named_parameters())
    # A head is named only where it is not the embeddings themselves.
    outer = ("model.embed_tokens", "lm_head")
    layers = [parameter for name, parameter in named if parameter.dim() == 2 and not name.startswith(outer)]
    embeddings = [parameter for name, parameter in named if parameter.dim() == 2 and name.startswith(outer)]
    vectors = [parameter for _, parameter in named if parameter.dim() < 2]
    groups = [
        {"params": embeddings, "weight_decay": EMBEDDING_DECAY, "lr": rate * EMBEDDING_RATE},
        {"params": vectors, "weight_decay": 0.0, "lr": rate},
    ]
    return [
        Muon(layers, lr=rate, weight_decay=LAYER_DECAY),
        torch.optim.AdamW(groups, betas=BETAS, fused=True),
    ]


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


def save(model: Any, tokenizer: Any, output: str | Path, generation: dict[str, Any] | None = None) -> None:
    """Write an ordinary Hugging Face model folder with its tokenizer; ``generation`` is its generation config."""
    from transformers import GenerationConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    model.generation_config = GenerationConfig(**(generation or {name: getattr(tokenizer, name) for name in names}))
    model.save_pretrained(str(output))
    tokenizer.save_pretrained(str(output))
