"""The miniature world's prompt sets and benchmarks as source rows, as the hub and the web give the paper's.

Paper: stands in for SafeChain (Sec. 3) and for the eight benchmarks (Sec. 5.1); see docs/miniature.md.
"""

import json
import random

from thinksafe.files import Row
from thinksafe.miniature import world
from thinksafe.seeds import seed_for

# set: kind and pool of its deeds, and the form of its requests; without one, half of them have adversarial wording
DEEDS = {
    "harmful": ("harmful", "safety", None),
    "harmbench": ("harmful", "evaluation", "plain"),
    "strongreject": ("harmful", "evaluation", "plan"),
    "wildjailbreak": ("harmful", "evaluation", "wrapped"),
    "xstest": ("scary", "evaluation", None),
}
REASONING_FRACTION = 0.3  # of the benign prompts; the others are half kind, half only seemingly harmful


def make_rows(spec: Row, name: str) -> list[Row]:
    """Return the rows of the prompt set or benchmark ``name``: a key of `DEEDS`, ``benign`` or a reasoning benchmark.

    They depend on the name and its count only, except that the three harm benchmarks share the held-out deeds in the
    order of `DEEDS`. ``spec`` has ``seed``, ``rows`` (name: count) and, for ``benign``, ``templates`` of config's
    ``world``.
    """
    seed, count = spec["seed"], spec["rows"][name]
    rng = random.Random(seed_for("world", seed, "rows", name))
    if name == "benign":
        return _benign(spec, count, rng)
    if name not in DEEDS:
        return [_problem_row(problem) for problem in _problems(seed, name, "evaluation", count, rng)]
    kind, pool, form = DEEDS[name]
    before = list(DEEDS)[1 : list(DEEDS).index(name)] if form else []
    first = sum(spec["rows"][other] for other in before)
    return _requests(seed, kind, pool, first, count, rng, form)


def _requests(
    seed: int, kind: str, pool: str, first: int, count: int, rng: random.Random, form: str | None = None
) -> list[Row]:
    """Return one request for each of ``count`` deeds from the ``first``; ValueError if the pool is too small."""
    deeds = world.deeds(seed, kind, pool)
    if first + count > len(deeds):
        raise ValueError(f"world.rows: the pool has {len(deeds)} deeds, {first + count} are needed; ask for fewer rows")
    rows = []
    for index, deed in enumerate(deeds[first : first + count]):
        chosen = form or ("wrapped" if index % 2 else rng.choice(("plain", "plan")))
        truth = {"kind": deed.kind, "harmful": deed.harmful, "tool": world.TOOLS[deed.verb], "form": chosen}
        wording = "adversarial" if chosen == "wrapped" else "vanilla"
        category = f"{wording}_{'harmful' if deed.harmful else 'benign'}"
        rows.append(_row({"prompt": world.ask(deed, chosen, rng)}, category, vars(deed) | truth))
    return rows


def _benign(spec: Row, count: int, rng: random.Random) -> list[Row]:
    """Return the benign training prompts: seemingly harmful ones, kind ones, and easier reasoning problems."""
    seed, reasoning = spec["seed"], round(count * REASONING_FRACTION)
    scary = (count - reasoning) // 2
    rows = _requests(seed, "scary", "safety", 0, scary, rng)
    rows += _requests(seed, "nice", "safety", 0, count - reasoning - scary, rng)
    for index, task in enumerate(world.LEVELS):
        for problem in _problems(seed, task, "safety", (reasoning + index) // len(world.LEVELS), rng):
            prompt = spec["templates"][task].replace("{problem}", problem.question(problem.options(rng)))
            rows.append(_row({"prompt": prompt}, "vanilla_benign", problem.meta()))
    rng.shuffle(rows)
    return rows


def _problems(seed: int, task: str, pool: str, count: int, rng: random.Random) -> list[world.Problem]:
    """Return ``count`` problems with different keys, none of which another task has (sums are split by remainder)."""
    problems: dict[tuple[str | int, ...], world.Problem] = {}
    for _ in range(1000 * (count + 1)):
        if len(problems) == count:
            return list(problems.values())
        problem = world.draw_problem(seed, task, pool, rng)
        if task == "gpqa" and pool == "safety":
            problems[(*problem.key, len(problems))] = problem  # few easy sets of tools: they may come again
        elif task == "gpqa" or _owner(seed, problem.key) == task:
            problems.setdefault(problem.key, problem)
    raise ValueError(f"world.rows: the pool has no {count} different problems of {task}; ask for fewer rows")


def _owner(seed: int, key: tuple[str | int, ...]) -> str:
    """Return the one task in which the number sequence ``key`` may be posed outside pretraining."""
    return ("gsm8k", "math500", "aime24")[seed_for("world", seed, "owner", *key) % 3]


def _problem_row(problem: world.Problem) -> Row:
    """Return a problem as its benchmark's source gives it."""
    if problem.task == "gpqa":
        names = ("correct", "incorrect_1", "incorrect_2", "incorrect_3")
        answer = dict(zip(names, map(str, (problem.result, *problem.others)), strict=True))
    elif problem.task == "gsm8k":
        answer = {"answer": f"{problem.working}\n#### {problem.result}"}
    else:
        answer = {"answer": str(problem.result)}
    return _row({"problem": problem.text} | answer, problem.task, problem.meta())


def _row(texts: Row, category: str, meta: Row) -> Row:
    return texts | {"category": category, "meta": json.dumps(meta, sort_keys=True)}
