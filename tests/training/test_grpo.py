"""GRPO: TRL's settings are the paper's, a resumed run is the same to the byte, and a guard that fails ends the run."""

import importlib.util
import json
import multiprocessing
import shutil
from pathlib import Path

import pytest
import torch
from trl import GRPOTrainer

from scripts.training.train_grpo import gpus_of_roles, rows_of
from tests import tiny
from thinksafe.data.taking import take_prompts
from thinksafe.files import write_rows
from thinksafe.jobs.distributed import in_processes
from thinksafe.jobs.signals import Stopped
from thinksafe.models.chat import prompt_tokens
from thinksafe.training.grpo import grpo_settings, reinforce, unchanged
from thinksafe.training.losses.base import NotFinite
from thinksafe.training.rewards import GuardError

torch.set_num_threads(1)
PROMPTS = [f"What is {n}? <|im_end|>" for n in range(8)]
ROWS = [{"id": f"p{n}", "prompt": prompt} for n, prompt in enumerate(PROMPTS)]
GRPO = {
    "prompts": "all",
    "guard": "llama-guard-3",
    "rollouts": 4,
    "prompts_per_step": 2,
    "beta": 0.04,
    "epsilon": 0.2,
    "ratio": "token",
    "temperature": 0.7,
    "max_tokens": 10,
    "weights": {"safety": 1.0, "format": 1.0},
    "sampler": "trainer",
}
TRAINING = tiny.TRAINING | {"learning_rate": 1e-2, "schedule": "constant", "warmup": 0.0}
STEPS = 4  # 8 prompts, 2 a step


def spec(**more):
    base = {"name": "tiny/model", "revision": None}
    return {"grpo": GRPO | more, "training": TRAINING, "epochs": 1, "seed": 3, "base": base}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.make_model(tmp_path_factory.mktemp("model") / "qwen3", "qwen3", stop_boost=0.5)


def likes(letter):
    """A guard that calls a response safer the more of this letter it has."""

    def ask(pairs):
        return [{"p_unsafe": 1 / (1 + response.count(letter)), "output": ""} for _, response in pairs]

    return ask


def train(folder, output, ask=None, progress=lambda done, total: None, steps=2, **more):
    ask = ask or likes("e")
    return reinforce(ROWS, folder, output, spec(**more), "key", ask, "full", 8, steps, progress=progress)


def content(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed") / "adapter"
    pairs = []

    def ask(asked):
        pairs.extend(asked)
        return likes("e")(asked)

    facts = train(folder, output, ask, steps=100)
    return output, facts, pairs


def test_all_prompts_are_answered_once_and_the_guard_sees_them_as_users_wrote_them(undisturbed, folder):
    output, facts, pairs = undisturbed
    assert {**facts, "loss": 0} == {"prompts": 8, "too_long": 0, "steps": STEPS, "loss": 0}
    assert sorted(prompt for prompt, _ in pairs) == sorted(PROMPTS * 4)
    assert len({response for _, response in pairs}) > 16  # rollouts of one prompt differ
    assert not any(response.endswith("<|im_end|>") for _, response in pairs)
    from safetensors.torch import load_file

    weights = load_file(output / "adapter_model.safetensors")
    assert all(value.abs().sum() > 0 for name, value in weights.items() if "lora_B" in name)
    left = {path.name for path in output.parent.iterdir()}
    assert left == {"adapter", "adapter.training.jsonl", "adapter.tensorboard", ".adapter.key.checkpoints"}
    first, *steps = map(json.loads, (output.parent / "adapter.training.jsonl").read_text().splitlines())
    assert first["prompts"] == 8 and first["too_long"] == 0
    assert [line["step"] for line in steps][:STEPS] == [1, 2, 3, 4]
    assert {"loss", "kl", "reward", "rewards/safety/mean", "rewards/format/mean", "grad_norm"} <= steps[0].keys()
    asked, before = [len(prompt_tokens(tiny.make_tokenizer("qwen3"), prompt)) for prompt, _ in pairs], 0
    for number, step in enumerate(steps[:STEPS]):
        tokens, before = step["num_tokens"] - before, step["num_tokens"]
        assert step["supervised_share"] == pytest.approx(1 - sum(asked[8 * number : 8 * number + 8]) / tokens)
        assert step["tokens_per_second"] > 0


def test_of_each_file_the_prompts_that_are_taken(tmp_path):
    files = {}
    for role in ("harmful", "benign"):
        files[role] = [{"id": f"{role}-{n}", "prompt": f"{role} {n}"} for n in range(9)]
        write_rows(tmp_path / role, files[role], dict(id=str, prompt=str))
    paths = [str(tmp_path / role) for role in files]
    assert rows_of(paths, [4, None]) == list(take_prompts(files["harmful"], 4)) + files["benign"]


def test_prompts_keep_control_tokens_as_letters(folder):
    tokenizer = tiny.make_tokenizer("qwen3")
    ids = prompt_tokens(tokenizer, PROMPTS[0])
    assert ids.count(tokenizer.eos_token_id) == 1  # the template's own


def test_it_learns_what_is_rewarded(folder, tmp_path):
    """Twenty-four steps at a high rate: the letter that the guard likes becomes more frequent."""
    means = []

    def ask(pairs):
        verdicts = likes("e")(pairs)
        means.append(sum(1 - verdict["p_unsafe"] for verdict in verdicts) / len(verdicts))
        return verdicts

    reinforce(ROWS * 6, folder, tmp_path / "adapter", spec(rollouts=8), "key", ask, "full", 16, 100)
    assert sum(means[-8:]) / 8 > sum(means[:8]) / 8 + 0.1


def share(folder, output, per_device_batch, progress):
    """Do one process's share of one step without dropout, whose masks differ from process to process.

    In later steps a near tie may fall to another token, as sums in another order differ in the last digit.
    """
    alone = spec(prompts_per_step=8, steps=1)
    alone["training"] = TRAINING | tiny.NO_DROPOUT
    reinforce(ROWS, folder, output, alone, "key", likes("e"), "full", per_device_batch, 100, progress=progress)


@pytest.mark.parametrize("count, per_device", [(1, 8), pytest.param(2, 16, marks=pytest.mark.slow)])
def test_neither_processes_nor_accumulation_change_the_adapter(folder, tmp_path, count, per_device):
    from safetensors.torch import load_file

    weights, logs = [], []
    for name, processes, rows in (("one", 1, 32), ("shared", count, per_device)):
        output = tmp_path / name / "adapter"
        job = dict(folder=str(folder), output=str(output), per_device_batch=rows)
        in_processes(processes, share, job, lambda done, total: None)
        weights.append(load_file(output / "adapter_model.safetensors"))
        lines = (tmp_path / name / "adapter.training.jsonl").read_text().splitlines()
        logs.append(json.loads(lines[1]))
    one, shared = weights
    assert {key: logs[0][key] for key in ("reward", "num_tokens")} == {
        key: logs[1][key] for key in ("reward", "num_tokens")
    }
    assert logs[0]["grad_norm"] == pytest.approx(logs[1]["grad_norm"], rel=1e-5)
    assert all(torch.allclose(one[name], shared[name], atol=1e-5, rtol=0) for name in one)
    assert any(value.abs().max() > 1e-3 for name, value in one.items() if "lora_B" in name)


def with_vllm(folder, output):
    """Train with rollouts of a vLLM in the trainer's process, which leaves torch's process groups behind.

    On many CPUs vLLM packs a layer's weight for oneDNN or AMX and drops it, so that none can be exchanged between
    steps; on GPUs it keeps it. So here no weight is packed, whatever the machine's CPU.
    """
    from vllm.model_executor.layers import utils

    utils.dispatch_cpu_unquantized_gemm = lambda layer, **_: setattr(layer, "cpu_linear", torch.nn.functional.linear)
    reinforce(ROWS, folder, output, spec(sampler="colocate", steps=2), "key", likes("e"), "full", 8, 100)


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed")
def test_rollouts_by_vllm_in_the_trainers_process(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    output = tmp_path / "adapter"
    trained = multiprocessing.get_context("spawn").Process(target=with_vllm, args=(str(folder), str(output)))
    trained.start()
    trained.join()
    assert trained.exitcode == 0
    steps = [json.loads(line) for line in (tmp_path / "adapter.training.jsonl").read_text().splitlines()[1:3]]
    assert all(step["completions/mean_length"] > 2 and step["grad_norm"] > 0 for step in steps)
    assert steps[0]["kl"] == pytest.approx(0, abs=1e-6) and steps[1]["kl"] > 0  # the reference is the student as it was


class Killed(BaseException):
    """Stands for the end of the process: nothing is saved after it."""


@pytest.mark.parametrize("way, begun", [(Stopped, 3), (Killed, 2)])
def test_interrupted_and_resumed_the_bytes_are_the_same(folder, undisturbed, tmp_path, way, begun):
    def stop(done, total):
        assert total == STEPS
        if done == 3:
            raise way

    with pytest.raises(way):
        train(folder, tmp_path / "adapter", progress=stop)
    seen = []
    train(folder, tmp_path / "adapter", progress=lambda done, total: seen.append(done))
    assert seen[0] == begun and seen[-1] == STEPS
    assert content(tmp_path / "adapter") == content(undisturbed[0])


def test_an_adapter_that_is_lost_before_its_job_is_over_costs_no_step(folder, undisturbed, tmp_path):
    output, seen = tmp_path / "adapter", []
    train(folder, output)
    shutil.rmtree(output)
    train(folder, output, progress=lambda done, total: seen.append(done))
    assert seen == [STEPS] and content(output) == content(undisturbed[0])


@pytest.mark.parametrize("answer", [None, float("nan"), "fails", "short"])
def test_a_guard_that_fails_ends_the_run(folder, tmp_path, answer):
    def ask(pairs):
        if answer == "fails":
            raise ConnectionError("refused")
        verdicts = [{"p_unsafe": 0.5, "output": "hm"} for _ in pairs]
        verdicts[3]["p_unsafe"] = answer
        return verdicts[1:] if answer == "short" else verdicts

    with pytest.raises(GuardError, match="guard"):
        train(folder, tmp_path / "adapter", ask)
    assert not (tmp_path / "adapter").exists()


def test_a_gradient_that_is_not_finite_ends_the_run(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(GRPOTrainer, "_clip_grad_norm", lambda self, model: torch.tensor(float("nan")))
    with pytest.raises(NotFinite, match=r"the gradient is not finite at step 1; prompts: p\d, p\d$"):
        train(folder, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def test_a_loss_that_is_not_finite_names_the_prompts_of_its_batch(folder, tmp_path, monkeypatch):
    """The batch is cut from shuffled rollouts: the names in the message are those of the prompts in it."""
    ids, tokenizer = [], tiny.make_tokenizer("qwen3")

    def nan(self, model, inputs):
        for tokens, real in zip(inputs["prompt_ids"], inputs["prompt_mask"], strict=True):
            text = tokenizer.decode(tokens[real.bool()])
            ids.append(next(f"p{n}" for n in range(8) if f"What is {n}?" in text))
        return torch.tensor(float("nan"))

    monkeypatch.setattr(GRPOTrainer, "_compute_loss", nan)
    with pytest.raises(NotFinite, match="the loss is not finite at step 1; prompts: ") as told:
        reinforce(ROWS, folder, tmp_path / "adapter", spec(), "key", likes("e"), "full", 1, 100)
    assert str(told.value).split("prompts: ")[1] == ids[0]


def test_gpus_that_no_server_needs_share_the_policy():
    assert gpus_of_roles(list("01"), False, 1) == (["0"], [], ["1"])
    assert gpus_of_roles(list("0123"), False, 1) == (["0", "1", "2"], [], ["3"])
    assert gpus_of_roles(list("01234"), True, 2) == (["0", "1"], ["2"], ["3", "4"])


def test_prompts_without_room_are_counted_and_too_few_are_an_error(folder, tmp_path):
    with pytest.raises(ValueError, match=r"0 prompts leave room for grpo.max_tokens=600 \(8 do not\)"):
        train(folder, tmp_path / "adapter", max_tokens=600)


# -------------------------------------------------------------------------------------------- settings
def test_the_papers_values_reach_trl(tmp_path):
    paper = spec(rollouts=8, prompts_per_step=8, max_tokens=16384, sampler="colocate")
    made = grpo_settings(paper, tmp_path, 4, 10, 100)
    assert (made.num_generations, made.beta, made.epsilon, made.epsilon_high) == (8, 0.04, 0.2, 0.2)
    assert (made.loss_type, made.importance_sampling_level, made.scale_rewards) == ("grpo", "token", "group")
    assert made.per_device_train_batch_size * made.gradient_accumulation_steps == 64 == made.generation_batch_size
    assert (made.temperature, made.top_p, made.top_k, made.max_completion_length) == (0.7, 1.0, 0, 16384)
    assert made.use_vllm and made.vllm_mode == "colocate" and made.vllm_max_model_length == 16484
    assert not made.vllm_importance_sampling_correction and not made.use_bias_correction_kl
    assert made.learning_rate == 1e-2 and made.reward_weights == [1.0, 1.0]
    assert made.max_steps == -1 and grpo_settings(spec(steps=7), tmp_path, 4, 10, 9).max_steps == 7
    assert grpo_settings(spec(ratio="sequence"), tmp_path, 4, 10, 9).importance_sampling_level == "sequence"
    assert grpo_settings(spec(sampler="server"), tmp_path, 4, 10, 9, "http://x").vllm_mode == "server"


def test_a_step_that_cannot_be_divided_is_told_with_the_way_out(tmp_path):
    with pytest.raises(ValueError, match="2 prompts x 4 rollouts .* multiple of 1 devices x 3 rows .* train_grpo"):
        grpo_settings(spec(), tmp_path, 3, 10, 9)


def test_merging_and_unmerging_leaves_the_base_as_it_was(folder):
    """Without the guard around it, bfloat16 weights do not come back."""
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    from thinksafe.training.sft import lora_config

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model = get_peft_model(model, lora_config(TRAINING["lora"]))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)).to(weight.dtype) * 0.1
    bases = [part.base_layer.weight for part in model.modules() if hasattr(part, "base_layer")]
    before = [base.clone() for base in bases]
    with unchanged(model):
        model.merge_adapter(), model.unmerge_adapter()
    assert all(torch.equal(base, was) for base, was in zip(bases, before, strict=True))
    model.merge_adapter(), model.unmerge_adapter()
    assert not any(torch.equal(base, was) for base, was in zip(bases, before, strict=True))
