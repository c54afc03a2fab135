"""Fine-tuning: what is learnt, that interrupted and undisturbed runs give the same bytes, and what an adapter says."""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch

from tests import tiny
from thinksafe.jobs.signals import Stopped
from thinksafe.training.losses import nll
from thinksafe.training.losses.base import IGNORED
from thinksafe.training.sft import finetune, last_whole_checkpoint, tokenise, trainer_settings

torch.set_num_threads(1)
ROWS = [
    {"prompt": f"What is {n}?", "response": f"<think>\nI think {n}.\n</think>\n\nIt is {n}.{' x' * (n % 5)}"}
    for n in range(24)
]
STEPS = 12  # 24 rows, 4 a step, 2 epochs


LEFT = {"adapter", "adapter.training.jsonl", "adapter.tensorboard", ".adapter.key.checkpoints"}


def spec(**more):
    base = {"name": "tiny/model", "revision": "abc"}
    return {"training": tiny.TRAINING, "loss": {"nll": {}}, "epochs": 2, "seed": 123, "base": base} | more


@pytest.fixture(scope="module", params=["qwen3", pytest.param("r1", marks=pytest.mark.slow)])
def folder(request, tmp_path_factory):
    return tiny.make_model(tmp_path_factory.mktemp("model") / request.param, request.param)


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed") / "adapter"
    facts = finetune(ROWS, folder, output, spec(), "key", 2, 100)
    assert {path.name for path in output.parent.iterdir()} == LEFT
    return output, facts


def content(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def train(folder, output, progress=lambda done, total: None, key="key", rows=ROWS, steps=4, **more):
    return finetune(rows, folder, output, spec(**more), key, 2, steps, progress)


# -------------------------------------------------------------------------------------------- labels
@pytest.mark.parametrize("family", ["qwen3", "r1"])
def test_the_loss_is_on_the_whole_trace_and_the_end_of_turn_only(family):
    tokenizer = tiny.make_tokenizer(family)
    examples, too_long = tokenise(nll.Loss, tokenizer, ROWS[:3], {}, 300)
    assert too_long == 0
    for row, example in zip(ROWS, examples, strict=False):
        assert len(example["input_ids"]) == len(example["labels"])
        learnt = [token for token in example["labels"] if token != IGNORED]
        start = len(example["labels"]) - len(learnt)
        assert example["labels"] == [-100] * start + example["input_ids"][start:]
        response = row["response"].removeprefix("<think>\n" if family == "r1" else "")
        assert tokenizer.decode(learnt) == response + tokenizer.eos_token
        asked = tokenizer.decode(example["input_ids"][:start])
        assert row["prompt"] in asked and asked.endswith("<think>\n") == (family == "r1")


def test_rows_that_are_too_long_are_left_out_whole_and_counted():
    tokenizer = tiny.make_tokenizer("qwen3")
    lengths = [len(example["input_ids"]) for example in tokenise(nll.Loss, tokenizer, ROWS, {}, 10_000)[0]]
    limit = sorted(lengths)[10]
    examples, too_long = tokenise(nll.Loss, tokenizer, ROWS, {}, limit)
    assert [len(example["input_ids"]) for example in examples] == [n for n in lengths if n <= limit]
    assert too_long == sum(n > limit for n in lengths) > 0


def test_no_row_that_fits_is_an_error(folder, tmp_path):
    with pytest.raises(ValueError, match=r"no training row fits in training.max_tokens=5 \(24 rows\)"):
        train(folder, tmp_path / "a", training=tiny.TRAINING | {"max_tokens": 5})


# -------------------------------------------------------------------------------------------- bytes
def test_facts_and_adapter(undisturbed):
    from safetensors.torch import load_file

    output, facts = undisturbed
    assert facts["rows"] == 24 and facts["too_long"] == 0 and facts["steps"] == STEPS and 0 < facts["loss"] < 20
    config = json.loads((output / "adapter_config.json").read_text())
    assert config["target_modules"] == ["q_proj", "v_proj"] and config["r"] == 4 and config["lora_alpha"] == 16
    assert (config["base_model_name_or_path"], config["revision"]) == ("tiny/model", "abc")
    text = "".join(path.read_text() for path in output.iterdir() if path.suffix in (".json", ".md", ".jinja"))
    assert "/tmp" not in text and str(output.parent) not in text and "README.md" not in content(output)
    weights = load_file(output / "adapter_model.safetensors")
    assert all(weight.abs().sum() > 0 for name, weight in weights.items() if "lora_B" in name)
    assert {name.split(".")[-3] for name in weights} == {"q_proj", "v_proj"}


def test_the_same_seed_gives_the_same_bytes_and_checkpoints_change_none(folder, undisturbed, tmp_path):
    train(folder, tmp_path / "a", steps=5)
    assert content(tmp_path / "a") == content(undisturbed[0])


def test_another_seed_gives_other_bytes(folder, undisturbed, tmp_path):
    train(folder, tmp_path / "a", seed=124)
    name = "adapter_model.safetensors"
    assert (tmp_path / "a" / name).read_bytes() != (undisturbed[0] / name).read_bytes()


class Killed(BaseException):
    """Stands for the end of the process: nothing is saved after it."""


@pytest.mark.parametrize("way", [pytest.param(Stopped, marks=pytest.mark.slow), Killed])
def test_interrupted_at_random_steps_and_resumed_the_bytes_are_the_same(folder, undisturbed, tmp_path, way):
    chance = random.Random(way.__name__ + folder.name)
    output = tmp_path / "adapter"
    begun = []
    for _ in range(2):
        until = chance.randint(1, STEPS - 2) if not begun else chance.randint(begun[-1] + 1, STEPS - 1)

        def stop(done, total, until=until):
            assert total == STEPS
            if done >= until:
                raise way

        with pytest.raises(way):
            train(folder, output, stop, steps=3)
        assert not output.exists()
        left = last_whole_checkpoint(tmp_path / ".adapter.key.checkpoints")
        kept = int(left.split("-")[-1]) if left else 0
        assert kept == until if way is Stopped else kept <= until
        begun.append(kept)
    seen = []
    train(folder, output, lambda done, total: seen.append(done), steps=3)
    assert seen[0] == begun[-1] and seen[-1] == STEPS
    assert content(output) == content(undisturbed[0])
    assert {path.name for path in tmp_path.iterdir()} == LEFT


def test_an_adapter_that_is_lost_before_its_job_is_over_costs_no_step(folder, undisturbed, tmp_path):
    output, seen = tmp_path / "adapter", []
    train(folder, output, steps=5)
    shutil.rmtree(output)  # as Snakemake does when the disk was full for the identity
    train(folder, output, lambda done, total: seen.append(done), steps=5)
    assert seen == [STEPS] and content(output) == content(undisturbed[0])


@pytest.mark.parametrize("damage", ["missing", "half"])
def test_a_half_written_checkpoint_is_dropped(folder, undisturbed, tmp_path, damage):
    output = tmp_path / "adapter"

    def stop(done, total):
        if done == 5:
            raise Killed

    with pytest.raises(Killed):
        train(folder, output, stop)
    checkpoints = tmp_path / ".adapter.key.checkpoints"
    broken = checkpoints / "checkpoint-8"
    (checkpoints / "checkpoint-4" / "copy").mkdir()
    broken.mkdir()
    (broken / "adapter_model.safetensors").write_bytes(b"half")
    if damage == "half":
        (broken / "trainer_state.json").write_text('{"epoch": 1.0, "glo')
    assert last_whole_checkpoint(checkpoints) == str(checkpoints / "checkpoint-4") and not broken.exists()
    seen = []
    train(folder, output, lambda done, total: seen.append(done))
    assert seen[0] == 4 and content(output) == content(undisturbed[0])


def test_checkpoints_of_other_settings_are_not_read(folder, undisturbed, tmp_path):
    def stop(done, total):
        if done == 5:
            raise Stopped

    with pytest.raises(Stopped):
        train(folder, tmp_path / "adapter", stop, key="other", seed=5)
    seen = []
    train(folder, tmp_path / "adapter", lambda done, total: seen.append(done))
    assert seen[0] == 0 and content(tmp_path / "adapter") == content(undisturbed[0])


# -------------------------------------------------------------------------------------------- settings
def test_a_batch_that_cannot_be_divided_is_told_with_the_way_out(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="batch_size=4 is not a multiple of 1 devices x 3 rows .* per_device_batch"):
        trainer_settings(spec(), tmp_path, 3, 10)
    monkeypatch.setenv("WORLD_SIZE", "8")
    with pytest.raises(ValueError, match="batch_size=4 cannot be shared by 8 devices; .* gpu"):
        trainer_settings(spec(), tmp_path, 1, 10)


@pytest.mark.parametrize("per_device", [1, 2, 4])
def test_accumulation_makes_up_the_total_batch(tmp_path, per_device):
    made = trainer_settings(spec(), tmp_path, per_device, 10)
    assert made.per_device_train_batch_size * made.gradient_accumulation_steps == 4
    assert (made.learning_rate, made.lr_scheduler_type, made.warmup_steps) == (1e-3, "cosine", 0.1)
    assert made.get_warmup_steps(100) == 10
    assert made.max_length is None and not made.packing and made.weight_decay == 0.0 and not made.bf16


def test_no_checkpoint_is_no_checkpoint(tmp_path):
    assert last_whole_checkpoint(tmp_path / "nowhere") is None
