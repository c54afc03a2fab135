"""The transformers engine on tiny random models: seeds, sampling semantics, padding, adapters, labels, errors."""

import json
import shutil
from pathlib import Path

import numpy
import pytest
import torch

from tests import tiny
from thinksafe.inference import transformers_engine
from thinksafe.inference.engines import load_engine
from thinksafe.inference.requests import Request, Sampling
from thinksafe.inference.transformers_engine import KeyValues, choose
from thinksafe.models.chat import text_of

PAPER = Sampling(temperature=0.6, top_p=0.95, top_k=20, max_tokens=40)
GREEDY = Sampling(temperature=0.0, top_p=1.0, top_k=0, max_tokens=24)
torch.set_num_threads(1)  # several threads, beside other processes, are many times slower at this size


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("tiny")
    made = {
        "qwen3": tiny.make_model(root / "qwen3", "qwen3", spread=0.5),
        "r1": tiny.make_model(root / "r1", "r1", spread=0.5),
    }
    for name in ("a", "b"):
        made[name] = tiny.make_adapter(root / name, made["qwen3"], seed=ord(name), spread=1.0)
    return made


def engine_for(folder, batch_size=8, dtype="float64", **more):
    return load_engine("transformers", folder, dtype=dtype, batch_size=batch_size, max_model_tokens=200, **more)


def requests_for(count, seed=0, **more):
    random = numpy.random.default_rng(seed)
    return [
        Request(f"r{i}", tuple(random.integers(10, 380, random.integers(1, 30)).tolist()), seed=2**63 - 1 - i, **more)
        for i in range(count)
    ]


def answers(engine, requests, sampling):
    return [completion for batch in engine.generate(requests, sampling) for completion in batch]


def forward(folder, tokens, dtype=torch.float64):
    """Log-probabilities (length, vocabulary) of one sequence by transformers' own forward pass."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    with torch.inference_mode():
        return model(torch.tensor([tokens])).logits[0].log_softmax(-1)


# -------------------------------------------------------------------------------------------- seeds, slices
@pytest.mark.parametrize("family", ["qwen3", "r1"])
def test_same_requests_give_the_same_bytes_and_slices_can_be_redone_alone(folders, family):
    requests = requests_for(20)
    engine = engine_for(folders[family], dtype="float32")
    batches = list(engine.generate(requests, PAPER))
    assert [len(batch) for batch in batches] == [8, 8, 4]
    assert [c.id for batch in batches for c in batch] == [request.id for request in requests]
    again = engine_for(folders[family], dtype="float32")
    assert list(again.generate(requests[8:], PAPER)) == batches[1:]
    assert list(again.generate(requests, PAPER)) == batches


def test_a_request_is_answered_alike_alone_and_among_others(folders):
    requests = requests_for(8)
    together = answers(engine_for(folders["qwen3"]), requests, PAPER)
    alone = answers(engine_for(folders["qwen3"], batch_size=1), requests, PAPER)
    assert [c.tokens for c in together] == [c.tokens for c in alone]
    assert len({c.tokens for c in together}) == 8


def test_only_the_seed_tells_equal_requests_apart(folders):
    prompt = (5, 6, 7)
    seeds = [3, 4, 3, 2**63 - 1]
    found = answers(engine_for(folders["qwen3"]), [Request(str(i), prompt, s) for i, s in enumerate(seeds)], PAPER)
    assert found[0].tokens == found[2].tokens
    assert len({c.tokens for c in found}) == 3


# -------------------------------------------------------------------------------------------- the model's sums
@pytest.mark.parametrize("family", ["qwen3", "r1"])
def test_padding_cache_growth_and_dropped_rows_change_nothing(folders, family):
    """Long, with rows that end early: all log-probabilities are those of one plain forward pass per response."""
    engine = engine_for(folders[family], batch_size=12)
    engine.stop = tuple(range(6)) + engine.stop
    found = answers(engine, requests_for(12), Sampling(1.0, 1.0, 0, 150))
    assert len({len(c.tokens) for c in found}) > 6 and max(len(c.tokens) for c in found) > 70
    for request, completion in zip(requests_for(12), found, strict=True):
        expected = forward(folders[family], request.tokens + completion.tokens)
        places = torch.arange(len(completion.tokens)) + len(request.tokens) - 1
        expected = expected[places, list(completion.tokens)]
        numpy.testing.assert_allclose(completion.logprobs, expected.numpy(), atol=1e-9)


def test_greedy_is_what_transformers_generates(folders):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folders["qwen3"], dtype=torch.float64).eval()
    for request, completion in zip(
        requests_for(4), answers(engine_for(folders["qwen3"]), requests_for(4), GREEDY), strict=True
    ):
        ids = torch.tensor([request.tokens])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24)
        assert completion.tokens == tuple(out[0, ids.shape[1] :].tolist())


def test_prompts_in_several_passes_are_as_in_one(folders, monkeypatch):
    requests = requests_for(8) + requests_for(2)
    expected = answers(engine_for(folders["qwen3"], 10), requests, PAPER)
    monkeypatch.setitem(transformers_engine.PREFILL_TOKENS, "cpu", 20)
    assert [c.tokens for c in answers(engine_for(folders["qwen3"], 10), requests, PAPER)] == [
        c.tokens for c in expected
    ]


def test_fused_attention_for_long_prompts_is_the_same(folders, monkeypatch):
    expected = answers(engine_for(folders["r1"]), requests_for(8), PAPER)
    monkeypatch.setattr(transformers_engine, "FUSED", 10)
    fused = answers(engine_for(folders["r1"]), requests_for(8), PAPER)
    assert [c.tokens for c in fused] == [c.tokens for c in expected]


def test_labels_are_the_first_positions_log_probabilities(folders):
    requests = [
        Request("x", (9, 8, 7), 0, labels=(30, 31)),
        Request("y", (5,), 0),
        Request("z", (9, 8, 7, 6), 0, labels=(40,)),
    ]
    found = answers(engine_for(folders["r1"]), requests, Sampling(0.0, 1.0, 0, 1))
    expected = forward(folders["r1"], (9, 8, 7))[-1]
    assert found[0].labels == pytest.approx({30: float(expected[30]), 31: float(expected[31])})
    assert found[1].labels == {}
    assert found[2].labels == pytest.approx({40: float(forward(folders["r1"], (9, 8, 7, 6))[-1, 40])})


def test_bfloat16_runs(folders):
    found = answers(engine_for(folders["qwen3"], dtype="bfloat16"), requests_for(3), PAPER)
    assert all(numpy.isfinite(c.logprobs).all() for c in found)


# -------------------------------------------------------------------------------------------- sampling semantics
def reference(logits, sampling):
    """The distribution that transformers' own warpers leave, as float64."""
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    scores = TemperatureLogitsWarper(sampling.temperature)(None, logits[None].clone())
    if sampling.top_k:
        scores = TopKLogitsWarper(sampling.top_k)(None, scores)
    if sampling.top_p < 1:
        scores = TopPLogitsWarper(sampling.top_p)(None, scores)
    return scores[0].double().softmax(-1).numpy()


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(0.6, 0.95, 20, 1),
        Sampling(0.6, 0.95, 0, 1),
        Sampling(1.5, 0.99, 0, 1),  # flat: the head of 64 does not reach top-p
        Sampling(1.0, 1.0, 0, 1),
        Sampling(1.0, 1.0, 7, 1),
        Sampling(1.0, 1e-6, 0, 1),
        Sampling(1.0, 0.5, 300, 1),
    ],
)
def test_choose_inverts_the_distribution_of_temperature_top_k_and_top_p(sampling):
    logits = torch.randn(400, generator=torch.Generator().manual_seed(1), dtype=torch.float64).float() * 2
    expected = reference(logits, sampling)
    steps = 20000
    grid = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps  # exact quantiles in place of random numbers
    counts = torch.bincount(choose(logits.expand(steps, -1), grid, sampling), minlength=400).numpy()
    assert numpy.abs(counts - expected * steps).max() < 1.01
    assert not counts[expected == 0].any()


def test_flat_rows_are_sorted_whole_and_their_neighbours_are_not_touched():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn((6, 400), generator=generator) * torch.tensor([[0.1], [4.0], [0.2], [6.0], [0.0], [3.0]])
    uniform = torch.rand(6, generator=generator, dtype=torch.float64)
    sampling = Sampling(0.6, 0.95, 0, 1)
    together = choose(logits, uniform, sampling)
    alone = [choose(logits[i : i + 1], uniform[i : i + 1], sampling) for i in range(6)]
    assert together.tolist() == [int(a) for a in alone]


def test_the_ends_of_the_unit_interval_stay_inside_the_kept_tokens():
    logits = torch.tensor([[0.0, 5.0, 1.0, 4.0]])
    for sampling in (Sampling(1.0, 0.95, 0, 1), Sampling(1.0, 0.95, 3, 1), Sampling(1.0, 1.0, 0, 1)):
        kept = reference(logits[0], sampling) > 0
        for u in (0.0, 1 - 2**-53):
            assert kept[int(choose(logits, torch.tensor([u], dtype=torch.float64), sampling))]


def test_sampled_first_tokens_follow_the_model(folders):
    """Chi-square over 3,000 seeds against the distribution computed apart from the engine."""
    from scipy.stats import chisquare

    prompt, seeds = (20, 30, 40), 3000
    sampling = Sampling(0.6, 0.95, 20, 1)
    engine = engine_for(folders["qwen3"], batch_size=seeds)
    found = answers(engine, [Request(str(i), prompt, 77_000_001 * i + 5) for i in range(seeds)], sampling)
    expected = reference(forward(folders["qwen3"], prompt)[-1], sampling) * seeds
    counts = numpy.bincount([c.tokens[0] for c in found], minlength=len(expected))
    assert not counts[expected == 0].any()
    common = expected >= 5
    observed = numpy.append(counts[common], counts[~common].sum())
    wanted = numpy.append(expected[common], expected[~common].sum())
    enough = wanted > 0
    assert chisquare(observed[enough], wanted[enough]).pvalue > 1e-3
    assert found[0].logprobs[0] == pytest.approx(float(forward(folders["qwen3"], prompt)[-1, found[0].tokens[0]]))


# -------------------------------------------------------------------------------------------- adapters
def merged(folder, adapter, target):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(target)
    for path in Path(folder).iterdir():
        if not (target / path.name).exists():
            shutil.copy(path, target)
    return target


def test_adapters_served_live_answer_as_merged_weights_and_share_a_slice(folders, tmp_path):
    a, b = str(folders["a"]), str(folders["b"])
    plain = requests_for(6)
    mixed = [Request(r.id, r.tokens, r.seed, (None, a, b)[i % 3]) for i, r in enumerate(plain)]
    engine = engine_for(folders["qwen3"], adapters=[a, b])
    found = answers(engine, mixed, GREEDY)
    assert [c.id for c in found] == [r.id for r in mixed]
    bases = {
        None: folders["qwen3"],
        a: merged(folders["qwen3"], a, tmp_path / "a"),
        b: merged(folders["qwen3"], b, tmp_path / "b"),
    }
    for request, bare, completion in zip(mixed, plain, found, strict=True):
        alone = answers(engine_for(bases[request.adapter]), [bare], GREEDY)[0]
        assert completion.tokens == alone.tokens
        numpy.testing.assert_allclose(completion.logprobs, alone.logprobs, atol=1e-6)
    plain_answers = answers(engine_for(folders["qwen3"]), plain, GREEDY)
    assert [c.tokens == p.tokens for c, p in zip(found, plain_answers, strict=True)][:3] == [True, False, False]


def test_adapters_are_not_merged_or_left_on(folders):
    a = str(folders["a"])
    requests = requests_for(4)
    engine = engine_for(folders["qwen3"], adapters=[a])
    before = answers(engine, requests, PAPER)
    answers(engine, requests_for(4, adapter=a), PAPER)
    assert answers(engine, requests, PAPER) == before == answers(engine_for(folders["qwen3"]), requests, PAPER)


# -------------------------------------------------------------------------------------------- endings and text
def test_responses_end_by_a_stop_token_or_by_length(folders, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(folders["qwen3"], folder)
    settings = json.loads((folder / "generation_config.json").read_text())
    first = answers(engine_for(folder), requests_for(1), GREEDY)[0]
    assert first.finish_reason == "length" and len(first.tokens) == 24
    (folder / "generation_config.json").write_text(json.dumps(settings | {"eos_token_id": [first.tokens[3], 0]}))
    stopped = answers(engine_for(folder), requests_for(1), GREEDY)[0]
    end = first.tokens.index(first.tokens[3]) + 1
    assert stopped.finish_reason == "stop" and stopped.tokens == first.tokens[:end]
    assert len(stopped.logprobs) == end
    assert stopped.text == engine_for(folder).tokenizer.decode(first.tokens[: end - 1], skip_special_tokens=True)


@pytest.mark.parametrize("family", ["qwen3", "r1"])
def test_text_keeps_think_tags_and_drops_the_end_of_turn(folders, family):
    tokenizer = engine_for(folders[family]).tokenizer
    text = "<think>\nokay, let me think.\n</think>\n\nSorry , I cannot help."
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.convert_tokens_to_ids("<think>") in ids
    assert text_of(tokenizer, [*ids, tokenizer.eos_token_id], {tokenizer.eos_token_id}) == text
    assert text_of(tokenizer, ids, {tokenizer.eos_token_id}) == text


def test_without_a_generation_config_the_tokenizer_says_what_ends(folders, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(folders["r1"], folder, ignore=shutil.ignore_patterns("generation_config.json"))
    engine = engine_for(folder)
    assert engine.stop == (engine.tokenizer.eos_token_id,)


# -------------------------------------------------------------------------------------------- errors, the cache
def test_it_has_one_device_and_needs_whole_adapters(folders, tmp_path):
    with pytest.raises(ValueError, match="no LoRA adapter here"):
        engine_for(folders["qwen3"], adapters=[tmp_path])
    with pytest.raises(ValueError, match="tensor_parallel"):
        engine_for(folders["qwen3"], tensor_parallel=2)


def test_cache_grows_without_losing_what_it_holds():
    cache = KeyValues(rows=2, length=3)
    keys = torch.arange(2 * 1 * 3 * 2.0).view(2, 1, 3, 2)
    cache.place([(keys, -keys)], torch.tensor([0, 1]), torch.tensor([1, 0]))
    for step in range(2 * transformers_engine.BLOCK):
        token = torch.full((2, 1, 1, 2), float(step))
        held, values = cache.update(token, -token, 0)
        cache.length += 1
        assert held.shape[2] == cache.length and torch.equal(held, -values)
    assert torch.equal(held[:, :, :3], keys.flip(0))
    assert held[0, 0, 3:, 0].tolist() == list(range(2 * transformers_engine.BLOCK))
