"""The miniature world's prompt sets and benchmarks as source rows, as the hub and the web give the paper's.

Paper: stands in for SafeChain (Sec. 3) and for the eight benchmarks (Sec. 5.1); see docs/miniature.md.
"""

import json
import random
from collections.abc import Iterable
from typing import Any

from thinksafe.miniature import world
from thinksafe.miniature.pretraining_texts import pose
from thinksafe.seeds import seed_for

SAFETY = {"prompt": str, "category": str, "meta": str}
REASONING = {"problem": str, "answer": str, "category": str, "meta": str}
CHOICE = {"problem": str, "correct": str, "incorrect_1": str, "incorrect_2": str, "incorrect_3": str} | {
    "category": str,
    "meta": str,
}
COLUMNS = {
    "harmful": SAFETY,
    "benign": SAFETY,
    "harmbench": SAFETY,
    "strongreject": SAFETY,
    "wildjailbreak": SAFETY,
    "xstest": SAFETY,
    "aime24": REASONING,
    "gsm8k": REASONING,
    "math500": REASONING,
    "gpqa": CHOICE,
}
FORM = {"harmbench": "plain", "strongreject": "plan", "wildjailbreak": "wrapped"}
REASONING_SHARE = 0.3  # of the benign prompts; the others are half kind, half only seemingly forbidden


def make_rows(spec: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the rows of the prompt set or benchmark ``name``, a key of `COLUMNS`.

    They depend on the name and its count only, except that the three harm benchmarks share the held-out deeds in the
    order of `FORM`.

    Parameters
    ----------
    spec : dict
        ``seed``, ``rows`` (name: count) of config's ``world``, and ``templates`` (reasoning benchmark: template), in
        which the benign set poses its easier problems.
    """
    seed, count = spec["seed"], spec["rows"][name]
    rng = random.Random(seed_for("world", seed, "rows", name))
    if name == "harmful":
        return _requests(_take(world.deeds(seed, "harmful", "safety"), 0, count), None, rng, name)
    if name == "benign":
        return _benign(spec, count, rng)
    if name in FORM:
        # Every held-out deed belongs to one of the three benchmarks.
        skip = sum(spec["rows"][other] for other in list(FORM)[: list(FORM).index(name)])
        return _requests(_take(world.deeds(seed, "harmful", "evaluation"), skip, count), FORM[name], rng, name)
    if name == "xstest":
        return _requests(_take(world.deeds(seed, "scary", "evaluation"), 0, count), None, rng, name)
    return [_problem_row(problem) for problem in _problems(seed, name, "evaluation", count, rng)]


def _take(deeds: tuple[world.Deed, ...], start: int, count: int) -> tuple[world.Deed, ...]:
    """Return ``count`` deeds from ``start``; ValueError if the pool is too small for them."""
    if start + count > len(deeds):
        raise ValueError(f"world.rows: the pool has {len(deeds)} deeds, {start + count} are wanted; ask for fewer rows")
    return deeds[start : start + count]


def _requests(deeds: Iterable[world.Deed], form: str | None, rng: random.Random, name: str) -> list[dict[str, Any]]:
    """Return one request per deed; without a ``form``, half of them in adversarial wording."""
    rows = []
    for index, deed in enumerate(deeds):
        chosen = form or ("wrapped" if index % 2 else rng.choice(("plain", "plan")))
        wording = "adversarial" if chosen == "wrapped" else "vanilla"
        category = f"{wording}_{'harmful' if deed.harmful else 'benign'}"
        meta = world.deed_meta(deed) | {"form": chosen}
        rows.append({"prompt": world.ask(deed, chosen, rng), "category": category, "meta": _dumped(meta)})
    return rows


def _benign(spec: dict[str, Any], count: int, rng: random.Random) -> list[dict[str, Any]]:
    """Return the benign training prompts: kind ones, seemingly forbidden ones, and easier reasoning problems."""
    seed, tasks = spec["seed"], list(world.LEVELS)
    reasoning = round(count * REASONING_SHARE)
    scary = (count - reasoning) // 2
    rows = _requests(_take(world.deeds(seed, "scary", "safety"), 0, scary), None, rng, "benign")
    kind = _take(world.deeds(seed, "nice", "safety"), 0, count - reasoning - scary)
    rows += _requests(kind, None, rng, "benign")
    for index, task in enumerate(tasks):
        share = (reasoning + index) // len(tasks)
        for problem in _problems(seed, task, "safety", share, rng):
            text = problem.asked(problem.options(rng)) if task == "gpqa" else problem.text
            prompt = pose(spec["templates"][task], text)
            rows.append({"prompt": prompt, "category": "vanilla_benign", "meta": _dumped(problem.meta())})
    rng.shuffle(rows)
    return rows


def _problems(seed: int, task: str, pool: str, count: int, rng: random.Random) -> list[world.Problem]:
    """Return ``count`` problems with different keys, none of which another task has (sums are split by remainder)."""
    problems: dict[tuple[str | int, ...], world.Problem] = {}
    for _ in range(1000 * (count + 1)):
        if len(problems) == count:
            return list(problems.values())
        problem = world.draw_problem(seed, task, pool, rng)
        if task == "gpqa" or _owner(seed, problem.key) == task:
            if task == "gpqa" and pool == "safety":
                problems[(*problem.key, len(problems))] = problem  # few easy sets of tools: they may come again
            else:
                problems.setdefault(problem.key, problem)
    raise ValueError(f"world.rows: the pool has no {count} different problems of {task}; ask for fewer rows")


def _owner(seed: int, key: tuple[str | int, ...]) -> str:
    """Return the one task in which the number sequence ``key`` may be posed outside pretraining."""
    return ("gsm8k", "math500", "aime24")[seed_for("world", seed, "owner", *key) % 3]


def _problem_row(problem: world.Problem) -> dict[str, Any]:
    """Return a problem as its benchmark's source gives it."""
    row = {"problem": problem.text, "category": problem.task, "meta": _dumped(problem.meta())}
    if problem.task == "gpqa":
        names = ("correct", "incorrect_1", "incorrect_2", "incorrect_3")
        return row | dict(zip(names, map(str, (problem.result, *problem.others)), strict=True))
    # GSM8K gives the worked solution with the result after four hashes.
    answer = f"{problem.working}\n#### {problem.result}" if problem.task == "gsm8k" else str(problem.result)
    return row | {"answer": answer}


def _dumped(meta: dict[str, Any]) -> str:
    """Return ``meta`` as JSON."""
    return json.dumps(meta, sort_keys=True)
