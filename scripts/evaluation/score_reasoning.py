"""pass@1 and pass@k on one reasoning benchmark, by SkyThought's own functions (paper Sec. 5.1, App. B)."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from thinksafe.evaluation.reasoning import Scorer
from thinksafe.evaluation.well_formed import health
from thinksafe.files import read_rows, write_json, write_rows
from thinksafe.intervals import clustered, pass_at_k
from thinksafe.models.responses import well_formed

COLUMNS: dict[str, type] = {
    "id": str,
    "draw": int,
    "extracted": str,
    "correct": bool,
    "extracted_strict": str,
    "strict": bool,
    "failure": str,
    "well_formed": bool,
    "finish_reason": str,
}


def score_reasoning(
    answers: Sequence[str],
    prompts: str,
    task: str,
    timeout_seconds: float,
    confidence: float,
    score: str,
    rows: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Write and return pass@1 in per cent over all samples, with pass@k, a strict score and counts beside it.

    Parameters
    ----------
    answers : sequence of paths
        The shards of the sampled answers: the same number of draws for every problem.
    prompts : path
        The benchmark's rows, with ``id`` and the gold ``answer``.
    task : str
        Whose answers are read (thinksafe.evaluation.reasoning).
    timeout_seconds : float
        Limit of one comparison; what takes longer is wrong, and counted in ``timeouts``.
    score, rows : paths
        The score (JSON), and one row per answer (Parquet).

    Raises
    ------
    ValueError
        If there are no responses, or not the same draws of every problem.
    """
    answered = read_rows(answers)
    golds = {row["id"]: row["answer"] for row in read_rows(prompts)}
    draws = _draws(answered, golds)
    scored = _compare(answered, golds, task, timeout_seconds, progress)
    right: dict[str, int] = defaultdict(int)
    strictly: dict[str, int] = defaultdict(int)
    for row in scored:
        right[row["id"]] += row["correct"]
        strictly[row["id"]] += row["strict"]
    estimate, strict = (
        clustered(list(right.values()), draws, confidence),
        clustered(list(strictly.values()), draws, confidence),
    )
    failures = [row["failure"] for row in scored]
    found = {
        "kind": "reasoning",
        "task": task,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": len(scored),
        "count": sum(right.values()),
        "problems": len(right),
        "draws": draws,
        "pass_at": {
            str(k): 100 * sum(pass_at_k(draws, count, k) for count in right.values()) / len(right)
            for k in (1, 2, 4, 8)
            if k <= draws
        },
        "strict": {"value": strict.value, "low": strict.low, "high": strict.high, "count": sum(strictly.values())},
        "timeouts": failures.count("timeout"),
        "errors": failures.count("error"),
        **health(answered, confidence),
    }
    write_rows(rows, scored, COLUMNS)
    write_json(score, found)
    return found


def _compare(
    answered: Sequence[dict[str, Any]],
    golds: dict[str, str],
    task: str,
    seconds: float,
    progress: Callable[[int, int], None],
) -> list[dict[str, Any]]:
    """Return one row per response, scored both ways."""
    rows = []
    with Scorer(seconds) as scorer:
        for place, row in enumerate(answered):
            progress(place, len(answered))
            loose = scorer.score(task, row["response"], golds[row["id"]])
            strict = scorer.score(task, row["response"], golds[row["id"]], strict=True)
            rows.append(
                {
                    "id": row["id"],
                    "draw": row["draw"],
                    "extracted": loose["extracted"],
                    "correct": loose["correct"],
                    "extracted_strict": strict["extracted"],
                    "strict": strict["correct"],
                    "failure": loose["failure"] or strict["failure"],
                    "well_formed": well_formed(row["response"], row["finish_reason"]),
                    "finish_reason": row["finish_reason"],
                }
            )
    progress(len(answered), len(answered))
    return rows


def _draws(answered: Sequence[dict[str, Any]], golds: dict[str, str | None]) -> int:
    """Return how many samples each problem has, having checked that it is one number."""
    if not answered or not golds:
        raise ValueError(f"{len(answered)} responses to {len(golds)} problems: nothing to score")
    found: dict[str, set[int]] = {name: set() for name in golds}
    for row in answered:
        if row["id"] not in found:
            raise ValueError(f"a response to {row['id']!r}, which is no problem of this benchmark")
        found[row["id"]].add(row["draw"])
    draws = len(answered) // len(golds)
    wrong = [name for name, taken in found.items() if taken != set(range(draws))]
    if wrong or len(answered) != draws * len(golds):
        raise ValueError(
            f"{len(answered)} responses to {len(golds)} problems: {len(wrong)} problems do not have draws 0 to "
            f"{draws - 1} once each, such as {sorted(wrong)[:3]}"
        )
    if None in golds.values():
        raise ValueError(f"{list(golds.values()).count(None)} problems have no answer to compare with")
    return draws


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
