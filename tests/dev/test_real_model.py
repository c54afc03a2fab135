"""The real language model on a laptop: the pinned file, the prompts that we wrote, what three programs answer."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from dev.real_model import main
from tests import tiny
from tests.workflow.dags import as_set_up
from thinksafe.config import settings
from thinksafe.inference.engines import load_engine
from thinksafe.inference.requests import Request, Sampling
from thinksafe.models.chat import render
from thinksafe.models.folder import load_tokenizer
from thinksafe.models.tokenizer import encode

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / ".models/smollm2-135m"
CONFIG = [ROOT / "config/config.yaml", ROOT / "config/real.yaml"]
TOKENS = 24


def lines(file: str) -> list[dict[str, str]]:
    """Return the rows of a .jsonl file of the project."""
    return [json.loads(line) for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GGUF")
    with pytest.raises(SystemExit, match="this is not the file that is pinned"):
        main(other, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_no_prompt_is_trained_on_and_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(as_set_up(tmp_path))
    config = settings.load(CONFIG)
    sets = [config.prompts.harmful, config.prompts.benign, *map(config.benchmarks.get, config.select.benchmarks)]
    texts = []
    for one in sets:
        rows = lines(one.source.file)
        assert len(rows) == one.rows
        texts += [row.get("prompt") or row["question"] for row in rows]
    assert len(texts) == len(set(texts)) == 184


@pytest.mark.slow
@pytest.mark.skipif(not MODEL.is_dir(), reason="`make setup-model` brings the model")
def test_greedy_answers_are_those_of_generate_and_of_vllm(tmp_path: Path) -> None:
    """Token by token, with and without an adapter, prompts of different lengths in one batch."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    tokenizer = load_tokenizer(MODEL)
    asked = [row["prompt"] for row in lines("config/real/plain.jsonl")[:6]]
    prompts = [tuple(encode(tokenizer, render(tokenizer, [{"role": "user", "content": text}]))) for text in asked]
    assert len({len(prompt) for prompt in prompts}) > 1
    adapter = str(tiny.make_adapter(tmp_path / "adapter", MODEL, spread=0.02))

    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    expected = {}
    for name in (None, adapter):
        model = PeftModel.from_pretrained(model, name).eval() if name else model
        for prompt in prompts:
            found = model.generate(
                input_ids=torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                do_sample=False,
                max_new_tokens=TOKENS,
            )
            expected[name, prompt] = [token for token in found[0, len(prompt) :].tolist() if token != 2]
    assert any(expected[None, prompt] != expected[adapter, prompt] for prompt in prompts)

    greedy = Sampling(temperature=0.0, top_p=1.0, top_k=0, max_tokens=TOKENS)
    requests = [Request(str(n), prompt, 0, name) for n, (name, prompt) in enumerate(expected)]
    set_threads = torch.set_num_threads  # vLLM replaces it on CPU
    for name in ["transformers", *(["vllm"] if importlib.util.find_spec("vllm") else [])]:
        engine = load_engine(name, str(MODEL), dtype="float32", batch_size=12, max_model_tokens=256, adapters=[adapter])
        done = [completion for batch in engine.generate(requests, greedy) for completion in batch]
        answers = [[token for token in completion.tokens if token != 2] for completion in done]
        assert answers == list(expected.values()), name
    torch.set_num_threads = set_threads
