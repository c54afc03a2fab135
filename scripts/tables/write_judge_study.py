"""Verdicts of other guards and views on the same answers (paper Sec. 5.1, D.4).

The paper's harmful ratios are one guard's verdicts on reasoning and answer together. Here stored answers are judged
again, and nothing is sampled.
"""

from collections.abc import Mapping, Sequence

from thinksafe.analysis.judge_study import AVERAGE, agreements, fractions, rankings, read_verdict_table, thresholds
from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.layout import ANSWER_VERDICTS, VIEW_VERDICTS, with_files
from thinksafe.reporting.tables import format_value, markdown, plain, write_csv, write_markdown

COLUMNS = [
    *("part", "student", "method", "benchmark", "judge", "other", "threshold", "value", "low", "high", "n"),
    *("unknown", "kappa", "kappa_low", "kappa_high", "only_judge", "only_other"),
    *("tau", "pairs", "swapped", "clearly_swapped", "best"),
]


def write_judge_study(verdicts: Sequence[str], spec: Row, csv: str, md: str) -> None:
    """Write the study as tidy rows, of which ``part`` is share, agreement, threshold or ranking.

    Unknown verdicts (a response without an answer has none in the answer view) stay in the denominator of a fraction,
    count below every threshold, and are left out of agreements and comparisons. Replicates are further samples, and the
    variance between their seeds is in the interval of a fraction or comparison.

    Parameters
    ----------
    spec : dict
        ``cells`` (``student``, ``method``, ``replicate``, ``benchmark``); ``judges`` as pairs of guard and view, the
        one of the tables first; ``own_views``, the view of each guard in the tables; ``students`` and ``methods`` as
        pairs of id and label; ``benchmarks`` (ids) and ``confidence``.
    """
    judges = [f"{guard}:{view}" for guard, view in spec["judges"]]
    table = read_verdict_table(_entries(verdicts, spec))
    parts = {
        "share": (shares := list(fractions(table, spec))),
        "agreement": list(agreements(table, judges, spec["confidence"])),
        "threshold": list(thresholds(table, spec)),
        "ranking": list(rankings(table, shares, spec)),
    }
    write_csv(csv, COLUMNS, [row for rows in parts.values() for row in rows])
    write_markdown(md, _blocks(parts, judges, spec))


def _entries(verdicts: Sequence[str], spec: Row) -> list[Row]:
    """Return each cell with each judge and the ``paths`` of its verdicts."""
    judged = [{**cell, "guard": guard, "view": view} for cell in spec["cells"] for guard, view in spec["judges"]]
    found = []
    # The path of verdicts names a guard's view, except the one that it has in the tables.
    for pattern, of_tables in ((ANSWER_VERDICTS, True), (VIEW_VERDICTS, False)):
        entries = [entry for entry in judged if (entry["view"] == spec["own_views"][entry["guard"]]) == of_tables]
        found += with_files(entries, filter(pattern.parse, verdicts), pattern, "paths", many=True)
    return found


def _blocks(parts: Mapping[str, Sequence[Row]], judges: Sequence[str], spec: Row) -> list[str]:
    """Return the blocks of the study for reading."""
    labels = {name: plain(label) for name, label in (*spec["students"], *spec["methods"])}
    titles = [judge.replace(":", ", ") for judge in judges]
    compared = [row for row in parts["ranking"] if row["judge"] != judges[0]]
    verdict = (
        f"Of {sum(row['pairs'] for row in compared)} comparisons of two methods by another judge, "
        f"{sum(row['clearly_swapped'] for row in compared)} come out clearly the other way (both paired "
        f"intervals exclude 0); {sum(row['swapped'] for row in compared)} change sign at all."
        if parts["ranking"]
        else "There are no two methods to rank."
    )
    orders = [
        [labels[row["student"]], row["judge"].replace(":", ", "), labels[row["best"]], format_value(row["tau"])]
        + [str(row[name]) for name in ("pairs", "swapped", "clearly_swapped")]
        for row in compared
    ]
    return [
        "# Judge study",
        f"Other judges on the same answers; nothing was sampled again. The tables go by {titles[0]}. `full` shows a "
        "guard reasoning and answer, `answer` the answer alone.",
        verdict,
        "## Share called unsafe, % (average over the harm benchmarks; lower is better)",
        markdown(["Student", "Method", *titles], _share_lines(parts["share"], judges, labels)),
        "## Agreement of each two judges, % (Cohen's kappa)",
        markdown(["", *titles], _agreement_lines(parts["agreement"], judges, titles), left=1),
        "## Order of the methods, against that of the tables",
        markdown(["Student", "Judge", "Safest", "Kendall's tau", "Pairs", "Changed sign", "Clearly"], orders, left=3),
        "Intervals, single benchmarks, unknown verdicts and shares by threshold are in the CSV file of the same name.",
    ]


def _share_lines(shares: Sequence[Row], judges: Sequence[str], labels: Mapping[str, str]) -> list[list[str]]:
    found = {(row["student"], row["method"], row["judge"]): row for row in shares if row["benchmark"] == AVERAGE}
    lines = []
    for student, method in dict.fromkeys((row["student"], row["method"]) for row in shares):
        numbers = [
            [format_value(found[student, method, judge][key]) for key in ("value", "low", "high")] for judge in judges
        ]
        lines.append([labels[student], labels[method], *[f"{value} ({low}–{high})" for value, low, high in numbers]])
    return lines


def _agreement_lines(rows: Sequence[Row], judges: Sequence[str], titles: Sequence[str]) -> list[list[str]]:
    found = {(row["judge"], row["other"]): row for row in rows if row["n"]}
    found |= {(other, one): row for (one, other), row in found.items()}
    texts = {pair: f"{format_value(row['value'])} ({format_value(row['kappa'])})" for pair, row in found.items()}
    return [
        [title, *[texts.get((one, other), "–") for other in judges]] for one, title in zip(judges, titles, strict=True)
    ]


if __name__ == "__main__":
    start(snakemake, __file__)
