"""Score a student's answers to one safety benchmark: harmful responses, or refusals (paper Sec. 5.1, Tables 1, 2)."""

from collections import defaultdict
from collections.abc import Sequence

from thinksafe.evaluation.safety import COLUMNS, safety_score
from thinksafe.files import read_rows, write_json, write_rows
from thinksafe.jobs.start import start
from thinksafe.layout import ANSWER_VERDICTS


def score_safety(
    answers: Sequence[str],
    verdicts: Sequence[str],
    audits: Sequence[str],
    kind: str,
    confidence: float,
    score: str,
    rows: str,
) -> None:
    """Write the score (`safety_score`) and one row per response.

    ``audits`` are the shards of further guards' verdicts on the same answers, each in its guard's folder.
    """
    answered = read_rows(answers)
    if not answered:
        raise ValueError(f"no responses in {', '.join(answers)}")
    by_guard = defaultdict(list)
    for path in audits:
        by_guard[ANSWER_VERDICTS.parse(path)["guard"]] += read_rows(path)
    found, scored = safety_score(answered, read_rows(verdicts), by_guard, kind, confidence)
    write_rows(rows, scored, COLUMNS | {f"outcome:{guard}": bool for guard in sorted(by_guard)})
    write_json(score, found)


if __name__ == "__main__":
    start(snakemake, __file__)
