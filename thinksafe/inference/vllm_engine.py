"""Sampling with vLLM (paper A.1, B): the engine of the paper's scale.

Tokens are decoded by us, so that both engines give the same text for the same tokens. What vLLM promises: with fixed
scheduling (as set here), the same requests in the same order on the same kind of device and version give the same
responses; batches are not invariant unless ``VLLM_BATCH_INVARIANT=1`` is set where the GPU supports it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from thinksafe.files import read_json
from thinksafe.inference.requests import Completion, Engine, Request, Sampling
from thinksafe.models.chat import text_of

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
    """Samples with vLLM; other settings are those of `Engine`.

    `Engine` separates requests with and without an adapter, which vLLM 0.31 on CPU cannot mix in a batch (its pull
    requests 48421 and 49656, open): its LoRA operations read the index -1, meaning none, as the last one.
    """

    def __init__(self, folder: str, *, dtype: str, tensor_parallel: int = 1, **settings: Any) -> None:
        import torch

        on_cpu = not torch.cuda.is_available()
        for name, value in (ENVIRONMENT | (ENVIRONMENT_ON_CPU if on_cpu else {})).items():
            os.environ.setdefault(name, value)  # what the user has set stays; vLLM reads it when it is imported
        super().__init__(folder, **settings)
        from vllm import LLM
        from vllm.lora.request import LoRARequest

        self.lora_requests = {
            adapter: LoRARequest(name, number, adapter)
            for number, (adapter, name) in enumerate(self.adapters.items(), 1)
        }
        lora: dict[str, Any] = {}
        if self.adapters:
            lora = {"enable_lora": True, "max_lora_rank": self._room(), "max_loras": len(self.adapters)}
        self.llm = LLM(
            model=folder,
            dtype=dtype,
            max_model_len=self.max_model_tokens,
            tensor_parallel_size=tensor_parallel,
            seed=0,  # without effect on requests, which have their own
            enforce_eager=on_cpu,
            gpu_memory_utilization=float(os.environ.get("THINKSAFE_GPU_MEMORY", "0.9")),
            generation_config="vllm",  # nothing in the model's folder changes how we decode
            logprobs_mode="raw_logprobs",
            use_tqdm_on_load=False,
            **lora,
        )

    def _room(self) -> int:
        """Return the smallest rank that vLLM can make room for and that no adapter exceeds."""
        from vllm.config.lora import MaxLoRARanks

        ranks = [int(read_json(Path(adapter) / "adapter_config.json")["r"]) for adapter in self.adapters]
        # A larger one is refused with the config (thinksafe/config/consistency.py).
        return min(rank for rank in get_args(MaxLoRARanks) if rank >= max(ranks))

    def _answer(self, requests: Sequence[Request], adapter: str | None, sampling: Sampling) -> list[Completion]:
        from vllm import SamplingParams, TokensPrompt

        parameters = [
            SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                top_k=sampling.top_k,
                max_tokens=sampling.max_tokens,
                seed=request.seed,
                ignore_eos=True,  # the stop tokens are only ours, as in the other engine
                stop_token_ids=list(self.stop),
                logprobs=None if request.labels else 0,  # 0: of the chosen token alone; labels include it
                logprob_token_ids=list(request.labels) or None,
                flat_logprobs=True,
                detokenize=False,
            )
            for request in requests
        ]
        outputs = self.llm.generate(
            [TokensPrompt(prompt_token_ids=list(request.tokens)) for request in requests],
            parameters,
            lora_request=self.lora_requests[adapter] if adapter else None,
            use_tqdm=False,
        )
        return [self._completion(request, output.outputs[0]) for request, output in zip(requests, outputs, strict=True)]

    def _completion(self, request: Request, output: Any) -> Completion:
        """Return vLLM's output as a completion; RuntimeError if vLLM aborted it, which is no finished response."""
        if output.finish_reason not in ("stop", "length"):
            raise RuntimeError(f"request {request.id}: vLLM ended it with {output.finish_reason!r}; run the job again")
        # At each position the chosen token is the first, and labels follow it.
        found, first = output.logprobs, output.logprobs.end_indices[0]
        labels = dict(zip(found.token_ids[:first], found.logprobs[:first], strict=True))
        tokens = tuple(output.token_ids)
        return Completion(
            id=request.id,
            text=text_of(self.tokenizer, tokens, self.stop),
            tokens=tokens,
            finish_reason=output.finish_reason,
            logprobs=tuple(found.logprobs[start] for start in found.start_indices),
            labels={label: labels[label] for label in request.labels},
        )
