"""pass@1 and pass@k on one reasoning benchmark, by SkyThought's own task handlers (paper Sec. 5.1, App. B).

The handlers read the whole text, the think block included, and their known faults are kept, because the paper's numbers
have them (docs/scoring.md).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from thinksafe.evaluation.scorer import Scorer
from thinksafe.evaluation.well_formed import well_formed_counts
from thinksafe.files import Row
from thinksafe.intervals import clustered, pass_at_k
from thinksafe.models.responses import CLOSE, thinks, well_formed

COLUMNS: dict[str, type] = dict(id=str, draw=int, extracted=str, correct=bool, extracted_strict=str, strict=bool)
COLUMNS |= dict(failure=str, well_formed=bool, finish_reason=str)


def reasoning_score(
    answers: Sequence[Row],
    golds: Mapping[str, str | None],
    task: str,
    timeout_seconds: float,
    confidence: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Row, list[Row]]:
    """Return pass@1 in per cent over all samples, with pass@k, a strict score and counts, and one row per answer.

    Parameters
    ----------
    answers : rows with ``id``, ``draw``, ``response`` and ``finish_reason``; as many samples of every problem
    golds : the right answer of each problem
    task : whose answers are read (`score`)
    timeout_seconds : limit of one comparison; what takes longer is wrong, and counted in ``timeouts``
    """
    samples = _samples(answers, golds)
    rows = []
    with Scorer(timeout_seconds) as scorer:
        unmatched = unmatched_golds(scorer, task, golds)
        for place, row in enumerate(answers):
            progress(place, len(answers))
            loose = scorer.score(task, row["response"], golds[row["id"]])
            closed = row["response"] if thinks(row) else CLOSE + row["response"]  # where the answer begins
            strict = scorer.score(task, closed, golds[row["id"]], strict=True)
            rows.append(
                {**row, "well_formed": well_formed(row["response"], row["finish_reason"], thinks(row))}
                | {"extracted": loose["extracted"], "correct": loose["correct"]}
                | {"extracted_strict": strict["extracted"], "strict": strict["correct"]}
                | {"failure": loose["failure"] or strict["failure"]}
            )
    progress(len(answers), len(answers))
    right, strictly = Counter(), Counter()
    for row in rows:
        right[row["id"]] += row["correct"]
        strictly[row["id"]] += row["strict"]
    estimate, strict = (clustered(list(counts.values()), samples, confidence) for counts in (right, strictly))
    failures = Counter(row["failure"] for row in rows)
    score = {
        "kind": "reasoning",
        "task": task,
        **asdict(estimate),
        "count": sum(right.values()),
        "problems": len(right),
        "draws": samples,
        "pass_at": {
            str(k): 100 * sum(pass_at_k(samples, count, k) for count in right.values()) / len(right)
            for k in (1, 2, 4, 8)
            if k <= samples
        },
        "strict": {"value": strict.value, "low": strict.low, "high": strict.high, "count": sum(strictly.values())},
        "timeouts": failures["timeout"],
        "errors": failures["error"],
        "unmatched_golds": {name: len(missed) for name, missed in unmatched.items()},
        **well_formed_counts(answers, confidence),
    }
    return score, rows


def unmatched_golds(scorer: Scorer, task: str, golds: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the problems whose gold, given as the answer, each score calls wrong, and print which."""
    found: dict[str, list[str]] = {"skythought": [], "strict": []}
    for name, gold in golds.items():
        said = f"The final answer is {gold.rpartition('#### ')[2]}." if task == "gsm8k" else f"\\boxed{{{gold}}}"
        for kind, missed in found.items():
            if not scorer.score(task, f"<think>\n</think>\n\n{said}", gold, strict=kind == "strict")["correct"]:
                missed.append(name)
    for kind, missed in found.items():
        if missed:
            listed = ", ".join(missed[:5]) + (", ..." if len(missed) > 5 else "")
            print(f"{kind} score: {len(missed)} of {len(golds)} golds do not match themselves ({listed})")
    return found


def _samples(answers: Sequence[Row], golds: Mapping[str, str | None]) -> int:
    """Return how many samples each problem has; ValueError if that is not one number, or there are none."""
    if not answers or not golds:
        raise ValueError(f"{len(answers)} responses to {len(golds)} problems: nothing to score")
    draws: dict[str, list[int]] = {name: [] for name in golds}
    for row in answers:
        if row["id"] not in draws:
            raise ValueError(f"a response to {row['id']!r}, which is no problem of this benchmark")
        draws[row["id"]].append(row["draw"])
    samples = len(answers) // len(golds)
    if wrong := [name for name, found in draws.items() if sorted(found) != list(range(samples))]:
        raise ValueError(
            f"{len(answers)} responses to {len(golds)} problems: {len(wrong)} problems do not have draws 0 to "
            f"{samples - 1} once each, such as {sorted(wrong)[:3]}"
        )
    if None in golds.values():
        raise ValueError(f"{list(golds.values()).count(None)} problems have no answer to compare with")
    return samples
