"""What jobs cost: hours of GPUs and processors, wall time on so many GPUs, disk; each with a range.

Two sources. Before anything has run: sizes, counts and the assumptions of config/cost/h100.yaml, by a roofline: a
decoding step reads the weights and the cache of all sequences that run together, reading and training multiply. Where
jobs of the run have finished, their records (docs/jobs.md): seconds per unit of work of the same rule and student, and
for students that have none, how far the assumptions were off on the others. Nothing here is in a spec.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist, median
from typing import Any

import yaml

from thinksafe.config.types import Config
from thinksafe.files import IDENTITY, RECORD, read_json
from thinksafe.planning.dag import Job, behind
from thinksafe.provenance.digests import ROOT
from thinksafe.study.stages import stage_of

ASSUMED = ROOT / "config/cost/h100.yaml"


@dataclass(frozen=True)
class Amount:
    """A number with the range that it is thought to lie in."""

    value: float
    low: float
    high: float

    def __add__(self, other: Amount) -> Amount:
        """Add as if both were off in the same direction, which is the wider of the two."""
        return Amount(self.value + other.value, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Amount:
        """Return so many times the number."""
        return Amount(self.value * factor, self.low * factor, self.high * factor)

    def within(self, factor: float) -> Amount:
        """Return the number with a range that is ``factor`` wide both ways."""
        return Amount(self.value, self.value / factor, self.value * factor)

    def told(self, unit: float = 1.0) -> dict[str, float]:
        """Return the number in a larger unit, rounded."""
        return {name: _short(getattr(self, name) / unit) for name in ("value", "low", "high")}


def _short(value: float) -> float:
    """Return three significant figures."""
    return 0.0 if not value else round(value, max(0, 2 - math.floor(math.log10(abs(value)))))


ZERO = Amount(0.0, 0.0, 0.0)


@cache
def assumptions() -> dict[str, Any]:
    """Return config/cost/h100.yaml."""
    return yaml.safe_load(ASSUMED.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Work:
    """What a job does: ``units`` are responses, verdicts or rows, each with so many ``tokens``."""

    units: float
    tokens: float
    cap: int = 0


class CostModel:
    """Seconds and bytes of jobs of one config.

    Parameters
    ----------
    config : the whole config of a run
    prompts : how many prompts each half has
    """

    def __init__(self, config: Config, prompts: Mapping[str, int]) -> None:
        self.config, self.prompts, self.assumed = config, prompts, assumptions()
        self.rates: dict[tuple[str | float, ...], list[float]] = {}
        self.ratios: dict[tuple[str, ...], list[float]] = {}
        self.finished = 0

    # ------------------------------------------------------------ how much there is to do
    def work(self, job: Job) -> Work | None:
        """Return what a job has to do; None for jobs that are small whatever they do."""
        names, tokens = job.wildcards, self.assumed["tokens"]
        if job.rule in ("sample_responses", "judge_responses"):
            count = self.prompts[names["prompts"]] * int(names["samples"]) / self.config.shards.data
            return Work(count, tokens["data"], self.config.sampling.data.max_tokens)
        if job.rule in ("sample_answers", "judge_answers", "judge_other_view"):
            benchmark = self.config.benchmarks[names["benchmark"]]
            kind = benchmark.decoding
            count = (benchmark.rows or 0) * benchmark.samples / getattr(self.config.shards, kind)
            return Work(count, tokens[kind], getattr(self.config.sampling, kind).max_tokens)
        if job.rule in ("train_student", "score_perplexity"):
            epochs = self.config.methods[names["method"]].epochs if job.rule == "train_student" else 1
            return Work(self.rows_of(names["method"]) * epochs, tokens["data"])
        if job.rule == "train_grpo":
            method = self.config.methods[names["method"]]
            grpo = method.grpo
            return Work(sum(self.prompts.values()) * grpo.rollouts * method.epochs, tokens["data"], grpo.max_tokens)
        return None

    def rows_of(self, method: str) -> int:
        """Return how many rows a training set has, each half as many as are taken or said to be there."""
        name = self.config.methods[method].data.corpus
        if name is None:
            return sum(self.prompts.values())
        halves = {role: getattr(self.config.corpora[name], role) for role in self.prompts}
        return sum(half.take or half.rows or self.prompts[role] for role, half in halves.items() if half)

    # ------------------------------------------------------------ from the assumptions
    def model(self, student: str) -> tuple[float | None, dict[str, int]]:
        """Return the number of parameters of a student, None where its size is not known, and its dimensions."""
        entry, known = self.config.models[student], self.assumed["models"]
        return entry.billions and entry.billions * 1e9, known.get(entry.source.hub, known["other"])

    def decoding(self, size: float, dims: Mapping[str, int], together: float, length: float) -> tuple[float, float]:
        """Return how many sequences run together, and the seconds of one decoding step of all of them."""
        device, here = self.assumed["device"], self.assumed["sampling"]
        weights = size * self.assumed["bytes"]["weight"]
        cache_of_one = 2 * 2 * dims["layers"] * dims["kv_heads"] * dims["head"] * length  # keys, values, two bytes each
        room = max(device["memory"] * here["memory"] - weights, cache_of_one)
        together = max(1.0, min(together, room / cache_of_one))
        return together, here["step"] + (weights + together * cache_of_one) / (device["bandwidth"] * here["bandwidth"])

    def sampling_seconds(self, size: float, dims: Mapping[str, int], work: Work, batch: int) -> float:
        """Return the seconds of sampling: batches of so many requests, each with a tail in which few still run."""
        if not work.units:
            return 0.0
        batch = min(batch, work.units)
        length = self.assumed["tokens"]["prompt"] + work.tokens / 2
        together, step = self.decoding(size, dims, batch, length)
        spread = self.assumed["sampling"]["spread"]  # lengths are log-normal: the longest of a batch, in mean lengths
        most = math.exp(spread * NormalDist().inv_cdf(batch / (batch + 1)) - spread**2 / 2) if batch > 1 else 1.0
        longest = min(work.cap, most * work.tokens)
        _, alone = self.decoding(size, dims, 1, length)
        one = batch * work.tokens / together * step + max(0.0, longest - work.tokens) * alone
        return work.units / batch * one

    def predicted(self, job: Job) -> float | None:
        """Return the seconds of a job on the assumed GPU; None where its model's size is not known."""
        work = self.work(job)
        if work is None:
            return float(self.assumed["processor"]["job"]) if job.outputs else 0.0  # a target runs nothing
        student = job.wildcards["student"]
        size, dims = self.model(student)
        if size is None:
            return None
        operations = self.assumed["device"]["operations"]
        if job.rule.startswith("judge"):
            return self.assumed["judging"]["start"] + self._judging(work)
        if job.rule.startswith("sample"):
            batch = self.config.engine.batch_size
            return self.assumed["sampling"]["start"] + self.sampling_seconds(size, dims, work, batch)
        if job.rule == "score_perplexity":
            here = self.assumed["reading"]
            one = max(here["row"], work.tokens * 2 * size / (operations * here["operations"]))
            return here["start"] + work.units * one
        here = self.assumed["training"]
        one = max(here["row"], work.tokens * here["passes"] * 2 * size / (operations * here["operations"]))
        seconds = here["start"] + work.units * one
        if job.rule == "train_grpo":
            grpo = self.config.methods[job.wildcards["method"]].grpo
            together = grpo.rollouts * grpo.prompts_per_step
            seconds += self.sampling_seconds(size, dims, work, together)
            # The guard has GPUs of its own, and so has a server; rollouts and rows are divided among the others.
            others = self.config.engine.tensor_parallel + (grpo.sampler == "server")
            seconds = seconds / max(1, job.gpus - others) + self._judging(work)
        return seconds

    def _judging(self, work: Work) -> float:
        here = self.assumed["judging"]
        reading = work.tokens * 2 * self.assumed["guard"] / (self.assumed["device"]["operations"] * here["operations"])
        return work.units * (here["row"] + reading)

    # ------------------------------------------------------------ from records
    def _keys(self, job: Job, work: Work | None) -> list[tuple[str | float, ...]]:
        """Return what tells of a job's rate, best first: jobs of the same kind, then of responses as long."""
        student = job.wildcards.get("student", "")
        kind = job.wildcards.get("benchmark") or job.wildcards.get("prompts") or job.wildcards.get("method") or ""
        alike = [(job.rule, student, work.tokens)] if work else [(job.rule, student), (job.rule,)]
        return [(job.rule, student, kind), *alike]

    def calibrate(self, jobs: Iterable[Job]) -> int:
        """Learn from the records beside the outputs of finished jobs, and return how many there are."""
        rates: dict[tuple[str | float, ...], list[float]] = defaultdict(list)
        ratios: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for job in jobs:
            record = record_of(job)
            if record is None:
                continue
            self.finished += 1
            work = self.work(job)
            # On as many GPUs as are planned: a profile may have given it more (profiles/slurm).
            seconds = record["device_seconds"] / job.gpus if job.gpus else record["wall_seconds"]
            if units := work.units if work else 1.0:
                for name in {*self._keys(job, work), (job.rule,)}:
                    rates[name].append(seconds / units)
            if work and (predicted := self.predicted(job)):
                ratios[job.rule, job.wildcards["student"]].append(seconds / predicted)
                # Another student's time says something about this one's only on the device that is assumed.
                if "H100" in record.get("device", ""):
                    ratios[job.rule,].append(seconds / predicted)
        self.rates, self.ratios = dict(rates), dict(ratios)
        return self.finished

    def seconds(self, job: Job) -> Amount | None:
        """Return how long a job takes, with its range; None where neither records nor a size tell."""
        work, stage = self.work(job), stage_of(job.rule).cost
        units, least = work.units if work else 1.0, self.assumed["measured"]
        predicted, (key, *others) = self.predicted(job), self._keys(job, work)
        for name in (key, *others):
            if rates := self.rates.get(name):
                rate = median(rates)
                wide = least if name == key else least**2
                return Amount(rate * units, min(*rates, rate / wide) * units, max(*rates, rate * wide) * units)
        if predicted is not None:
            # The same student on shorter or longer responses, then other students.
            for name, wide in ((job.rule, job.wildcards.get("student", "")), least**2), ((job.rule,), least**3):
                if work and (known := self.ratios.get(name)):
                    middle = median(known)
                    low, high = min(*known, middle / wide), max(*known, middle * wide)
                    return Amount(predicted * middle, predicted * low, predicted * high)
            return Amount(predicted, 0, 0).within(self.assumed["uncertain"][stage])
        if rates := self.rates.get((job.rule,)):  # of unknown size: better than nothing
            return Amount(median(rates) * units, min(rates) * units / 3, max(rates) * units * 3)
        return None

    # ------------------------------------------------------------ disk
    def disk(self, job: Job) -> float:
        """Return about how many bytes a job's outputs take."""
        here, work = self.assumed["bytes"], self.work(job)
        if work and job.rule.startswith("sample"):
            return here["small"] + work.units * work.tokens * here["token"]
        if work and job.rule.startswith("judge"):
            return here["small"] + work.units * here["verdict"]
        if job.rule in ("filter_responses", "derive_training_set", "import_released"):
            return here["small"] + sum(self.prompts.values()) * self.assumed["tokens"]["data"] * here["token"]
        if job.rule.startswith("train_") and "student" in job.wildcards:
            return here["small"] + self.adapter(job.wildcards["student"])
        return here["small"]

    def adapter(self, student: str) -> float:
        """Return the bytes of a LoRA adapter, four for each number."""
        size, dims = self.model(student)
        if size is None:
            return 0.0
        inner, outer, kv = dims["hidden"], dims["heads"] * dims["head"], dims["kv_heads"] * dims["head"]
        widths = {"q_proj": inner + outer, "k_proj": inner + kv, "v_proj": inner + kv, "o_proj": outer + inner}
        lora = self.config.training.lora
        each = sum(widths.get(target, 5 * inner) for target in lora.targets)  # others: between hidden and its fourfold
        return 4.0 * lora.rank * each * dims["layers"]


def record_of(job: Job) -> dict[str, Any] | None:
    """Return the record beside what a job made, None where there is none.

    Also of what is stale: a job that would run again takes about as long as it took.
    """
    try:
        return read_json(job.identity.removesuffix(IDENTITY) + RECORD) if job.identity else None
    except (OSError, ValueError):
        return None


# ---------------------------------------------------------------- of a whole plan
def wall(jobs: Sequence[Job], seconds: Mapping[Job, float], gpus: int) -> float:
    """Return the seconds until the last of the jobs is done on so many GPUs, the longest chain first.

    Jobs without a GPU start as soon as what they need is there. ``jobs`` come in the order of `dag.planned`; a job that
    asks for more GPUs than there are waits for all of them. While one waits for several GPUs, shorter chains take those
    that are free only if they give them back in time, as a cluster's scheduler has it (backfill).
    """
    users: dict[Job, list[Job]] = defaultdict(list)
    chosen = set(jobs)
    waiting = {}
    for job in jobs:
        needs = [need for need in job.needs if need in chosen]
        waiting[job] = len(needs)
        for need in needs:
            users[need].append(job)
    chain: dict[Job, float] = {}
    for job in reversed(jobs):
        chain[job] = seconds[job] + max((chain[user] for user in users[job]), default=0.0)
    ready = [(-chain[job], n, job) for n, job in enumerate(jobs) if not waiting[job]]
    heapq.heapify(ready)
    running: list[tuple[float, int, Job]] = []
    now, free, count = 0.0, gpus, len(jobs)
    while ready or running:
        later: list[tuple[float, int, Job]] = []
        kept = math.inf  # until when GPUs may be lent that the first one which waits will have
        while ready:
            entry = heapq.heappop(ready)
            need = min(entry[2].gpus, gpus)
            if need > free or (need and now + seconds[entry[2]] > kept):
                if need > free and kept == math.inf:
                    kept = _free_at(running, need - free, gpus)
                later.append(entry)
                continue
            free -= need
            count += 1
            heapq.heappush(running, (now + seconds[entry[2]], count, entry[2]))
        ready = later
        heapq.heapify(ready)
        now, _, job = heapq.heappop(running)
        free += min(job.gpus, gpus)
        for user in users[job]:
            waiting[user] -= 1
            if not waiting[user]:
                count += 1
                heapq.heappush(ready, (-chain[user], count, user))
    return now


def _free_at(running: Sequence[tuple[float, int, Job]], wanted: int, gpus: int) -> float:
    """Return when so many GPUs more than now are free."""
    for end, _, job in sorted(running):
        wanted -= min(job.gpus, gpus)
        if wanted <= 0:
            return end
    return math.inf


def cost(jobs: Sequence[Job], model: CostModel, gpus: int) -> dict[str, Any]:
    """Return what jobs cost together, by stage and by student, with ranges and what they rest on."""
    known = {job: amount for job in jobs if (amount := model.seconds(job)) is not None}
    stages: dict[str, Amount] = defaultdict(lambda: ZERO)
    students: dict[str, Amount] = defaultdict(lambda: ZERO)
    processor = ZERO
    for job, amount in known.items():
        if not job.gpus:
            processor += amount
            continue
        stages[stage_of(job.rule).cost] += amount.times(job.gpus)
        students[job.wildcards.get("student", "")] += amount.times(job.gpus)
    timed = {name: {job: getattr(a, name) for job, a in known.items()} for name in ("value", "low", "high")}
    order = [job for job in jobs if job in known]
    hours = {name: _short(wall(order, times, gpus) / 3600) for name, times in timed.items()}
    disk: dict[str, float] = defaultdict(float)
    for job in jobs:
        if job.outputs:
            disk[stage_of(job.rule).cost] += model.disk(job)
    return {
        "gpu_hours": sum(stages.values(), ZERO).told(3600),
        "gpu_hours_by_stage": {name: amount.told(3600) for name, amount in sorted(stages.items())},
        "gpu_hours_by_student": {name: amount.told(3600) for name, amount in sorted(students.items())},
        "processor_hours": processor.told(3600),
        "wall_hours": {"gpus": gpus} | hours,
        "disk_gb": {name: _short(size / 1e9) for name, size in sorted(disk.items())}
        | {"total": _short(sum(disk.values()) / 1e9)},
        "jobs_without_estimate": len(jobs) - len(known),
    }


def number(hours: float) -> str:
    """Return hours for people: whole from a hundred on, where `_short` has left three figures."""
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:g}"


def ranged(hours: Mapping[str, float]) -> str:
    """Return an estimate with its range for people."""
    return f"{number(hours['value'])} ({number(hours['low'])} to {number(hours['high'])})"


def against_the_paper(jobs: Sequence[Job], model: CostModel) -> list[dict[str, Any]]:
    """Return the hours that the paper reports beside ours for the same chain, on as many GPUs as it used."""
    gpus, rows = model.assumed["device"]["paper_gpus"], []
    for entry in model.assumed["paper"]:
        for job in jobs:
            names = job.wildcards
            if not job.rule.startswith("train_") or (names.get("student"), names.get("method")) != (
                entry["student"],
                entry["method"],
            ):
                continue
            known = [(one.gpus, amount) for one in behind([job]) if one.gpus and (amount := model.seconds(one))]
            if not known:  # tiny models of the same names (config/rehearsal.yaml)
                break
            total = sum((amount.times(held) for held, amount in known), ZERO)
            rows.append(
                {"method": entry["method"], "student": entry["student"], "gpus": gpus, "paper_hours": entry["hours"]}
                | {"paper_says": entry["says"], "hours": total.told(3600 * gpus)}
            )
            break
    return rows


def sure(model: CostModel) -> str:
    """Return in one sentence what the range rests on."""
    if not model.finished:
        return (
            f"nothing measured yet: assumptions about one {model.assumed['device']['label']} (config/cost/h100.yaml); "
            "the range is what they may be off by"
        )
    return (
        f"{model.finished} finished jobs of this run are behind it: measured where the same rule and student have "
        "finished, corrected by other students' jobs on the same device, else assumed"
    )
