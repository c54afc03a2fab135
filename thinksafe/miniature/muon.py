"""Muon in float32: momentum whose matrices are made orthogonal before each step (Jordan et al., 2024).

``torch.optim.Muon`` does the same in bfloat16, which processors without AVX-512 only emulate: there it took two thirds
of a pretraining's time.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic, steepest at zero
STEPS = 4
MOMENTUM = 0.95


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """Return ``matrices`` (batch, rows, columns) with singular values near one, by Newton-Schulz iterations."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    made = matrices.mT if tall else matrices
    made = made / made.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)  # the largest singular value is at most one
    for _ in range(STEPS):
        gram = made @ made.mT
        made = torch.baddbmm(made, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), made, beta=a)
    return made.mT if tall else made


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum with decoupled weight decay, for matrices alone.

    The learning rate is AdamW's: each update is brought to the root mean square that AdamW's has
    (``match_rms_adamw`` of ``torch.optim.Muon``).
    """

    def __init__(self, matrices: Iterable[torch.Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Take one step; matrices of one shape are worked on together."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[torch.Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                shapes[matrix.shape].append(matrix)
            for shape, matrices in shapes.items():
                updates = orthogonalised(torch.stack([self._momentum(matrix) for matrix in matrices]))
                rate = group["lr"] * 0.2 * max(shape) ** 0.5
                for matrix, update in zip(matrices, updates, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)

    def _momentum(self, matrix: torch.Tensor) -> torch.Tensor:
        momentum = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
        momentum.lerp_(matrix.grad, 1 - MOMENTUM)
        return matrix.grad.lerp(momentum, MOMENTUM)
