"""The base of all losses: what is not finite stops a training, and the order of rows."""

from typing import Any

import pytest
import torch

from tests import tiny
from tests.training.losses.made import ROWS, make
from thinksafe.training.losses import base


def test_a_loss_that_is_no_number_names_step_and_rows(tmp_path: Any) -> None:
    made = tiny.make_model(tmp_path / "m", "qwen3")
    trainer = make(made, tmp_path, {"nll": {}}, ROWS)
    real = trainer.objective
    poison = trainer.train_dataset[2]["input_ids"]

    def spoilt(model: Any, inputs: Any, supervised: Any) -> torch.Tensor:
        bad = any(ids[: len(poison)].tolist() == poison for ids in inputs["input_ids"])
        return real(model, inputs, supervised) * (float("nan") if bad else 1.0)

    trainer.objective = spoilt
    with pytest.raises(base.NotFinite, match=r"the loss is not finite at step \d; rows: r2$"):
        trainer.train()


def test_a_gradient_that_is_no_number_stops_too(tmp_path: Any) -> None:
    made = tiny.make_model(tmp_path / "m", "qwen3")
    trainer = make(made, tmp_path, {"nll": {}}, ROWS)
    name, weights = next((n, w) for n, w in trainer.model.named_parameters() if w.requires_grad)
    weights.register_hook(lambda grad: grad * float("inf"))
    with pytest.raises(base.NotFinite, match=r"the gradient is not finite at step 1; rows: (r\d, ){3}r\d$"):
        trainer.train()


@pytest.mark.parametrize("rows", [1, 7, 8])
def test_the_order_is_a_new_one_each_epoch_and_ends_in_blanks(rows: int) -> None:
    epoch = 0
    order = base.Order(rows, 4, 3, lambda: epoch)
    first, again = list(order), list(order)
    assert first == again and len(first) == len(order) == -(-rows // 4) * 4
    assert sorted(first[:rows]) == list(range(rows)) and first[rows:] == [rows] * (len(first) - rows)
    epoch = 1
    assert rows == 1 or list(order)[:rows] != first[:rows]
    assert list(base.Order(rows, 1, 3, lambda: 0)) == first[:rows]
