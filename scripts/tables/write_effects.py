"""Does steering help, does training on it help, and what does it cost: paired on the same prompts (paper Sec. 4, 5).

The paper compares numbers without spread. Here each claim is a difference between two arms on the same prompts, with
an interval, and a verdict that may also be that there are too few samples.
"""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from thinksafe.analysis.pairing import Outcomes, by_seed, known, means, over_seeds, seeds_of
from thinksafe.analysis.scores import AVERAGES
from thinksafe.files import Row, read_rows
from thinksafe.intervals import Estimate, average, paired, ratio, seeded
from thinksafe.layout import RESPONSE_VERDICTS, SCORE, with_files
from thinksafe.reporting.tables import markdown, plain, printed, write_csv, write_markdown

COLUMNS = [
    *("student", "method", "metric", "value", "low", "high", "n"),
    *("question", "against", "before", "after", "left_out", "verdict"),
]
HELPS, FAILS, UNCLEAR = "helps", "does not help", "too few samples to tell"
KEEPS, COSTS = "keeps", "costs"
QUESTIONS = {
    "steering": "Does steering make the student's own responses to harmful prompts safer?",
    "training": "Does training make the student's answers safer, and what does it cost?",
    "ratio": "Which share of ThinkSafe's gain does rejection sampling reach?",
}


def write_effects(
    steered: Sequence[str],
    direct: Sequence[str],
    rows: Sequence[str],
    spec: Row,
    csv: str,
    md: str,
) -> None:
    """Write every effect as a tidy row: change in points (new minus old), interval, verdict.

    Prompts whose outcome is unknown in either arm are left out of a difference and counted in ``left_out``.

    Parameters
    ----------
    steered, direct : paths of the verdicts on the responses to the same harmful training prompts, in shards
    rows : paths of the rows per item (`score_safety`, `score_reasoning`), those of the method ``initial`` among them
    spec : dict
        ``pairs`` (``student``, ``replicate`` of the verdicts), ``cells`` (``student``, ``method``, ``replicate``,
        ``benchmark`` of each of the ``rows``), ``students`` and ``methods`` as pairs of id and label, ``benchmarks``
        as dicts of ``id``, ``label``, ``kind``, ``confidence``, and ``min_effect``, the change in points that matters.
    """
    confidence, least = spec["confidence"], spec["min_effect"]
    steering = with_files(spec["pairs"], steered, RESPONSE_VERDICTS, "steered", many=True)
    steering = with_files(steering, direct, RESPONSE_VERDICTS, "direct", many=True)
    arms = seeds_of(with_files(spec["cells"], rows, SCORE), spec)
    effects = []
    for student, _ in spec["students"]:
        effects += _steering([entry for entry in steering if entry["student"] == student], student, confidence, least)
        methods = [method for method, _ in spec["methods"] if method != "initial" and (student, method) in arms]
        for method in methods if (student, "initial") in arms else ():
            effects += _training(arms[student, "initial"], arms[student, method], spec, student, method, "initial")
        if {"thinksafe", "rejection"} <= set(methods):
            old, new = arms[student, "rejection"], arms[student, "thinksafe"]
            effects += _training(old, new, spec, student, "thinksafe", "rejection")
            if (student, "initial") in arms:
                three = [arms[student, method] for method in ("initial", "rejection", "thinksafe")]
                effects += _ratios(*three, student, spec)
    write_csv(csv, COLUMNS, effects)
    _write_markdown(md, effects, spec)


def verdict(change: Estimate, least: float, kind: str) -> str:
    """Return what a change in points means, ``least`` being the smallest that matters.

    ``harm`` (a drop is wanted): ``helps`` if the interval excludes 0 and the drop is at least ``least``; ``does not
    help`` if the interval excludes a drop of ``least``. ``refusal`` and ``reasoning`` (nothing should be lost):
    ``keeps`` if the interval excludes a loss of ``least``; ``costs`` if it excludes 0 and the loss is at least
    ``least``. Else there are too few samples to tell.
    """
    worse = -1 if kind == "reasoning" else 1
    loss, most, fewest = worse * change.value, worse * change.high, worse * change.low
    fewest, most = min(fewest, most), max(fewest, most)
    if kind == "harm":
        return HELPS if most < 0 and -loss >= least else FAILS if -fewest < least else UNCLEAR
    return KEEPS if most < least else COSTS if fewest > 0 and loss >= least else UNCLEAR


def _steering(entries: Sequence[Row], student: str, confidence: float, least: float) -> list[Row]:
    """Return the effect of steering on one student's responses to harmful training prompts."""
    arms: dict[str, list[Outcomes]] = {"direct": [], "steered": []}
    for entry in entries:
        for arm, replicates in arms.items():
            found = defaultdict(list)
            for row in read_rows(entry[arm]):
                found[row["id"]].append({"unsafe": True, "safe": False}.get(row["harm"]))
            replicates.append(means(found))
    if not entries:
        return []
    row = _change([(arms["direct"], arms["steered"])], confidence, least, "harm")
    names = {"method": "thinksafe", "metric": "unsafe_training_responses", "against": "direct", "question": "steering"}
    return [{"student": student, **names, **row}]


def _training(
    old: dict[str, list[Outcomes]], new: dict[str, list[Outcomes]], spec: Row, student: str, method: str, against: str
) -> list[Row]:
    """Return the effects of one method against another on every benchmark and average, by guard and audit guards."""
    kinds = {benchmark["id"]: benchmark["kind"] for benchmark in spec["benchmarks"]}
    both = [metric for metric in old if metric in new]
    groups: dict[str, list[str]] = {}
    for variant in dict.fromkeys(metric.partition(":")[2] for metric in both):
        tail = f":{variant}" if variant else ""
        for name in ("harm_avg3", "reasoning_avg"):
            if all(column + tail in both for column in AVERAGES[name]):
                groups[name + tail] = [column + tail for column in AVERAGES[name]]
    groups |= {metric: [metric] for metric in both}
    rows = []
    for metric, members in groups.items():
        kind = kinds[members[0].partition(":")[0]]
        row = _change([(old[name], new[name]) for name in members], spec["confidence"], spec["min_effect"], kind)
        names = {"student": student, "method": method, "metric": metric, "against": against, "question": "training"}
        rows.append({**names, **row})
    return rows


def _change(
    pairs: Sequence[tuple[Sequence[Outcomes], Sequence[Outcomes]]], confidence: float, least: float, kind: str
) -> Row:
    """Return the plain mean over benchmarks of paired changes, with before and after on the same prompts.

    Each side of a pair has the outcomes of every replicate.
    """
    changes, before, after, left_out = [], [], [], 0
    for old, new in ((over_seeds(one), over_seeds(other)) for one, other in pairs):
        names = known(old, new)
        left_out += len({*old, *new}) - len(names)
        if names:
            changes.append(paired([old[name] for name in names], [new[name] for name in names], confidence))
            before.append(100 * fmean(old[name] for name in names))
            after.append(100 * fmean(new[name] for name in names))
    if len(changes) < len(pairs):
        return {"n": 0, "left_out": left_out, "verdict": UNCLEAR}
    change = seeded(average(changes), [by_seed(new, old) for old, new in pairs], confidence)
    return {
        **{"value": change.value, "low": change.low, "high": change.high, "n": change.n},
        **{"before": fmean(before), "after": fmean(after), "left_out": left_out},
        "verdict": verdict(change, least, kind),
    }


def _ratios(
    initial: dict[str, list[Outcomes]],
    rejection: dict[str, list[Outcomes]],
    thinksafe: dict[str, list[Outcomes]],
    student: str,
    spec: Row,
) -> list[Row]:
    """Return rejection sampling's drop in harm as a share of ThinkSafe's, in per cent; no bounds where unbounded."""
    rows = []
    variants = dict.fromkeys(metric.partition(":")[2] for metric in initial)
    for tail in [f":{variant}" if variant else "" for variant in variants]:
        members = [column + tail for column in AVERAGES["harm_avg3"]]
        if not all(member in arm for member in members for arm in (initial, rejection, thinksafe)):
            continue
        three = [{member: over_seeds(arm[member]) for member in members} for arm in (initial, rejection, thinksafe)]
        shared = {member: known(*(arm[member] for arm in three)) for member in members}
        if not all(shared.values()):
            continue
        gains = [
            [[three[0][member][name] - arm[member][name] for name in shared[member]] for member in members]
            for arm in three[1:]
        ]
        moved = [[by_seed(initial[m], arm[m]) for m in members] for arm in (rejection, thinksafe)]
        bounds = ratio(*gains, spec["confidence"], seeds=moved)
        found = [None if bound is None else 100 * bound for bound in bounds]
        rows.append(
            {
                **{"student": student, "method": "rejection", "metric": f"gain_ratio{tail}", "against": "thinksafe"},
                **dict(zip(("value", "low", "high"), found, strict=True)),
                "n": sum(map(len, shared.values())),
                "left_out": sum(len(three[0][member]) - len(names) for member, names in shared.items()),
                "question": "ratio",
            }
        )
    return rows


def _named(metric: str) -> str:
    """Return a metric in words; one that is a benchmark stays as it is."""
    name, _, judge = metric.partition(":")
    words = {
        "unsafe_training_responses": "Unsafe training responses",
        "harm_avg3": "Average harmfulness",
        "reasoning_avg": "Reasoning average",
        "gain_ratio": "Share of the gain in safety",
        "xstest": "XSTest, refused",
    }
    return words.get(name, name) + (f" (by {judge})" if judge else "")


def _write_markdown(path: str, rows: Sequence[Row], spec: Row) -> None:
    """Write the effects for reading, a table per question: averages only, or single benchmarks where there are none."""
    labels = {name: plain(label) for name, label in (*spec["students"], *spec["methods"], ("direct", "no steering"))}
    averaged = any(row["metric"].startswith("harm_avg3") for row in rows)
    shown = ("unsafe_training_responses", "harm_avg3", "reasoning_avg", "gain_ratio", "xstest")
    blocks = []
    for question, title in QUESTIONS.items():
        lines = []
        for row in [row for row in rows if row["question"] == question]:
            if averaged and row["metric"].partition(":")[0] not in shown:
                continue
            method = "Steering" if question == "steering" else labels.get(row["method"], row["method"])
            arms = f"{method} against {labels.get(row['against'], row['against'])}"
            numbers = ["–" if row.get(name) is None else printed(row[name]) for name in ("before", "after", "value")]
            bounds = "–" if row.get("low") is None else f"{printed(row['low'])} to {printed(row['high'])}"
            lines.append(
                [labels[row["student"]], arms, _named(row["metric"]), *numbers, bounds, row.get("verdict") or "–"]
            )
        if lines:
            header = ["Student", "Comparison", "Metric", "Before", "After", "Change", "Interval", "Verdict"]
            if question == "ratio":
                header[5] = "Share, %"
            blocks += [f"**{title}**", markdown(header, lines, left=3)]
    blocks.append(
        f"Per cent and points, paired on the same prompts; {100 * spec['confidence']:g} % intervals. A change of "
        f"{spec['min_effect']:g} points matters. A share has no interval where ThinkSafe's own gain is not clear."
    )
    write_markdown(path, blocks)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
