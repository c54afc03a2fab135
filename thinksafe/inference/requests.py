"""What both sampling engines share (paper A.1, B): settings, requests, completions, and slices of requests."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thinksafe.models.folder import check_adapter, load_tokenizer, stop_tokens


@dataclass(frozen=True)
class Sampling:
    """Decoding settings: ``temperature`` 0 is greedy, ``top_k`` 0 is off, ``max_tokens`` counts generated tokens."""

    temperature: float
    top_p: float
    top_k: int
    max_tokens: int


@dataclass(frozen=True)
class Request:
    """One response to sample.

    ``tokens`` is the chat-formatted prompt with at most one BOS; ``seed`` belongs to this request alone; ``adapter``
    is the folder of a LoRA adapter to answer with; ``labels`` are the token ids whose log-probability at the first
    generated position is wanted (a guard's ``safe`` and ``unsafe``).
    """

    id: str
    tokens: tuple[int, ...]
    seed: int
    adapter: str | None = None
    labels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Completion:
    """One finished response.

    ``tokens`` includes the stop token when ``finish_reason`` is ``stop``, ``text`` does not. ``logprobs`` are those of
    the generated tokens under the model itself, before temperature, top-p and top-k.
    """

    id: str
    text: str
    tokens: tuple[int, ...]
    finish_reason: str
    logprobs: tuple[float, ...]
    labels: dict[int, float] = field(default_factory=dict)


class Engine:
    """Samples requests in slices of ``batch_size``, so that a resumed job makes the same slices.

    A subclass loads the model and answers requests with one adapter in `_answer`.

    Parameters
    ----------
    folder : of the model
    max_model_tokens : longest prompt and response together
    adapters : folders of the LoRA adapters that requests may name
    tokenizer : the model's, where it has been loaded; by default its folder's
    """

    def __init__(
        self,
        folder: str,
        *,
        batch_size: int,
        max_model_tokens: int,
        adapters: Sequence[str | Path] = (),
        tokenizer: Any = None,
    ) -> None:
        self.batch_size, self.max_model_tokens = batch_size, max_model_tokens
        self.adapters = {check_adapter(adapter): f"adapter{number}" for number, adapter in enumerate(adapters, 1)}
        self.tokenizer = tokenizer or load_tokenizer(folder)
        self.stop = stop_tokens(folder, self.tokenizer)

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Yield one list of completions, in request order, for each slice of ``batch_size`` requests."""
        check_requests(requests, sampling, self.max_model_tokens, self.adapters)
        return (
            self._slice(requests[start : start + self.batch_size], sampling)
            for start in range(0, len(requests), self.batch_size)
        )

    def _slice(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """Answer a slice, adapter by adapter in order of appearance."""
        done: dict[int, Completion] = {}
        for adapter in dict.fromkeys(request.adapter for request in requests):
            places = [place for place, request in enumerate(requests) if request.adapter == adapter]
            done |= zip(places, self._answer([requests[place] for place in places], adapter, sampling), strict=True)
        return [done[place] for place in range(len(requests))]

    def _answer(self, requests: Sequence[Request], adapter: str | None, sampling: Sampling) -> list[Completion]:
        raise NotImplementedError


def check_requests(
    requests: Sequence[Request], sampling: Sampling, max_model_tokens: int, adapters: Collection[str]
) -> None:
    """Raise ValueError, naming the request, if one of them cannot be served with these settings."""
    if sampling.temperature < 0 or not 0 < sampling.top_p <= 1 or sampling.top_k < 0 or sampling.max_tokens < 1:
        raise ValueError(
            f"{sampling}: needs temperature >= 0, 0 < top_p <= 1, top_k >= 0 (0 is off) and max_tokens >= 1"
        )
    room = max_model_tokens - sampling.max_tokens
    for request in requests:
        if not 0 < len(request.tokens) <= room:
            raise ValueError(
                f"request {request.id}: a prompt of {len(request.tokens)} tokens and max_tokens {sampling.max_tokens} "
                f"do not fit into {max_model_tokens} tokens of context (prompts of 1 to {room} tokens do); "
                "shorten the prompt, lower sampling's max_tokens, or use a model with a longer context"
            )
        if request.adapter is not None and request.adapter not in adapters:
            raise ValueError(
                f"request {request.id}: adapter {request.adapter} was not loaded; name it among the engine's adapters"
            )
