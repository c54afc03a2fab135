"""Sampling with Hugging Face models, one decode loop for a batch (paper A.1, B; the miniature's engine).

``generate`` of transformers has one seed for a batch; here each request has its own stream of random numbers, so its
response does not depend on its neighbours (but for the last digits of floating-point sums). The order is vLLM's and
Hugging Face's: temperature, then top-k, then top-p on what top-k left.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy
import torch

from thinksafe.inference.requests import Completion, Engine, Request, Sampling
from thinksafe.models.chat import text_of

BLOCK = 64  # tokens by which caches grow, and for which random numbers are drawn, at once
HEAD = 64  # likeliest tokens to look at before the whole vocabulary is sorted for top-p
PREFILL_TOKENS = {"cpu": 2048, "cuda": 32768}  # tokens of prompts, padding included, in one forward pass
FUSED = 512 * 512  # attention scores per head from which the fused kernel, which does not store them, is used
GROUPED = ("llama", "mistral", "qwen2", "qwen3")  # architectures whose attention `grouped_attention` computes


class Sampler:
    """Samples with a model as it is now, such as a student in training; ``stop`` are the tokens that end a response."""

    def __init__(self, model: Any, tokenizer: Any, stop: Sequence[int]) -> None:
        self.model, self.tokenizer, self.stop = model, tokenizer, tuple(stop)
        self.device, self.dtype = model.device.type, model.dtype

    def answer(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """Answer requests together: the prompts at once, then token by token. The model must be in eval mode.

        Rows that have ended stay in the batch until they are an eighth of it, then their caches are dropped together.
        """
        limit, count = sampling.max_tokens, len(requests)
        cache, logits = self._prefill([request.tokens for request in requests], keep=limit > 1)
        lengths = torch.tensor([len(request.tokens) for request in requests], device=self.device)
        labels = _label_logprobs(logits, requests)
        bias = _padding_bias(lengths, limit, self.dtype)
        streams = _Streams([request.seed for request in requests], self.device)
        stops = torch.tensor(self.stop, device=self.device)
        tokens = torch.zeros((count, limit), dtype=torch.long, device=self.device)
        logprobs = torch.zeros((count, limit), dtype=torch.float64, device=self.device)
        ends = torch.full((count,), limit, device=self.device)
        rows = torch.arange(count, device=self.device)  # the request that each row of the batch belongs to
        ended = torch.zeros(count, dtype=torch.bool, device=self.device)
        for step in range(limit):
            chosen = choose(logits, streams.uniform(rows, step), sampling)
            tokens[rows, step] = chosen
            logprobs[rows, step] = chosen_logprobs(logits, chosen).double()
            now = torch.isin(chosen, stops) & ~ended
            ends[rows[now]] = step + 1
            ended |= now
            ended_rows = int(ended.sum())
            if ended_rows == len(rows) or step + 1 == limit:
                break
            if ended_rows * 8 >= len(rows):
                keep = (~ended).nonzero().squeeze(1)
                cache.select(keep)
                rows, chosen, lengths, bias, ended = (t[keep] for t in (rows, chosen, lengths, bias, ended))
            logits = self.model(
                input_ids=chosen[:, None],
                attention_mask=bias[..., : cache.length + 1],
                position_ids=(lengths + step)[:, None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            cache.length += 1
        return [
            Completion(
                id=request.id,
                text=text_of(self.tokenizer, ids[:end], self.stop),
                tokens=tuple(ids[:end]),
                finish_reason="stop" if ids[end - 1] in self.stop else "length",
                logprobs=tuple(scores[:end]),
                labels=label,
            )
            for request, ids, scores, end, label in zip(
                requests, tokens.tolist(), logprobs.tolist(), ends.tolist(), labels, strict=True
            )
        ]

    def _prefill(self, prompts: Sequence[tuple[int, ...]], keep: bool) -> tuple[Any, Any]:
        """Return the cache of all prompts, padded on the left, and the logits (prompts, vocabulary) after each.

        Equal prompts are computed once, and prompts of similar length together, so that little is padding. Without
        ``keep`` the cache stays empty, since nothing is generated after the first token.
        """
        owners: dict[tuple[int, ...], list[int]] = {}
        for row, prompt in enumerate(prompts):
            owners.setdefault(prompt, []).append(row)
        cache = KeyValues(len(prompts), max(map(len, prompts)))
        logits = None
        for chunk in _chunks(sorted(owners, key=len), PREFILL_TOKENS[self.device]):
            width = len(chunk[-1])
            ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in chunk], device=self.device)
            lengths = torch.tensor([len(prompt) for prompt in chunk], device=self.device)
            collected = _Collected()
            output = self.model(
                input_ids=ids,
                attention_mask=_prompt_bias(lengths, self.dtype),
                position_ids=(torch.arange(width, device=self.device) - (width - lengths)[:, None]).clamp(min=0),
                past_key_values=collected,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            rows = torch.tensor([row for prompt in chunk for row in owners[prompt]], device=self.device)
            source = torch.tensor([i for i, prompt in enumerate(chunk) for _ in owners[prompt]], device=self.device)
            if logits is None:
                logits = output.new_zeros((len(prompts), output.shape[-1]))
            logits[rows] = output[source]
            if keep:
                cache.place(collected.layers, rows, source)
        return cache, logits


class TransformersEngine(Sampler, Engine):
    """Samples with a model in memory; other settings are those of `Engine`."""

    def __init__(self, folder: str, *, dtype: str, tensor_parallel: int = 1, **settings: Any) -> None:
        from transformers import AttentionInterface, AutoConfig, AutoModelForCausalLM
        from transformers.utils import logging

        logging.disable_progress_bar()
        if tensor_parallel != 1:
            raise ValueError("engine.tensor_parallel: the transformers engine uses one device; set 1, or use vllm")
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if set(getattr(config, "layer_types", None) or ["full_attention"]) != {"full_attention"}:
            raise ValueError(f"{folder}: not every layer attends to all tokens; use engine.name vllm for this model")
        AttentionInterface.register("grouped_attention", grouped_attention)
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            attn_implementation="grouped_attention" if config.model_type in GROUPED else "sdpa",
            local_files_only=True,
        )
        Engine.__init__(self, folder, **settings)
        self.peft = None
        # Adapters live inside the base model's layers, so the wrapper need not be called at every token.
        for adapter, name in self.adapters.items():
            own = dict(adapter_name=name, autocast_adapter_dtype=False)  # in the model's own precision
            if self.peft is None:
                from peft import PeftModel

                self.peft = PeftModel.from_pretrained(model, adapter, **own)
            else:
                self.peft.load_adapter(adapter, **own)
        model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval().requires_grad_(False)
        for weight in model.parameters():
            # Own memory: the alignment of weights mapped from a file, and with it sums, depends on the file's header.
            weight.data = weight.data.clone()
        Sampler.__init__(self, model, self.tokenizer, self.stop)

    def _answer(self, requests: Sequence[Request], adapter: str | None, sampling: Sampling) -> list[Completion]:
        without = contextlib.nullcontext()
        if adapter is not None:
            self.peft.set_adapter(self.adapters[adapter])
        elif self.peft is not None:
            without = self.peft.disable_adapter()
        with torch.inference_mode(), without:
            return self.answer(requests, sampling)


def choose(logits: Any, uniform: Any, sampling: Sampling) -> Any:
    """Return one token per row, (batch,), by inverting the distribution that ``sampling`` leaves of the logits.

    ``logits`` are (batch, vocabulary), ``uniform`` are numbers (batch,), float64 in [0, 1).
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    scaled = _at_least_float32(logits) / sampling.temperature
    vocabulary = scaled.shape[-1]
    top_k = min(sampling.top_k or vocabulary, vocabulary)
    if top_k == vocabulary and sampling.top_p >= 1:
        cumulated = scaled.double().softmax(-1).cumsum(-1)
        return _first_above(cumulated, uniform * cumulated[:, -1]).clamp(max=vocabulary - 1)
    if top_k < vocabulary:
        values, tokens = scaled.topk(top_k)
        return _nucleus(tokens, values.double().softmax(-1), uniform, sampling.top_p)
    whole = scaled.logsumexp(-1, keepdim=True).double()
    values, tokens = scaled.topk(min(HEAD, vocabulary))
    mass = (values.double() - whole).exp()
    chosen = _nucleus(tokens, mass, uniform, sampling.top_p)
    flat = (mass.sum(-1) < sampling.top_p).nonzero().squeeze(1)  # rows whose head falls short of top-p: sort them
    if len(flat):
        values, tokens = scaled[flat].sort(-1, descending=True)
        chosen[flat] = _nucleus(tokens, (values.double() - whole[flat]).exp(), uniform[flat], sampling.top_p)
    return chosen


def _nucleus(tokens: Any, mass: Any, uniform: Any, top_p: float) -> Any:
    """Choose among ``tokens``, likeliest first with probabilities ``mass``: the fewest that reach ``top_p``."""
    cumulated = mass.cumsum(-1)
    last = (cumulated - mass < top_p).sum(-1, keepdim=True) - 1  # the last token that top-p keeps
    place = _first_above(cumulated, uniform * cumulated.gather(-1, last).squeeze(-1))
    return tokens.gather(-1, torch.minimum(place[:, None], last)).squeeze(-1)


def chosen_logprobs(logits: Any, chosen: Any) -> Any:
    """Return the log-probability (batch,) of each chosen token under the model itself, before temperature."""
    logits = _at_least_float32(logits)
    return logits.gather(-1, chosen[:, None]).squeeze(-1) - logits.logsumexp(-1)


def _first_above(cumulated: Any, targets: Any) -> Any:
    return (cumulated <= targets[:, None]).sum(-1)


def _at_least_float32(tensor: Any) -> Any:
    return tensor if tensor.element_size() >= 4 else tensor.float()


def _label_logprobs(logits: Any, requests: Sequence[Request]) -> list[dict[int, float]]:
    found: list[dict[int, float]] = [{} for _ in requests]
    rows = [row for row, request in enumerate(requests) if request.labels]
    if rows:
        scores = _at_least_float32(logits[rows]).log_softmax(-1)
        for row, score in zip(rows, scores, strict=True):
            found[row] = dict(zip(requests[row].labels, score[list(requests[row].labels)].tolist(), strict=True))
    return found


class _Streams:
    """Random numbers of each request, from its own seed, whatever else is in the batch."""

    def __init__(self, seeds: Sequence[int], device: str) -> None:
        self.generators = [numpy.random.Generator(numpy.random.Philox(key=seed)) for seed in seeds]
        self.device = device

    def uniform(self, rows: Any, step: int) -> Any:
        """Return the numbers (rows,), float64 in [0, 1), with which these requests choose their token ``step``."""
        if step % BLOCK == 0:
            self.drawn = numpy.zeros((len(self.generators), BLOCK))
            for row in rows.tolist():
                self.drawn[row] = self.generators[row].random(BLOCK)
            self.drawn = torch.from_numpy(self.drawn).to(self.device)
        return self.drawn[rows, step % BLOCK]


def _chunks(prompts: Sequence[tuple[int, ...]], limit: int) -> Iterator[list[tuple[int, ...]]]:
    """Yield runs of prompts, shortest first, of at most ``limit`` tokens when padded to their longest."""
    chunk: list[tuple[int, ...]] = []
    for prompt in prompts:
        if chunk and (len(chunk) + 1) * len(prompt) > limit:
            yield chunk
            chunk = []
        chunk.append(prompt)
    yield chunk


def _prompt_bias(lengths: Any, dtype: Any) -> Any:
    """Return what is added to the attention scores (batch, 1, width, width) of prompts padded on the left.

    A padding token attends to itself, since an empty row would be NaN.
    """
    width = int(lengths.max())
    place = torch.arange(width, device=lengths.device)
    real = place >= (width - lengths)[:, None]
    seen = (place <= place[:, None]) & real[:, None, :] | torch.eye(width, dtype=torch.bool, device=lengths.device)
    bias = torch.zeros(seen.shape, dtype=dtype, device=lengths.device)
    return bias.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]


def _padding_bias(lengths: Any, limit: int, dtype: Any) -> Any:
    """Return what is added to the scores (batch, 1, 1, width + limit) of one generated token."""
    width = int(lengths.max())
    padding = torch.arange(width + limit, device=lengths.device) < (width - lengths)[:, None]
    bias = torch.zeros(padding.shape, dtype=dtype, device=lengths.device)
    return bias.masked_fill_(padding, torch.finfo(dtype).min)[:, None, None]


class _Collected:
    """Replaces the cache in a forward pass over prompts, and keeps the keys and values for `KeyValues.place`."""

    def __init__(self) -> None:
        self.layers: list[tuple[Any, Any]] = []

    def update(self, keys: Any, values: Any, layer: int, *unused: Any, **more: Any) -> tuple[Any, Any]:
        self.layers.append((keys, values))
        return keys, values

    def get_seq_length(self, layer: int = 0) -> int:
        return 0


class KeyValues:
    """Keys and values of a batch, in memory that grows a block of tokens at a time.

    Replaces transformers' DynamicCache, which copies everything at every token. ``length`` counts the tokens held,
    padding included; the decode loop increments it after each token.
    """

    def __init__(self, rows: int, length: int) -> None:
        self.rows = rows
        self.length = length
        self.layers: list[list[Any]] = []  # per layer keys and values, (rows, heads, capacity, head size)

    def place(self, layers: Sequence[tuple[Any, Any]], rows: Any, source: Any) -> None:
        """Write prompts' keys and values so that they end at ``length``; row ``source[i]`` goes to ``rows[i]``."""
        for index, pair in enumerate(layers):
            if index == len(self.layers):
                # Zeros, not empty: padding is masked, but a NaN times zero would be NaN.
                self.layers.append([self._room(part, self.length + BLOCK) for part in pair])
            for held, part in zip(self.layers[index], pair, strict=True):
                held[rows, :, self.length - part.shape[2] : self.length] = part[source]

    def update(self, keys: Any, values: Any, layer: int, *unused: Any, **more: Any) -> tuple[Any, Any]:
        """Add one token and return all keys and values up to it (called by the model's attention)."""
        held = self.layers[layer]
        for index, part in enumerate((keys, values)):
            if self.length == held[index].shape[2]:
                larger = self._room(part, self.length + BLOCK)
                larger[:, :, : self.length] = held[index]
                held[index] = larger
            held[index][:, :, self.length : self.length + 1] = part
        return held[0][:, :, : self.length + 1], held[1][:, :, : self.length + 1]

    def select(self, keep: Any) -> None:
        """Keep only these rows."""
        self.rows = len(keep)
        for held in self.layers:
            for index in range(len(held)):
                held[index] = held[index].index_select(0, keep)

    def get_seq_length(self, layer: int = 0) -> int:
        return self.length

    def _room(self, like: Any, capacity: int) -> Any:
        return like.new_zeros((self.rows, like.shape[1], capacity, like.shape[3]))


def grouped_attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float, **unused: Any
) -> tuple[Any, None]:
    """Return attention (batch, length, heads, size) without copying keys for each query head that shares them.

    Twice as fast as transformers' `sdpa` for a token of a small model on CPU. Long prompts go to the fused kernel,
    whose memory does not grow with the square of the length.
    """
    batch, heads, length, size = query.shape
    shared = key.shape[1]
    if length * key.shape[2] > FUSED or (length > 1 and query.is_cuda):
        key, value = (part.repeat_interleave(heads // shared, dim=1) for part in (key, value))
        out = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask, scale=scaling
        )
        return out.transpose(1, 2).contiguous(), None
    grouped = query.reshape(batch, shared, heads // shared * length, size) * scaling
    scores = torch.matmul(grouped, key.transpose(2, 3)).view(batch, heads, length, -1)
    scores += attention_mask
    weights = _at_least_float32(scores).softmax(-1).to(query.dtype)
    out = torch.matmul(weights.view(batch, shared, heads // shared * length, -1), value)
    return out.view(batch, heads, length, size).transpose(1, 2), None
