"""Does steering help, does training on it help, and what does it cost: paired on the same prompts (paper Sec. 4, 5)."""

from collections.abc import Sequence

from thinksafe.analysis.effects import effect, gain_ratios, training_effects
from thinksafe.analysis.pairing import read_arms, read_verdicts
from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.layout import RESPONSE_VERDICTS, SCORE, with_files
from thinksafe.reporting.tables import format_value, markdown, plain, write_csv, write_markdown

COLUMNS = [
    *("student", "method", "metric", "value", "low", "high", "n"),
    *("question", "against", "before", "after", "left_out", "verdict"),
]
QUESTIONS = {
    "steering": "Does steering make the student's own responses to harmful prompts safer?",
    "training": "Does training make the student's answers safer, and what does it cost?",
    "ratio": "Which share of ThinkSafe's gain does rejection sampling reach?",
}
METRICS = {
    "unsafe_training_responses": "Unsafe training responses",
    "harm_avg3": "Average harmfulness",
    "reasoning_avg": "Reasoning average",
    "gain_ratio": "Share of the gain in safety",
    "xstest": "XSTest, refused",
}


def write_effects(
    steered: Sequence[str], direct: Sequence[str], rows: Sequence[str], spec: Row, csv: str, md: str
) -> None:
    """Write every effect as a tidy row: change in points (new minus old), interval, verdict.

    Prompts whose outcome is unknown in either arm are left out of a difference and counted in ``left_out``.

    Parameters
    ----------
    steered, direct : paths of the verdicts on the responses to the same harmful training prompts, in shards
    rows : paths of the rows per item (`score_safety`, `score_reasoning`), those of the method ``initial`` included
    spec : dict
        ``pairs`` (``student``, ``replicate`` of the verdicts), ``cells`` (``student``, ``method``, ``replicate``,
        ``benchmark`` of each of the ``rows``), ``students`` and ``methods`` as pairs of id and label, ``benchmarks``
        as dicts of ``id``, ``label``, ``kind``, ``confidence``, and ``min_effect``, the change in points that matters.
    """
    entries = with_files(spec["pairs"], steered, RESPONSE_VERDICTS, "steered", many=True)
    entries = with_files(entries, direct, RESPONSE_VERDICTS, "direct", many=True)
    arms = read_arms(with_files(spec["cells"], rows, SCORE), spec)
    effects: list[Row] = []

    def add(student: str, method: str, against: str, question: str, row: Row) -> None:
        effects.append(dict(student=student, method=method, against=against, question=question) | row)

    for student, _ in spec["students"]:
        own = [entry for entry in entries if entry["student"] == student]
        if own:
            sides = [[read_verdicts(entry[arm]) for entry in own] for arm in ("direct", "steered")]
            row = {"metric": "unsafe_training_responses"} | effect([sides], "harm", spec)
            add(student, "thinksafe", "direct", "steering", row)
        methods = [method for method, _ in spec["methods"] if method != "initial" and (student, method) in arms]
        pairs = [("initial", method) for method in methods if (student, "initial") in arms]
        if {"thinksafe", "rejection"} <= set(methods):
            pairs.append(("rejection", "thinksafe"))
        for against, method in pairs:
            for row in training_effects(arms[student, against], arms[student, method], spec):
                add(student, method, against, "training", row)
        if {("initial", "rejection"), ("rejection", "thinksafe")} <= set(pairs):
            three = [arms[student, method] for method in ("initial", "rejection", "thinksafe")]
            for row in gain_ratios(*three, spec["confidence"]):
                add(student, "rejection", "thinksafe", "ratio", row)
    write_csv(csv, COLUMNS, effects)
    write_markdown(md, _blocks(effects, spec))


def _blocks(rows: Sequence[Row], spec: Row) -> list[str]:
    """Return a table per question, of averages only, or of single benchmarks where there are no averages."""
    labels = {name: plain(label) for name, label in (*spec["students"], *spec["methods"], ("direct", "no steering"))}
    averaged = any(row["metric"].startswith("harm_avg3") for row in rows)
    blocks = []
    for question, title in QUESTIONS.items():
        lines = []
        for row in [row for row in rows if row["question"] == question]:
            metric, _, guard = row["metric"].partition(":")
            if averaged and metric not in METRICS:
                continue
            method = "Steering" if question == "steering" else labels.get(row["method"], row["method"])
            arms = f"{method} against {labels.get(row['against'], row['against'])}"
            name = METRICS.get(metric, metric) + (f" (by {guard})" if guard else "")
            numbers = [format_value(row.get(key)) for key in ("before", "after", "value")]
            bounds = "–" if row.get("low") is None else f"{format_value(row['low'])} to {format_value(row['high'])}"
            lines.append([labels[row["student"]], arms, name, *numbers, bounds, row.get("verdict") or "–"])
        if lines:
            change = "Share, %" if question == "ratio" else "Change"
            header = ["Student", "Comparison", "Metric", "Before", "After", change, "Interval", "Verdict"]
            blocks += [f"**{title}**", markdown(header, lines, left=3)]
    blocks.append(
        f"Per cent and points, paired on the same prompts; {100 * spec['confidence']:g} % intervals. A change of "
        f"{spec['min_effect']:g} points matters. A share has no interval where ThinkSafe's own gain is not clear."
    )
    return blocks


if __name__ == "__main__":
    start(snakemake, __file__)
