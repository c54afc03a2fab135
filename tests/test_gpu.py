"""What only a GPU can tell: both students train and sample there with the results that the CPU gives."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.gpu

ROOT = Path(__file__).resolve().parents[2]
JOB = """
import json, sys
from thinksafe.training import sft
from thinksafe.inference.engines import load_engine
from thinksafe.inference.requests import Request, Sampling
from tests import tiny

family, folder = sys.argv[1:]
model = tiny.make_model(folder + "/model", family)
rows = [dict(prompt=f"What is {n}?", response=f"<think>\\nIt is {n}.\\n</think>\\n\\nYes, {n}.") for n in range(64)]
settings = dict(
    lora=dict(rank=32, alpha=16, dropout=0.0, targets=["q_proj", "v_proj"]), learning_rate=1e-3, schedule="cosine",
    warmup=0.1, batch_size=8, max_tokens=512, max_grad_norm=1.0, weight_decay=0.0, dtype="float32",
)
spec = dict(training=settings, loss=dict(nll={}), epochs=3, seed=5, base=dict(name="tiny"))
facts = sft.finetune(rows, model, folder + "/adapter", spec, "key", 8, 100)
engine = load_engine("transformers", model, dtype="float32", batch_size=16, max_model_tokens=256)
requests = [Request(str(n), tuple(engine.tokenizer.encode(f"What is {n}?")), n) for n in range(16)]
done = [c for batch in engine.generate(requests, Sampling(0.0, 1.0, 0, 24)) for c in batch]
logprobs = [sum(c.logprobs) for c in done]
print(json.dumps({"loss": facts["loss"], "tokens": [c.tokens for c in done], "logprob": logprobs}))
"""


def run(family: str, folder: Path, **environment: str) -> dict:
    """Return what the job prints on the device that ``environment`` leaves it."""
    command = [sys.executable, "-c", JOB, family, str(folder)]
    settings = {**os.environ, "CUBLAS_WORKSPACE_CONFIG": ":4096:8", **environment}
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("family", ["qwen3", "r1"])
def test_training_and_sampling_agree_with_the_cpu(family, tmp_path):
    on_gpu = run(family, tmp_path / "gpu")
    on_cpu = run(family, tmp_path / "cpu", CUDA_VISIBLE_DEVICES="")

    assert on_gpu["loss"] == pytest.approx(on_cpu["loss"], rel=1e-3)
    same = sum(a == b for a, b in zip(on_gpu["tokens"], on_cpu["tokens"], strict=True))
    assert same >= 15, "greedy responses may part at a tie, not more"
    assert on_gpu["logprob"][0] == pytest.approx(on_cpu["logprob"][0], rel=1e-2)
