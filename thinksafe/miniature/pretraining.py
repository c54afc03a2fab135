"""Pre-training of the miniature's models: loss on chosen positions only, float32, one thread, seeded."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

WARMUP = 50  # steps
LAST_RATE = 0.03  # fraction of the learning rate at the end of the linear decay
CLIP = 1.0
LAYER_DECAY = 0.01  # weight decay of the layers' matrices; 0.1 keeps attention too soft to copy in order
EMBEDDING_DECAY = 0.1
EMBEDDING_RATE = 0.6  # learning rate of the embeddings, as a fraction of the others'
ATTENTION_STD = 0.08  # initial standard deviation of query and key weights; models with QK-norm need none
BETAS = (0.9, 0.95)
ROPE_THETA = 300.0  # rotations fit for texts of some 100 tokens
CHUNK = 40  # batches whose rows are sorted by length together
REPORT = 20  # steps between reports of progress


class Row(NamedTuple):
    """Token ids and, for each, whether it counts in the loss."""

    ids: list[int]
    learnt: list[bool]


def row_of(prompt: Sequence[int], completion: Sequence[int], learnt: Sequence[bool] | None = None) -> Row:
    """Return a row with the loss on the completion only, or on its tokens that are marked as ``learnt``."""
    return Row([*prompt, *completion], [*[False] * len(prompt), *(learnt or [True] * len(completion))])


def make_model(architecture: str, tokenizer: Any, settings: dict[str, Any], seed: int, **config: Any) -> Any:
    """Return a model with random weights that depend on ``seed`` alone.

    ``architecture`` is the stem of transformers' class names, such as ``Qwen3``, and ``config`` further settings of its
    config. The sizes follow from ``hidden_size`` and ``layers`` in ``settings``.
    """
    import torch
    import transformers

    hidden = settings["hidden_size"]
    heads = max(1, hidden // 32)
    sizes = dict(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=settings["layers"],
        num_attention_heads=heads,
        num_key_value_heads=heads // 2 if heads % 2 == 0 else heads,
        head_dim=32,
        max_position_embeddings=tokenizer.model_max_length,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    model_class = getattr(transformers, f"{architecture}ForCausalLM")
    model = model_class(getattr(transformers, f"{architecture}Config")(**(sizes | config)))
    for layer in model.model.layers:
        if not hasattr(layer.self_attn, "q_norm"):
            for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj):
                torch.nn.init.normal_(projection.weight, std=ATTENTION_STD)
    return model


def batches(rows: Sequence[Row], size: int, seed: int) -> Iterator[list[Row]]:
    """Yield every row once, in batches of rows of similar length in random order; the last may be smaller."""
    rng = random.Random(seed)
    shuffled = rng.sample(rows, len(rows))
    for start in range(0, len(rows), size * CHUNK):
        near = sorted(shuffled[start : start + size * CHUNK], key=lambda row: len(row.ids))
        chunk = [near[place : place + size] for place in range(0, len(near), size)]
        rng.shuffle(chunk)
        yield from chunk


def fit(
    model: Any, rows: Sequence[Row], settings: dict[str, Any], seed: int, progress: Callable[[int, int], None]
) -> float:
    """Train ``model`` on every row once; return the mean loss (nats per token) of the last tenth of the steps.

    ``settings`` are ``batch_size`` and ``learning_rate`` (its peak); ``progress`` takes (done, total) steps.
    """
    import torch

    torch.set_num_threads(1)  # sums, and so the weights, depend on the number of threads
    torch.manual_seed(seed)
    total = math.ceil(len(rows) / settings["batch_size"])
    optimizers = _optimizers(model, settings["learning_rate"])
    schedules = [torch.optim.lr_scheduler.LambdaLR(each, lambda step: rate(step, total)) for each in optimizers]
    losses: list[float] = []
    model.train()
    for step, batch in enumerate(batches(rows, settings["batch_size"], seed), 1):
        loss = _loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for each in (*optimizers, *schedules):
            each.step()
        model.zero_grad()
        losses.append(loss.item())
        if step % REPORT == 0 or step == total:
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

    layers, embeddings, vectors = [], [], []
    for name, parameter in model.named_parameters():
        outer = name.startswith(("model.embed_tokens", "lm_head"))  # a tied head has no name of its own
        (vectors if parameter.dim() < 2 else embeddings if outer else layers).append(parameter)
    groups = [
        {"params": embeddings, "weight_decay": EMBEDDING_DECAY, "lr": rate * EMBEDDING_RATE},
        {"params": vectors, "weight_decay": 0.0, "lr": rate},
    ]
    return [Muon(layers, lr=rate, weight_decay=LAYER_DECAY), torch.optim.AdamW(groups, betas=BETAS, fused=True)]


def rate(step: int, total: int) -> float:
    """Return the fraction of the peak learning rate: linear warm-up, then linear decay."""
    warmup = min(WARMUP, max(1, total // 10))
    if step < warmup:
        return (step + 1) / warmup
    return max(LAST_RATE, 1 - (1 - LAST_RATE) * (step - warmup) / max(1, total - warmup))


def _loss(model: Any, batch: Sequence[Row]) -> Any:
    """Return the mean cross-entropy over the learnt tokens of a batch.

    Rows are padded on the right, which causal attention never reads, so no mask is needed; the head is computed only
    at the learnt positions.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    ids = pad_sequence([torch.tensor(row.ids) for row in batch], batch_first=True)
    learnt = pad_sequence([torch.tensor(row.learnt) for row in batch], batch_first=True)
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
