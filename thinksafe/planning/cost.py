"""What jobs cost: hours of GPUs and processors, wall time on a number of GPUs, disk; each with a range.

Two sources. Before anything has run: sizes, counts and the assumptions of config/cost/h100.yaml, by a roofline: a
decoding step reads the weights and the cache of all sequences that run together, reading and training multiply. Where
jobs of the run have finished, their records (docs/jobs.md): seconds per unit of work of the same rule and student, and
for students that have none, the ratio of measured to assumed times of the others. Nothing here is in a spec.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import NormalDist, median
from typing import TYPE_CHECKING, Any, Self

import yaml

from thinksafe.files import IDENTITY, RECORD
from thinksafe.planning.dag import Job, behind
from thinksafe.planning.status import read
from thinksafe.provenance.digests import ROOT
from thinksafe.study.stages import stage_of

if TYPE_CHECKING:
    from thinksafe.config.types import Config


@dataclass(frozen=True)
class Amount:
    """A number with its likely range."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], factor: float) -> Self:
        """Return the median of ``values``; the range holds all of them and is at least ``factor`` wide both ways."""
        middle = median(values)
        return cls(middle, min(*values, middle / factor), max(*values, middle * factor))

    def __add__(self, other: Self) -> Self:
        """Add as if both were off in the same direction, which gives the wider range."""
        return Amount(self.value + other.value, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Self:
        """Return a multiple of the number."""
        return Amount(self.value * factor, self.low * factor, self.high * factor)

    def rounded(self, unit: float = 1.0) -> dict[str, float]:
        """Return number and range in a larger unit, with three significant figures."""
        return {name: _short(getattr(self, name) / unit) for name in ("value", "low", "high")}


def _short(value: float) -> float:
    """Return three significant figures."""
    return 0.0 if not value else round(value, max(0, 2 - math.floor(math.log10(abs(value)))))


ZERO = Amount(0.0, 0.0, 0.0)


DEVICES = ("h100", "rtx-4090")  # of config/cost/h100.yaml


@dataclass(frozen=True)
class Work:
    """What a job does: ``units`` are responses, verdicts or rows, each of ``tokens`` on average and ``cap`` at most."""

    units: float
    tokens: float
    cap: int = 0


class CostModel:
    """Seconds and bytes of jobs of one config; ``prompts`` is the number of prompts by role (harmful, benign).

    ``device`` is one of `DEVICES`; by default the H100.
    """

    def __init__(self, config: "Config", prompts: Mapping[str, int], device: str = "h100") -> None:
        self.config, self.prompts = config, prompts
        self.assumed: dict[str, Any] = yaml.safe_load((ROOT / "config/cost/h100.yaml").read_text(encoding="utf-8"))
        self.assumed["device"] |= self.assumed["devices"].get(device, {})
        self.rates: dict[tuple[Any, ...], list[float]] = defaultdict(list)  # seconds per unit of work
        self.ratios: dict[tuple[str, ...], list[float]] = defaultdict(list)  # measured to predicted seconds
        self.finished = 0

    def work(self, job: Job) -> Work | None:
        """Return what a job has to do; None for jobs that are always small."""
        names, tokens = job.wildcards, self.assumed["tokens"]
        if job.rule in ("sample_responses", "judge_responses"):
            count = self.prompts[names["prompts"]] * int(names["samples"]) / self.config.shards.data
            return Work(count, tokens["data"], self.config.sampling.data.max_tokens)
        if job.rule in ("sample_answers", "judge_answers", "judge_other_view"):
            benchmark = self.config.benchmarks[names["benchmark"]]
            kind = benchmark.decoding
            count = (benchmark.asked or 0) * benchmark.samples / getattr(self.config.shards, kind)
            return Work(count, tokens[kind], getattr(self.config.sampling, kind).max_tokens)
        if job.rule in ("train_student", "score_perplexity"):
            epochs = self.config.methods[names["method"]].epochs if job.rule == "train_student" else 1
            return Work(self.rows_of(names["method"]) * epochs, tokens["data"])
        if job.rule == "train_grpo":
            method = self.config.methods[names["method"]]
            rollouts = sum(self.prompts.values()) * method.grpo.rollouts * method.epochs
            return Work(rollouts, tokens["data"], method.grpo.max_tokens)
        return None

    def rows_of(self, method: str) -> int:
        """Return the number of rows of a training set, by what config says of each half."""
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
        """Return the seconds of sampling in batches, each with a tail in which few sequences still run."""
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
        size, dims = self.model(job.wildcards["student"])
        if size is None:
            return None
        kinds = {"judge": "judging", "sample": "sampling", "score": "reading", "train": "training"}
        here = self.assumed[kind := kinds[job.rule.partition("_")[0]]]
        if kind == "judging":
            return here["start"] + self._judging(work)
        if kind == "sampling":
            return here["start"] + self.sampling_seconds(size, dims, work, self.config.engine.batch_size)
        operations = self.assumed["device"]["operations"] * here["operations"]
        one = max(here["row"], work.tokens * here.get("passes", 1) * 2 * size / operations)
        seconds = here["start"] + work.units * one
        if job.rule == "train_grpo":
            grpo = self.config.methods[job.wildcards["method"]].grpo
            seconds += self.sampling_seconds(size, dims, work, grpo.rollouts * grpo.prompts_per_step)
            # The guard has GPUs of its own, and so has a server; rollouts and rows are divided among the others.
            others = self.config.engine.tensor_parallel + (grpo.sampler == "server")
            seconds = seconds / max(1, job.gpus - others) + self._judging(work)
        return seconds

    def _judging(self, work: Work) -> float:
        here = self.assumed["judging"]
        reading = work.tokens * 2 * self.assumed["guard"] / (self.assumed["device"]["operations"] * here["operations"])
        return work.units * (here["row"] + reading)

    # ------------------------------------------------------------ from records
    def _keys(self, job: Job, work: Work | None) -> list[tuple[Any, ...]]:
        """Return the keys of `rates` for a job, best first: the same kind of job, then responses of the same length."""
        names = job.wildcards
        kind = names.get("benchmark") or names.get("prompts") or names.get("method") or ""
        exact, alike = (job.rule, names.get("student", ""), kind), (job.rule, names.get("student", ""))
        return [exact, (*alike, work.tokens)] if work else [exact, alike, (job.rule,)]

    def calibrate(self, jobs: Iterable[Job]) -> int:
        """Learn from the records beside the outputs of finished jobs, and return how many there are.

        Records of stale jobs count too: such a job takes about as long again.
        """
        for job in jobs:
            if not (job.identity and (record := read(Path(job.identity.removesuffix(IDENTITY) + RECORD)))):
                continue
            self.finished += 1
            work = self.work(job)
            # On as many GPUs as are planned: a profile may have given it more (profiles/slurm).
            seconds = record["device_seconds"] / job.gpus if job.gpus else record["wall_seconds"]
            if units := work.units if work else 1.0:
                for name in {*self._keys(job, work), (job.rule,)}:
                    self.rates[name].append(seconds / units)
            if work and (predicted := self.predicted(job)):
                self.ratios[job.rule, job.wildcards["student"]].append(seconds / predicted)
                # Times of one student say something about another's only on the assumed device.
                if "H100" in record.get("device", ""):
                    self.ratios[job.rule,].append(seconds / predicted)
        return self.finished

    def seconds(self, job: Job) -> Amount | None:
        """Return how long a job takes; None where neither records nor its model's size tell."""
        work, predicted, least = self.work(job), self.predicted(job), self.assumed["measured"]
        units = work.units if work else 1.0
        for place, name in enumerate(self._keys(job, work)):
            if name in self.rates:
                return Amount.of(self.rates[name], least**2 if place else least).times(units)
        if predicted is not None:
            # The same student on shorter or longer responses, then other students.
            for name, factor in ((job.rule, job.wildcards.get("student", "")), least**2), ((job.rule,), least**3):
                if work and name in self.ratios:
                    return Amount.of(self.ratios[name], factor).times(predicted)
            return Amount.of([predicted], self.assumed["uncertain"][stage_of(job.rule).cost])
        if rates := self.rates.get((job.rule,)):  # of unknown size: better than nothing
            return Amount(median(rates), min(rates) / 3, max(rates) * 3).times(units)
        return None

    # ------------------------------------------------------------ disk
    def disk(self, job: Job) -> float:
        """Return about how many bytes a job's outputs take."""
        here, work, size = self.assumed["bytes"], self.work(job), 0.0
        if work and job.rule.startswith("sample"):
            size = work.units * work.tokens * here["token"]
        elif work and job.rule.startswith("judge"):
            size = work.units * here["verdict"]
        elif job.rule in ("filter_responses", "derive_training_set", "import_released"):
            size = sum(self.prompts.values()) * self.assumed["tokens"]["data"] * here["token"]
        elif job.rule.startswith("train_") and "student" in job.wildcards:
            size = self.adapter(job.wildcards["student"])
        return here["small"] + size

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


# ---------------------------------------------------------------- of a whole plan
def wall(jobs: Sequence[Job], seconds: Mapping[Job, float], gpus: int) -> float:
    """Return the seconds until the last of the jobs is done on a number of GPUs, the longest chain first.

    Jobs without a GPU start as soon as their inputs are there. ``jobs`` come in the order of `dag.planned`; a job that
    asks for more GPUs than there are waits for all of them. While one waits for several GPUs, shorter chains take free
    ones only if they return them in time, as a cluster's scheduler does (backfill).
    """
    chain = {job: seconds[job] for job in jobs}  # seconds from a job's start to the end of what follows from it
    for job in reversed(jobs):
        for need in job.needs:
            if need in chain:
                chain[need] = max(chain[need], seconds[need] + chain[job])
    sorter = TopologicalSorter({job: [need for need in job.needs if need in chain] for job in jobs})
    sorter.prepare()
    ready: list[Job] = []
    running: list[tuple[float, int, Job]] = []
    now, free, started = 0.0, gpus, 0
    while sorter.is_active():
        candidates = sorted([*ready, *sorter.get_ready()], key=lambda job: -chain[job])
        ready, lent_until = [], math.inf  # until when shorter jobs may take GPUs that the first waiting job needs
        for job in candidates:
            need = min(job.gpus, gpus)
            if need > free or (need and now + seconds[job] > lent_until):
                if need > free and lent_until == math.inf:
                    lent_until = _free_at(running, need - free, gpus)
                ready.append(job)
                continue
            free -= need
            started += 1
            heapq.heappush(running, (now + seconds[job], started, job))
        now, _, job = heapq.heappop(running)
        free += min(job.gpus, gpus)
        sorter.done(job)
    return now


def _free_at(running: Sequence[tuple[float, int, Job]], wanted: int, gpus: int) -> float:
    """Return when ``wanted`` more GPUs are free."""
    for end, _, job in sorted(running):
        wanted -= min(job.gpus, gpus)
        if wanted <= 0:
            return end
    return math.inf


def cost(jobs: Sequence[Job], model: CostModel, gpus: int) -> dict[str, Any]:
    """Return what jobs cost together, by stage and by student, with ranges; the wall time is on ``gpus`` GPUs."""
    known = {job: amount for job in jobs if (amount := model.seconds(job)) is not None}
    stages: dict[str, Amount] = defaultdict(lambda: ZERO)
    students: dict[str, Amount] = defaultdict(lambda: ZERO)
    for job, amount in known.items():
        if job.gpus:
            stages[stage_of(job.rule).cost] += amount.times(job.gpus)
            students[job.wildcards.get("student", "")] += amount.times(job.gpus)
    hours = {}
    for name in ("value", "low", "high"):
        times = {job: getattr(amount, name) for job, amount in known.items()}
        hours[name] = _short(wall(list(known), times, gpus) / 3600)
    disk: dict[str, float] = defaultdict(float)
    for job in jobs:
        if job.outputs:
            disk[stage_of(job.rule).cost] += model.disk(job)
    return {
        "gpu_hours": sum(stages.values(), ZERO).rounded(3600),
        "gpu_hours_by_stage": {name: amount.rounded(3600) for name, amount in sorted(stages.items())},
        "gpu_hours_by_student": {name: amount.rounded(3600) for name, amount in sorted(students.items())},
        "processor_hours": sum((known[job] for job in known if not job.gpus), ZERO).rounded(3600),
        "wall_hours": {"gpus": gpus} | hours,
        "disk_gb": {name: _short(size / 1e9) for name, size in sorted(disk.items())}
        | {"total": _short(sum(disk.values()) / 1e9)},
        "jobs_without_estimate": len(jobs) - len(known),
    }


def number(hours: float) -> str:
    """Return hours for people: whole from a hundred on."""
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:g}"


def ranged(hours: Mapping[str, float]) -> str:
    """Return an estimate with its range for people."""
    return f"{number(hours['value'])} ({number(hours['low'])} to {number(hours['high'])})"


def against_the_paper(jobs: Sequence[Job], model: CostModel) -> list[dict[str, Any]]:
    """Return the hours that the paper reports beside ours for the same chain, on as many GPUs as it used."""
    gpus, rows = model.assumed["device"]["paper_gpus"], []
    for entry in model.assumed["paper"]:
        names = {"student": entry["student"], "method": entry["method"]}
        trained = [job for job in jobs if job.rule.startswith("train_") and names.items() <= job.wildcards.items()]
        known = [(one.gpus, amount) for one in behind(trained[:1]) if one.gpus and (amount := model.seconds(one))]
        if known:  # none for tiny models of the same names (config/rehearsal.yaml)
            total = sum((amount.times(held) for held, amount in known), ZERO)
            paper = {"gpus": gpus, "paper_hours": entry["hours"], "paper_says": entry["says"]}
            rows.append(
                {"method": entry["method"], "student": entry["student"]} | paper | {"hours": total.rounded(3600 * gpus)}
            )
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
