"""Likelihood of a training set under a frozen model (paper Sec. 5.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

BATCH_TOKENS = 16384  # tokens of a batch, padding included; part of the result in its last digits
IGNORED = -100


def token_sums(
    examples: Sequence[dict[str, Any]],
    folder: str | Path,
    dtype: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[tuple[int, float]]:
    """Return how many tokens of each example are learnt, and the sum of their negative log-likelihoods in nats.

    Parameters
    ----------
    examples : dicts with ``input_ids`` and ``labels``
        A token with the label -100, such as the prompt's, is read and not counted.
    folder : path
        Folder of the model, which stays as it is.
    dtype : str
        Number type of its weights; likelihoods are taken in float32.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from thinksafe.training.lm_head import bare_head, token_nll

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), local_files_only=True)
    model = model.to(device).eval().requires_grad_(False)
    head = model.get_output_embeddings()
    found: list[tuple[int, float]] = [(0, 0.0)] * len(examples)
    done = 0
    progress(0, len(examples))
    for places in batches([len(example["input_ids"]) for example in examples]):
        rows = [examples[place] for place in places]
        longest = max(len(row["input_ids"]) for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long, device=device)
        labels = torch.full_like(ids, IGNORED)
        there = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[number, :length] = torch.tensor(row["input_ids"], device=device)
            labels[number, :length] = torch.tensor(row["labels"], device=device)
            there[number, :length] = 1
        with torch.inference_mode():
            with bare_head(head):
                states = model(input_ids=ids, attention_mask=there, use_cache=False).logits[:, :-1]
            learnt = labels[:, 1:] != IGNORED
            losses = token_nll(states[learnt], labels[:, 1:][learnt], head).double()
        counts = learnt.sum(1).tolist()
        for place, count, part in zip(places, counts, losses.split(counts), strict=True):
            found[place] = (count, float(part.sum()))
        done += len(rows)
        progress(done, len(examples))
    return found


def batches(lengths: Sequence[int], limit: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Yield the places of examples that are read together: by length, the longest first, as many as ``limit`` holds."""
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    while order:
        size = max(1, limit // max(1, lengths[order[0]]))
        yield order[:size]
        order = order[size:]
