"""The head in pieces: equal to plain float64 formulas, in values and gradients, and never with all logits at once."""

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div
from torch.utils._python_dispatch import TorchDispatchMode

from thinksafe.training.lm_head import bare_head, token_kl, token_nll

TOKENS, WIDTH, VOCABULARY = 37, 8, 50


@pytest.fixture
def head():
    torch.manual_seed(0)
    return torch.nn.Linear(WIDTH, VOCABULARY, bias=False).double().requires_grad_(False)


def states(seed, tokens=TOKENS, grad=False):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tokens, WIDTH, generator=generator, dtype=torch.float64).requires_grad_(grad)


def labels():
    return torch.arange(TOKENS) % VOCABULARY


@pytest.mark.parametrize("logits", [1, 3 * VOCABULARY, 10**9])
def test_nll_is_the_cross_entropy_in_values_and_gradients(head, logits):
    ours, theirs = states(1, grad=True), states(1, grad=True)
    found = token_nll(ours, labels(), head, logits)
    wanted = cross_entropy(theirs @ head.weight.T, labels(), reduction="none")
    weights = torch.linspace(0, 1, TOKENS, dtype=torch.float64)
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("logits", [1, 3 * VOCABULARY, 10**9])
def test_kl_is_torch_kl_div_in_values_and_gradients(head, logits):
    ours, theirs, reference = states(1, grad=True), states(1, grad=True), states(2, grad=True)
    found = token_kl(ours, reference, head, logits)
    logs = [(rows @ head.weight.T).log_softmax(-1) for rows in (theirs, reference.detach())]
    wanted = kl_div(*logs, reduction="none", log_target=True).sum(-1)
    weights = torch.linspace(0, 1, TOKENS, dtype=torch.float64)
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    assert (wanted > 0.01).all()
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-11, atol=1e-12)
    assert reference.grad is None


def test_kl_of_a_model_with_itself_is_exactly_zero():
    head = torch.nn.Linear(WIDTH, VOCABULARY, bias=False).requires_grad_(False)
    ours = states(1).float().requires_grad_(True)
    found = token_kl(ours, ours.detach().clone(), head, 3 * VOCABULARY)
    found.sum().backward()
    assert (found == 0).all() and ours.grad.abs().max() < 1e-6


class Largest(TorchDispatchMode):
    """Remembers the elements of the largest tensor that any operation makes."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() != self.head:
                self.elements = max(self.elements, tensor.numel())
        return result


@pytest.mark.parametrize("kind", ["nll", "kl"])
def test_memory_does_not_grow_with_tokens_times_vocabulary(kind):
    """No operation, forward or backward, makes more than the allowed logits, and none are kept between the two."""
    vocabulary, allowed = 5000, 8 * 5000
    head = torch.nn.Linear(WIDTH, vocabulary, bias=False).double().requires_grad_(False)
    largest, kept = {}, {}
    for tokens in (64, 1024):
        ours, kept[tokens] = states(1, tokens, grad=True), 0

        def keep(tensor, tokens=tokens):
            if tensor.untyped_storage().data_ptr() != head.weight.untyped_storage().data_ptr():
                kept[tokens] += tensor.numel()
            return tensor

        mode = Largest()
        mode.head = head.weight.untyped_storage().data_ptr()
        with mode:
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                if kind == "kl":
                    found = token_kl(ours, states(2, tokens), head, allowed)
                else:
                    found = token_nll(ours, torch.zeros(tokens, dtype=torch.long), head, allowed)
            found.sum().backward()
        largest[tokens] = mode.elements
    assert max(largest.values()) == allowed  # pieces of exactly that size were made, and nothing larger
    assert kept[1024] <= 16 * kept[64] and kept[1024] < 1024 * WIDTH * 4


def test_without_gradients_nothing_is_kept(head):
    with torch.no_grad():
        assert not token_nll(states(1), labels(), head).requires_grad


def test_the_bare_head_passes_states_through_and_comes_back():

    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    model = Qwen3ForCausalLM(
        Qwen3Config(vocab_size=50, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
                    num_key_value_heads=1, head_dim=16)
    ).eval()  # fmt: skip
    ids = torch.arange(12)[None]
    with torch.no_grad():
        logits = model(input_ids=ids).logits
        with bare_head(model.lm_head):
            bare = model(input_ids=ids).logits
        assert bare.shape == (1, 12, 32)
        torch.testing.assert_close(bare @ model.lm_head.weight.T, logits)
        torch.testing.assert_close(model(input_ids=ids).logits, logits)
