"""One trainer for every loss: 1 or 2 processes give one adapter, killed and resumed the bytes are the same, a log."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from scripts.training.train_student import train_student
from tests import tiny
from tests.training.losses.made import PRIMER, SAFEKEY, key_row, spec
from thinksafe.data.published_sets import COLUMNS
from thinksafe.files import write_rows
from thinksafe.jobs.signals import Stopped

torch.set_num_threads(1)
ROWS = [key_row(number) for number in range(13)]  # 13: the last step of an epoch is short, and two devices need a blank
LOSSES = {"nll": {}, "primer": {"think": True}, "safekey": SAFEKEY}
STEPS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    return tiny.make_model(tmp_path_factory.mktemp("model") / "qwen3", "qwen3")


def dataset(tmp_path: Path, loss: str) -> str:
    rows = [row | {"response": PRIMER} for row in ROWS] if loss == "primer" else ROWS
    path = str(tmp_path / f"{loss}.parquet")
    write_rows(path, rows, COLUMNS)
    return path


def arguments(folder: Path, tmp_path: Path, loss: str, name: str, **more: Any) -> dict[str, Any]:
    what = spec({loss: LOSSES[loss]}, lora={"rank": 4, "alpha": 16, "dropout": 0.0, "targets": ["q_proj", "v_proj"]})
    what |= {"epochs": 2, "model": {"folder": str(folder)}, "student": "s", "seed": ["training", 0]}
    given = dict(
        dataset=dataset(tmp_path, loss),
        model=[],
        spec=what,
        adapter=str(tmp_path / name),
        key="key",
        per_device_batch=2,
        checkpoint_steps=3,
        gpus=1,
        progress=lambda done, total: None,
    )
    return given | more


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return {
        f"{path.name} {name}": value for path in folder.glob("*.safetensors") for name, value in load_file(path).items()
    }


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.with_name(folder.name + ".training.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_one_or_two_processes_give_one_adapter(folder: Path, tmp_path: Path, loss: str) -> None:
    seen: list[tuple[int, int]] = []
    train_student(**arguments(folder, tmp_path, loss, "one", per_device_batch=4))
    train_student(**arguments(folder, tmp_path, loss, "two", gpus=2, progress=lambda *done: seen.append(done)))
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == two.keys() and ("safety_head.safetensors whole.weight" in one) == (loss == "safekey")
    assert seen and seen[-1][1] == STEPS
    for name, value in one.items():
        assert (value - two[name]).abs().max() < 1e-6, name
        assert value.abs().max() > 1e-4, name
    first, second = lines(tmp_path / "one"), lines(tmp_path / "two")
    assert (first[0]["processes"], second[0]["processes"]) == (1, 2)
    assert first[1]["step"] == second[1]["step"] == 5
    for name in ("loss", "grad_norm", "learning_rate", *[name for name in first[1] if name.startswith("loss_")]):
        assert first[1][name] == pytest.approx(second[1][name], rel=1e-3), name


@pytest.mark.slow
def test_two_processes_stop_together_and_go_on(folder: Path, tmp_path: Path) -> None:
    """With dropout, so that each process's own random state must come back."""

    def given(name: str, **more: Any) -> dict[str, Any]:
        made = arguments(folder, tmp_path, "safekey", name, gpus=2, **more)
        made["spec"]["training"]["lora"] |= {"dropout": 0.1}
        return made

    def stop(done: int, total: int) -> None:
        if done >= 1:
            raise Stopped

    train_student(**given("whole"))
    with pytest.raises(Stopped):
        train_student(**given("cut", progress=stop))
    assert not (tmp_path / "cut").exists() and list(tmp_path.glob(".cut.key.checkpoints/checkpoint-*"))
    train_student(**given("cut"))
    first, *later = lines(tmp_path / "cut")
    assert first["attempt"] == 1 and [line["attempt"] for line in later if "attempt" in line] == [2]
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(value, cut[name]) for name, value in whole.items())


@pytest.mark.slow
def test_an_error_of_one_process_is_told(folder: Path, tmp_path: Path) -> None:
    given = arguments(folder, tmp_path, "nll", "a", gpus=2)
    given["spec"]["training"]["max_tokens"] = 5
    with pytest.raises(RuntimeError, match="ValueError: no training row fits in training.max_tokens=5"):
        train_student(**given)


KILLED = """
import json, sys, time
from thinksafe.jobs.log import Progress
from thinksafe.jobs.signals import end_with
from scripts.training.train_student import train_student

end_with(0)
tell = Progress("", every=1e9)
def progress(done, total):
    tell(done, total)
    print(done, flush=True)
    time.sleep(0.3)
train_student(**json.load(open(sys.argv[1])), progress=progress)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_and_resumed_the_bytes_are_the_same(folder: Path, tmp_path: Path, how: signal.Signals) -> None:
    """With a head beside the adapter, whose weights and moments must come back too, and with dropout."""
    dropout = {"rank": 4, "alpha": 16, "dropout": 0.1, "targets": ["q_proj", "v_proj"]}
    whole, cut = (arguments(folder, tmp_path, "safekey", name) for name in ("whole", "cut"))
    for given in (whole, cut):
        given["spec"]["training"]["lora"] = dropout
    train_student(**whole)
    del cut["progress"]
    (tmp_path / "cut.json").write_text(json.dumps(cut))
    for until in (4, 6):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "cut.json")], stdout=subprocess.PIPE, text=True
        )
        for line in process.stdout:
            if line.strip().isdigit() and int(line) >= until:
                os.kill(process.pid, how)
                break
        process.stdout.read()
        process.wait()
        assert not (tmp_path / "cut").exists()
        time.sleep(0.1)
    seen: list[int] = []
    train_student(**cut, progress=lambda done, total: seen.append(done))
    assert 3 <= seen[0] < STEPS
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "cut" / path.name).read_bytes(), path.name
    steps = [line["step"] for line in lines(tmp_path / "cut") if "step" in line]
    assert steps == sorted(steps)


def test_the_log_says_what_happens(folder: Path, tmp_path: Path) -> None:
    given = arguments(folder, tmp_path, "safekey", "a")
    sizes = sorted(len(row["prompt"]) + len(row["response"]) for row in ROWS)
    given["spec"]["training"]["max_tokens"] = sizes[-2]
    train_student(**given)
    first, *steps, summary = lines(tmp_path / "a")
    assert first["rows"] + first["too_long"] == len(ROWS)
    assert first["attempt"] == 1 and first["from_step"] == 0
    assert steps and all(line["step"] <= first["steps"] for line in steps)
    for line in steps:
        assert 0 < line["supervised_share"] < 1 and line["tokens_per_second"] > 0
        assert {"loss", "grad_norm", "learning_rate", "epoch", "time", "loss_likelihood"} <= line.keys()
    assert "train_runtime" in summary
    assert [path.name.split(".")[0] for path in (tmp_path / "a.tensorboard").iterdir()] == ["events"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "safety_head.safetensors",
    ]


def test_the_head_is_absent_at_inference(folder: Path, tmp_path: Path) -> None:
    """Peft loads the adapter alone, and the answers are those of the adapter alone."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    train_student(**arguments(folder, tmp_path, "safekey", "a"))
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    loaded = PeftModel.from_pretrained(base, str(tmp_path / "a"))
    assert not [name for name, _ in loaded.named_parameters() if "head" in name.replace("lm_head", "")]
    with_head = loaded(torch.tensor([[1, 2, 3]])).logits
    (tmp_path / "a" / "safety_head.safetensors").unlink()
    again = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), str(tmp_path / "a")
    )
    assert torch.equal(with_head, again(torch.tensor([[1, 2, 3]])).logits)
