"""Sampling with vLLM (paper A.1, B): the engine of the paper's scale.

Each request brings its own seed, its own adapter and its own prompt ids; decoding back to text is ours, so that both
engines give the same text for the same tokens. What vLLM promises: with scheduling fixed (as set here), the same
requests in the same order on the same kind of device and version give the same responses; batches are not invariant
unless ``VLLM_BATCH_INVARIANT=1`` is set where the GPU supports it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from thinksafe.inference.requests import Completion, Engine, Request, Sampling
from thinksafe.models.folder import check_adapter, load_tokenizer, stop_tokens, text_of

MAX_LORA_RANK = 32  # the paper's rank (App. C); vLLM's default of 16 refuses it
ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # scheduling that does not depend on timing
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
ENVIRONMENT_ON_CPU = {
    "TORCH_COMPILE_DISABLE": "1",  # else half a minute of compiling, with a C++ compiler, before the first token
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; else most of the machine's memory
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # other processes use the same cores
    "VLLM_LOGGING_LEVEL": "ERROR",  # it warns of all that a CPU lacks
}


class VllmEngine(Engine):
    """Samples with vLLM; see `Engine`, and `load_engine` for the settings."""

    def __init__(
        self,
        folder: str,
        *,
        dtype: str,
        batch_size: int,
        max_model_tokens: int,
        tensor_parallel: int = 1,
        adapters: Sequence[str] = (),
        chat: dict[str, Any] | None = None,
    ) -> None:
        on_cpu = _prepare_environment()
        self.folder = folder
        self.batch_size = batch_size
        self.max_model_tokens = max_model_tokens
        self.tokenizer = load_tokenizer(self.folder, chat)
        self.stop = stop_tokens(self.folder, self.tokenizer)
        adapters = [check_adapter(adapter) for adapter in adapters]
        from vllm import LLM
        from vllm.lora.request import LoRARequest

        self.adapters = {
            adapter: LoRARequest(f"adapter{number}", number, adapter) for number, adapter in enumerate(adapters, 1)
        }
        lora: dict[str, Any] = {}
        if adapters:
            lora = {"enable_lora": True, "max_lora_rank": MAX_LORA_RANK, "max_loras": len(adapters)}
        self.llm = LLM(
            model=self.folder,
            dtype=dtype,
            max_model_len=max_model_tokens,
            tensor_parallel_size=tensor_parallel,
            seed=0,  # of no effect on requests, which have their own
            enforce_eager=on_cpu,
            gpu_memory_utilization=float(os.environ.get("THINKSAFE_GPU_MEMORY", "0.9")),
            generation_config="vllm",  # nothing in the model's folder changes how we decode
            logprobs_mode="raw_logprobs",
            use_tqdm_on_load=False,
            **lora,
        )

    def _slice(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """Answer a slice, requests with an adapter apart from those without.

        In a batch of both, vLLM 0.31 on CPU answers the base's requests with the last adapter (its pull requests
        48421 and 49656, open): its LoRA operations read the index -1, meaning none, as the last one.
        """
        from vllm import TokensPrompt

        done: dict[int, Completion] = {}
        for adapted in (False, True):
            places = [place for place, request in enumerate(requests) if (request.adapter is not None) == adapted]
            some = [requests[place] for place in places]
            if not some:
                continue
            outputs = self.llm.generate(
                [TokensPrompt(prompt_token_ids=list(request.tokens)) for request in some],
                [self._parameters(request, sampling) for request in some],
                lora_request=[self.adapters[request.adapter] for request in some] if adapted else None,
                use_tqdm=False,
            )
            for place, output in zip(places, outputs, strict=True):
                done[place] = self._completion(requests[place], output.outputs[0])
        return [done[place] for place in range(len(requests))]

    def _parameters(self, request: Request, sampling: Sampling) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            seed=request.seed,
            ignore_eos=True,  # the stop tokens are exactly ours, as in the other engine
            stop_token_ids=list(self.stop),
            logprobs=None if request.labels else 0,  # 0: of the chosen token alone, which labels are given beside
            logprob_token_ids=list(request.labels) or None,
            flat_logprobs=True,
            detokenize=False,
        )

    def _completion(self, request: Request, output: Any) -> Completion:
        """Return vLLM's output as a completion.

        Raises
        ------
        RuntimeError
            If vLLM gave the request up: such a response must not be taken for a finished one.
        """
        if output.finish_reason not in ("stop", "length"):
            raise RuntimeError(f"request {request.id}: vLLM ended it with {output.finish_reason!r}; run the job again")
        # At each position the chosen token comes first and the labels, where asked for, after it.
        found = output.logprobs
        firsts = found.start_indices
        labels = dict(zip(found.token_ids[: found.end_indices[0]], found.logprobs[: found.end_indices[0]], strict=True))
        tokens = tuple(output.token_ids)
        return Completion(
            id=request.id,
            text=text_of(self.tokenizer, tokens, self.stop),
            tokens=tokens,
            finish_reason=output.finish_reason,
            logprobs=tuple(found.logprobs[first] for first in firsts),
            labels={label: labels[label] for label in request.labels},
        )


def _prepare_environment() -> bool:
    """Set vLLM's variables unless the user has, before it is imported, and return whether it runs on CPU."""
    import torch

    on_cpu = not torch.cuda.is_available()
    for name, value in (ENVIRONMENT | (ENVIRONMENT_ON_CPU if on_cpu else {})).items():
        os.environ.setdefault(name, value)
    return on_cpu
