"""Likelihood of a training set under a frozen model (paper Sec. 5.5)."""

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
    folder : path of the model
    dtype : number type of its weights; likelihoods are computed in float32
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence
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
        ids, labels, mask = (
            pad_sequence([torch.tensor(values) for values in columns], batch_first=True, padding_value=fill).to(device)
            for columns, fill in (
                ([row["input_ids"] for row in rows], 0),
                ([row["labels"] for row in rows], IGNORED),
                ([[1] * len(row["input_ids"]) for row in rows], 0),
            )
        )
        with torch.inference_mode():
            with bare_head(head):
                states = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
            learnt = labels[:, 1:] != IGNORED
            losses = token_nll(states[learnt], labels[:, 1:][learnt], head).double()
        counts = learnt.sum(1).tolist()
        for place, count, own in zip(places, counts, losses.split(counts), strict=True):
            found[place] = (count, float(own.sum()))
        done += len(rows)
        progress(done, len(examples))
    return found


def batches(lengths: Sequence[int], limit: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Yield the places of the examples of each batch, the longest first, as many as fit in ``limit`` tokens."""
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    while order:
        size = max(1, limit // max(1, lengths[order[0]]))
        yield order[:size]
        order = order[size:]
