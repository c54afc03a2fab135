"""Score a student's answers to one reasoning benchmark by SkyThought's own functions (paper Sec. 5.1, App. B)."""

from collections.abc import Callable, Sequence

from thinksafe.evaluation.reasoning import COLUMNS, reasoning_score
from thinksafe.files import read_rows, write_json, write_rows
from thinksafe.jobs.start import start


def score_reasoning(
    answers: Sequence[str],
    prompts: str,
    task: str,
    timeout_seconds: float,
    confidence: float,
    score: str,
    rows: str,
    progress: Callable[[int, int], None],
) -> None:
    """Write the score (`reasoning_score`) and one row per answer."""
    golds = {row["id"]: row["answer"] for row in read_rows(prompts)}
    found, scored = reasoning_score(read_rows(answers), golds, task, timeout_seconds, confidence, progress)
    write_rows(rows, scored, COLUMNS)
    write_json(score, found)


if __name__ == "__main__":
    start(snakemake, __file__)
