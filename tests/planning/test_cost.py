"""What jobs cost: the paper's own numbers lie in the range, more work costs more, and finished jobs are believed."""

import json
from pathlib import Path

import pytest

from thinksafe.config import settings
from thinksafe.planning.cost import Amount, CostModel, against_the_paper, cost, wall
from thinksafe.planning.dag import Job, behind, ordered, reached

PROMPTS = {"harmful": 17_888, "benign": 22_112}


@pytest.fixture(scope="module")
def config():
    return settings.load(["config/config.yaml"])


@pytest.fixture(scope="module")
def miniature():
    return settings.load(["config/config.yaml", "config/miniature.yaml"])


def job(rule, gpus=1, needs=(), **wildcards):
    name = "-".join([rule, *wildcards.values()])
    inputs = tuple(path for need in needs for path in need.outputs)
    return Job(rule, wildcards, gpus, {}, inputs, (f"{name}.identity.json",), True, "")


def chain(student):
    """Return ThinkSafe's jobs up to the adapter, and GRPO's."""
    raw = dict(student=student, steering="prefix", samples="1", replicate="0")
    sampled = [job("sample_responses", **raw, prompts=half, shard=str(part)) for half in PROMPTS for part in range(8)]
    judged = [job("judge_responses", needs=[one], guard="llama-guard-3", **one.wildcards) for one in sampled]
    trained = job("train_student", needs=judged, student=student, method="thinksafe", replicate="0")
    return ordered([*sampled, *judged, trained, job("train_grpo", 2, student=student, method="grpo", replicate="0")])


def test_the_paper_is_in_the_range(config):
    """Sec. 5.3: GRPO over 21 hours, ThinkSafe an eighth of that, Qwen3-0.6B on two GPUs."""
    rows = against_the_paper(chain("qwen3-0.6b"), CostModel(config, PROMPTS))
    assert {row["method"] for row in rows} == {"grpo", "thinksafe"}
    for row in rows:
        assert row["hours"]["low"] <= row["paper_hours"] <= row["hours"]["high"], row
    ours = {row["method"]: row["hours"]["value"] for row in rows}
    assert 4 < ours["grpo"] / ours["thinksafe"] < 32  # "approximately 8 times"


def test_more_work_and_larger_models_cost_more(config):
    model = CostModel(config, PROMPTS)

    def seconds(rule, **names):
        return model.seconds(job(rule, **names)).value

    answers = dict(method="initial", replicate="0", shard="0")
    assert seconds("sample_answers", student="qwen3-0.6b", benchmark="gsm8k", **answers) > seconds(
        "sample_answers", student="qwen3-0.6b", benchmark="aime24", **answers
    )
    for rule in ("train_student", "score_perplexity"):
        small, large = (seconds(rule, student=s, method="thinksafe", replicate="0") for s in ("qwen3-0.6b", "qwen3-8b"))
        assert small < large
        assert seconds(rule, student="qwen3-8b", method="star1", replicate="0") < large
    half = CostModel(config, {"harmful": 8944, "benign": 11_056})
    assert half.seconds(chain("qwen3-8b")[0]).value < model.seconds(chain("qwen3-8b")[0]).value


def test_the_rows_that_a_method_has(config):
    sizes = {"directrefusal": 1000, "safechain": 40_000, "star1": 1000, "safepath": 400, "safekey": 1915}  # Table 4
    model = CostModel(config, PROMPTS)
    assert {name: model.rows_of(name) for name in sizes} == sizes and model.rows_of("thinksafe") == 40_000


def test_adapters_have_the_size_that_they_have(config):
    """docs/running-the-paper.md, from the shapes of q_proj and v_proj."""
    model = CostModel(config, PROMPTS)
    assert model.adapter("qwen3-0.6b") == pytest.approx(18.4e6, rel=0.01)
    assert model.adapter("qwen3-8b") == pytest.approx(61.3e6, rel=0.01)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def finish(one, seconds, device="NVIDIA H100 80GB HBM3", devices=1):
    path = Path(one.outputs[0].replace(".identity.", ".record."))
    record = {"wall_seconds": seconds, "device_seconds": seconds * devices, "device": device}
    path.write_text(json.dumps(record))


def test_finished_jobs_are_believed(config, folder):
    """Same rule and student: their rate; another student: the assumptions, corrected; a narrower range for both."""
    done, other = chain("qwen3-0.6b"), chain("qwen3-8b")
    model, blind = CostModel(config, PROMPTS), CostModel(config, PROMPTS)
    sampled = [one for one in done if one.rule == "sample_responses"]
    for one in sampled[:4]:
        finish(one, blind.predicted(one) * 2)
    assert model.calibrate(done) == 4
    assert model.seconds(sampled[5]).value == pytest.approx(blind.predicted(sampled[5]) * 2)
    larger = next(one for one in other if one.rule == "sample_responses")
    guess, before = model.seconds(larger), blind.seconds(larger)
    assert guess.value == pytest.approx(before.value * 2)
    assert model.seconds(sampled[5]).high / model.seconds(sampled[5]).low < guess.high / guess.low
    assert guess.high / guess.low < before.high / before.low
    judged = next(one for one in other if one.rule == "judge_responses")
    assert model.seconds(judged) == blind.seconds(judged)


def test_short_answers_do_not_tell_how_long_reasoning_takes(config, folder):
    """The same student's XSTest as fast as assumed, or half: so is its MATH500, which is four times as long a job."""
    names = dict(student="qwen3-8b", method="initial", replicate="0", shard="0")
    short, long = (job("sample_answers", benchmark=benchmark, **names) for benchmark in ("xstest", "math500"))
    alike = job("sample_answers", benchmark="harmbench", **names)
    blind = CostModel(config, PROMPTS)
    for factor in (1, 2):
        model = CostModel(config, PROMPTS)
        finish(short, blind.predicted(short) * factor)
        model.calibrate([short])
        assert model.seconds(long).value == pytest.approx(blind.predicted(long) * factor)
        assert model.seconds(alike).value == pytest.approx(
            blind.predicted(short) * factor * model.work(alike).units / model.work(short).units
        )


def test_what_a_profile_gave_a_job_is_counted(config, folder):
    """Two GPUs for an hour are two GPU-hours, also where the rule by itself asks for one (profiles/slurm)."""
    one = job("train_student", student="qwen3-8b", method="thinksafe", replicate="0")
    finish(one, 3600.0, devices=2)
    model = CostModel(config, PROMPTS)
    model.calibrate([one])
    assert cost([one], model, 8)["gpu_hours"]["value"] == 2.0


def test_another_device_says_nothing_about_students_that_did_not_run_on_it(config, folder):
    done, model = chain("qwen3-0.6b"), CostModel(config, PROMPTS)
    finish(done[0], 1e6, device="cpu")
    model.calibrate(done)
    larger = chain("qwen3-8b")[0]
    assert model.seconds(larger) == CostModel(config, PROMPTS).seconds(larger)


def test_a_model_of_unknown_size_is_told_until_it_has_run(miniature, folder):
    one = job("train_student", 0, student="qwen3-mini", method="thinksafe", replicate="0")
    model = CostModel(miniature, {"harmful": 250, "benign": 250})
    assert model.calibrate([one]) == 0 and model.seconds(one) is None
    assert cost([one], model, 1)["jobs_without_estimate"] == 1
    finish(one, 5.0)
    assert model.calibrate([one]) == 1 and model.seconds(one).value == pytest.approx(5.0)


def test_wall_time_follows_gpus_and_chains():
    """As long as the work on one GPU, and never less than the longest chain."""
    first, second, third = (job("a", n=str(n)) for n in range(3))
    last, small = job("b", needs=[first], n="0"), job("c", 0, needs=[first, second, third], n="0")
    jobs = ordered([first, second, third, last, small])
    seconds = dict.fromkeys(jobs, 1.0)
    assert [wall(jobs, seconds, gpus) for gpus in (1, 2, 8)] == [4.0, 3.0, 2.0]
    assert behind([last]) == {first, last} and reached(jobs, [second]) == {second, small}
    large = job("d", 4, n="0")  # more than there are: it takes all, one after the other
    assert wall([large, first], {large: 1.0, first: 1.0}, 2) == 2.0


def test_short_jobs_do_not_keep_a_long_one_from_its_gpus():
    """The long one needs both GPUs, which are never free at once while short ones take each as it comes."""
    first, second = job("a", n="0"), job("a", n="1")
    long = job("b", 2, needs=[second], n="0")
    after, short = job("d", needs=[long], n="0"), [job("c", n=str(n)) for n in range(10)]
    seconds = {first: 1.5, second: 1.0, long: 10.0, after: 10.0} | dict.fromkeys(short, 1.0)
    assert wall(ordered([first, second, long, after, *short]), seconds, 2) == 21.5  # 1.5 until both are free
    quick = job("e", n="0")  # fits between the second and the long one
    assert wall(ordered([first, second, long, quick]), seconds | {quick: 0.4}, 2) == 11.5


def test_a_target_costs_nothing(config):
    """`all` is a job to Snakemake, and runs nothing."""
    target = Job("all", {}, 0, {}, (), (), True, "")
    assert cost([target], CostModel(config, PROMPTS), 1)["processor_hours"]["value"] == 0


def test_ranges_add_up_and_are_rounded():
    total = Amount.of([10], 2) + Amount(1, 0.5, 3)
    assert total == Amount(11, 5.5, 23) and total.rounded(3) == {"value": 3.67, "low": 1.83, "high": 7.67}
