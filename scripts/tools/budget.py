"""About how many GPU-hours a plan takes on an H100, from sizes and counts alone: for `make plan`, and for nothing else.

Right within a factor of three. The paper gives one number to hold it against: GRPO took 21 hours, some eight times as
long as ThinkSafe, generation included (Sec. 5.3, Qwen3-0.6B, two GPUs), so that ThinkSafe took about five GPU-hours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Job = tuple[str, dict[str, str]]

TOKENS = {"data": 1200, "safety": 1200, "reasoning": 6000}  # of a response, on average
DECODING = 1e14  # operations per second, of 1e15 that an H100 has in bfloat16
FASTEST = 20_000  # tokens per second, however small the model
READING = 3e14  # operations per second of a guard that reads a response, and of training
ROW = 0.06  # seconds that a row takes to train on at least: one at a time, gradient checkpointing, no packing
GUARD = 8e9  # parameters of a guard
START = 1 / 60  # hours until an engine has started
ENGINES = ("sample_responses", "sample_answers", "judge_responses", "judge_answers")  # rules that start one


def parameters(size: str) -> float | None:
    """Return the number of parameters that a ``size`` such as 0.6B says, None where it says none."""
    found = re.fullmatch(r"([\d.]+)\s*([BM])", size.strip(), re.IGNORECASE)
    return float(found[1]) * {"B": 1e9, "M": 1e6}[found[2].upper()] if found else None


def gpu_hours(size: str, responses: Mapping[str, float], verdicts: float, rows: float, jobs: int) -> dict[str, float]:
    """Return hours on one H100 by kind of work; nothing for a model whose size is not known.

    Parameters
    ----------
    size : the model's ``size`` in config
    responses : how many are sampled, by kind of decoding: ``data``, ``safety``, ``reasoning``
    verdicts : how many responses guards read
    rows : training rows, each as often as it is seen
    jobs : sampling and judging jobs, each of which starts an engine
    """
    model = parameters(size)
    if model is None:
        return {}
    speed = min(FASTEST, DECODING / (2 * model))
    return {
        "sampling": sum(count * TOKENS[kind] for kind, count in responses.items()) / speed / 3600,
        "judging": verdicts * TOKENS["data"] * 2 * GUARD / READING / 3600,
        "training": rows * max(ROW, TOKENS["data"] * 6 * model / READING) / 3600,
        "starting": jobs * START,
    }


def estimate(jobs: Sequence[Job], config: Mapping[str, Any], prompts: Mapping[str, int]) -> dict[str, Any] | None:
    """Return rounded hours by student and kind of work, with their ``total``; None where no student's size is known.

    Parameters
    ----------
    jobs : rule and wildcards of each job that a plan has
    prompts : how many prompts each half, harmful and benign, has
    """
    found: dict[str, Any] = {}
    for student in sorted({wildcards["student"] for _, wildcards in jobs if "student" in wildcards}):
        mine = [job for job in jobs if job[1].get("student") == student]
        responses = dict.fromkeys(TOKENS, 0)
        for _, draws, _, half in _distinct(mine, "sample_responses", "steering", "draws", "replicate", "prompts"):
            responses["data"] += prompts[half] * int(draws)
        for _, _, name in _distinct(mine, "sample_answers", "method", "replicate", "benchmark"):
            benchmark = config["benchmarks"][name]
            kind = "reasoning" if benchmark["kind"] == "reasoning" else "safety"
            responses[kind] += benchmark.get("rows", 0) * benchmark.get("draws", 1)
        rows = 0
        for name, _ in _distinct(mine, "train_student", "method", "replicate"):
            rows += rows_of(name, config, prompts) * config["methods"][name]["epochs"]
        for name, _ in _distinct(mine, "train_grpo", "method", "replicate"):
            method = config["methods"][name]
            rollouts = sum(prompts.values()) * method["grpo"]["rollouts"] * method["epochs"]
            responses["data"] += rollouts
            rows += rollouts
        hours = gpu_hours(
            config["models"][student]["size"],
            responses,
            verdicts=responses["data"] + responses["safety"],
            rows=rows,
            jobs=sum(rule in ENGINES for rule, _ in mine),
        )
        if hours:
            found[student] = {kind: round(value, 1) for kind, value in hours.items()}
    return {**found, "total": round(sum(sum(hours.values()) for hours in found.values()), 1)} if found else None


def rows_of(name: str, config: Mapping[str, Any], prompts: Mapping[str, int]) -> int:
    """Return how many rows a method's training set has, each half as many as are taken or said to be there."""
    corpus = config["methods"][name]["data"].get("corpus")
    if corpus is None:
        return sum(prompts.values())
    halves = {role: config["corpora"][corpus][role] for role in prompts if role in config["corpora"][corpus]}
    return sum(entry.get("take") or entry.get("rows") or prompts[role] for role, entry in halves.items())


def _distinct(jobs: Sequence[Job], rule: str, *names: str) -> set[tuple[str, ...]]:
    """Return what the wildcards of a rule's jobs are, parts of one request list taken as one."""
    return {tuple(wildcards[name] for name in names) for kind, wildcards in jobs if kind == rule}
