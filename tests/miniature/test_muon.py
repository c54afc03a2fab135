"""Muon in float32 takes the steps that torch's own takes in bfloat16."""

import pytest
import torch

from thinksafe.miniature.muon import STEPS, Muon, orthogonalised


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 4, 12), (2, 12, 4)])
def test_singular_values_come_near_one(shape):
    torch.manual_seed(0)

    values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))

    assert values.min() > 0.3 and values.max() < 1.3


def test_steps_are_torchs(monkeypatch):
    """With torch's Muon made to compute in float32, too, the steps agree."""
    torch.manual_seed(0)
    first = [torch.randn(6, 10), torch.randn(10, 6), torch.randn(6, 10)]
    ours, theirs = ([torch.nn.Parameter(matrix.clone()) for matrix in first] for _ in range(2))
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    optimizers = [
        Muon(ours, lr=0.02, weight_decay=0.1),
        torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw", ns_steps=STEPS),
    ]
    for _ in range(5):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape)
            other.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()

    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)
