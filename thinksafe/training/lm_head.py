"""The language-model head in pieces: likelihoods and divergences without a (tokens, vocabulary) tensor.

16,384 tokens of a vocabulary of 152,000 are 10 GB in float32. Here a few hundred tokens at a time pass through the
head; for gradients, the logits of a piece are computed again in the backward pass instead of being kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import cross_entropy, linear
from torch.utils.checkpoint import checkpoint

LOGITS = 2**26  # float32 logits that exist at once, 256 MB; the last digits of a sum may depend on it


@contextmanager
def bare_head(head: Any) -> Iterator[None]:
    """Let the model of this head return the states before it in place of logits.

    A call of the whole model runs the hooks of its wrappers (PEFT, DDP, mixed precision); a call of the backbone alone
    would not.
    """
    head.forward = lambda states: states
    try:
        yield
    finally:
        del head.forward  # the class's own is back


def token_nll(states: Any, labels: Any, head: Any, logits: int = LOGITS) -> Any:
    """Return the negative log-likelihood of each label in nats: (tokens,), at least float32.

    Parameters
    ----------
    states : Tensor, (tokens, width), what the head reads at the position before each label
    head : Module with ``weight`` of shape (vocabulary, width) and no bias
    logits : how many logits may exist at once
    """

    def piece(states: Any, labels: Any) -> Any:
        return cross_entropy(_logits(states, head), labels, reduction="none")

    return _in_pieces(piece, head, logits, states, labels)


def token_kl(states: Any, reference: Any, head: Any, logits: int = LOGITS) -> Any:
    """Return KL(reference || model) over the whole vocabulary at each position, in nats.

    ``states`` and ``reference`` (tokens, width) are what the head reads; no gradient flows into the reference.
    """

    def piece(states: Any, reference: Any) -> Any:
        ours = _logits(states, head).log_softmax(-1)
        theirs = _logits(reference, head).log_softmax(-1).detach()
        return (theirs.exp() * (theirs - ours)).sum(-1)

    return _in_pieces(piece, head, logits, states, reference.detach())


def _logits(states: Any, head: Any) -> Any:
    """Return logits in float32 (float64 stays), as computed in the head's own number type."""
    found = linear(states.to(head.weight.dtype), head.weight)
    return found.to(torch.promote_types(found.dtype, torch.float32))


def _in_pieces(piece: Any, head: Any, logits: int, states: Any, other: Any) -> Any:
    """Return ``piece`` of all positions, a few at a time; the backward pass computes each piece again."""
    size = max(1, logits // head.weight.shape[0])
    keep = torch.is_grad_enabled() and states.requires_grad
    found = [
        checkpoint(piece, some, theirs, use_reentrant=False, preserve_rng_state=False) if keep else piece(some, theirs)
        for some, theirs in zip(states.split(size), other.split(size), strict=True)
    ]
    return torch.cat(found)
