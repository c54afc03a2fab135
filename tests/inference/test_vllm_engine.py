"""The vLLM engine against the transformers engine on the same tiny weights (one engine start for all tests)."""

import importlib.util
from typing import get_args

import numpy
import pytest
import torch

from tests import tiny
from tests.inference.test_transformers_engine import GREEDY, PAPER, answers, forward, reference, requests_for
from thinksafe.config.consistency import VLLM_RANK
from thinksafe.inference.engines import load_engine
from thinksafe.inference.requests import Request, Sampling

pytestmark = [
    pytest.mark.slow,
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("tiny")
    made = {"base": tiny.make_model(root / "base", "qwen3", spread=0.5)}
    for name, rank in (("a", 4), ("b", 40)):  # 40 is larger than vLLM's default, and no rank that it makes room for
        made[name] = str(tiny.make_adapter(root / name, made["base"], seed=ord(name), spread=1.0, rank=rank))
    return made


@pytest.fixture(scope="module")
def engines(folders):
    set_threads = torch.set_num_threads  # vLLM replaces it on CPU
    made = {
        name: load_engine(
            name,
            folders["base"],
            dtype="float32",
            batch_size=5,
            max_model_tokens=200,
            adapters=[folders["a"], folders["b"]],
        )
        for name in ("vllm", "transformers")
    }
    torch.set_num_threads = set_threads
    return made


def both(engines, requests, sampling):
    return [answers(engines[name], requests, sampling) for name in ("vllm", "transformers")]


def test_greedy_responses_and_their_log_probabilities_agree(engines):
    for ours, theirs in zip(*both(engines, requests_for(12), GREEDY), strict=True):
        assert (ours.id, ours.tokens, ours.text, ours.finish_reason) == (
            theirs.id,
            theirs.tokens,
            theirs.text,
            theirs.finish_reason,
        )
        numpy.testing.assert_allclose(ours.logprobs, theirs.logprobs, atol=1e-4)


def test_adapters_are_served_live_as_by_peft_and_share_a_batch_with_the_base(engines, folders):
    adapters = (None, folders["a"], folders["b"])
    requests = [Request(r.id, r.tokens, r.seed, adapters[i % 3]) for i, r in enumerate(requests_for(9))]
    ours, theirs = both(engines, requests, GREEDY)
    assert [c.tokens for c in ours] == [c.tokens for c in theirs]
    for a, b in zip(ours, theirs, strict=True):
        numpy.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-3)
    base = answers(engines["vllm"], requests_for(9), GREEDY)
    assert [a.tokens == b.tokens for a, b in zip(ours, base, strict=True)] == [True, False, False] * 3


def test_labels_agree_also_when_only_some_requests_have_them(engines):
    requests = [
        Request("two", (9, 8, 7), 1, labels=(30, 31)),
        Request("none", (5, 6), 2),
        Request("many", (5, 6), 2, labels=tuple(range(50, 80))),
        Request("three", (5,), 3, labels=(40, 30, 7)),
    ]
    for sampling in (Sampling(0.0, 1.0, 0, 1), Sampling(0.0, 1.0, 0, 4)):
        for ours, theirs in zip(*both(engines, requests, sampling), strict=True):
            assert ours.labels == pytest.approx(theirs.labels, abs=1e-4)
            numpy.testing.assert_allclose(ours.logprobs, theirs.logprobs, atol=1e-4)
    chosen = ours.tokens[0]
    again = answers(engines["vllm"], [Request("chosen", (5,), 3, labels=(chosen,))], sampling)[0]
    assert again.labels == pytest.approx({chosen: again.logprobs[0]})


def test_stop_tokens_end_a_response_and_stay_out_of_the_text(engines):
    plain = answers(engines["vllm"], requests_for(5), GREEDY)
    stop = plain[0].tokens[4]
    for engine in engines.values():
        engine.stop = (stop,)
    try:
        ours, theirs = both(engines, requests_for(5), GREEDY)
    finally:
        for engine in engines.values():
            engine.stop = (engine.tokenizer.eos_token_id,)
    assert [(c.tokens, c.finish_reason, c.text) for c in ours] == [(c.tokens, c.finish_reason, c.text) for c in theirs]
    assert ours[0].finish_reason == "stop" and ours[0].tokens[-1] == stop
    assert {c.finish_reason for c in plain} == {"length"}


def test_a_seed_gives_the_same_response_again_and_among_others(engines):
    requests = requests_for(7)
    first = answers(engines["vllm"], requests, PAPER)
    assert [len(batch) for batch in engines["vllm"].generate(requests, PAPER)] == [5, 2]
    assert [c.tokens for c in answers(engines["vllm"], requests[3:], PAPER)] == [c.tokens for c in first[3:]]
    other = [Request(r.id, r.tokens, r.seed + 1) for r in requests]
    assert all(a.tokens != b.tokens for a, b in zip(answers(engines["vllm"], other, PAPER), first, strict=True))


@pytest.mark.parametrize("sampling", [Sampling(0.6, 0.95, 20, 1), Sampling(0.9, 0.9, 0, 1)])
def test_first_tokens_follow_the_same_distribution(engines, folders, sampling):
    """Chi-square over 2,000 seeds against the distribution that the transformers engine is tested against as well."""
    from scipy.stats import chisquare

    prompt, seeds = (20, 30, 40), 2000
    expected = reference(forward(folders["base"], prompt)[-1], sampling) * seeds
    engine = engines["vllm"]
    engine.batch_size = seeds
    try:
        found = answers(engine, [Request(str(i), prompt, 77_000_001 * i + 5) for i in range(seeds)], sampling)
    finally:
        engine.batch_size = 5
    counts = numpy.bincount([c.tokens[0] for c in found], minlength=len(expected))
    assert not counts[expected == 0].any()
    common = expected >= 5
    observed = numpy.append(counts[common], counts[~common].sum())
    wanted = numpy.append(expected[common], expected[~common].sum())
    enough = wanted > 0
    assert chisquare(observed[enough], wanted[enough]).pvalue > 1e-3


def test_errors_are_ours_and_come_before_anything_runs(engines):
    with pytest.raises(ValueError, match="request long: a prompt of 170 tokens"):
        engines["vllm"].generate([Request("long", tuple(range(170)), 0)], PAPER)
    with pytest.raises(ValueError, match="adapter elsewhere was not loaded"):
        engines["vllm"].generate([Request("x", (1,), 0, adapter="elsewhere")], PAPER)


def test_config_knows_the_largest_rank_that_vllm_serves():
    from vllm.config.lora import MaxLoRARanks

    assert max(get_args(MaxLoRARanks)) == VLLM_RANK
