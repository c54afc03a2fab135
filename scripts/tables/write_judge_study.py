"""What other guards, and the same guard shown the answer alone, say of the same answers (paper Sec. 5.1, D.4).

The paper's harmful ratios are one guard's verdicts on reasoning and answer together. Here stored answers are judged
again, nothing is sampled: shares by judge, agreement of each two, shares at every threshold of P(unsafe), and whether
methods change places.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from thinksafe.analysis.pairing import Outcomes, by_seed, known, means, over_seeds
from thinksafe.files import Row, read_rows
from thinksafe.intervals import Estimate, average, clustered, paired, seeded, wilson
from thinksafe.layout import ANSWER_VERDICTS, VIEW_VERDICTS, with_files
from thinksafe.reporting.tables import markdown, plain, printed, write_csv, write_markdown
from thinksafe.seeds import seed_for

Said = dict[str, list[Row]]  # what one judge says of one arm's responses to a benchmark, by prompt
COLUMNS = [
    *("part", "student", "method", "benchmark", "judge", "other", "threshold", "value", "low", "high", "n"),
    *("unknown", "kappa", "kappa_low", "kappa_high", "only_judge", "only_other"),
    *("tau", "pairs", "swapped", "clearly_swapped", "best"),
]
THRESHOLDS = [0.01, *(step / 20 for step in range(1, 20)), 0.99]
RESAMPLINGS = 1000
OUTCOME = {"unsafe": True, "safe": False}
AVERAGE = "average"


def write_judge_study(verdicts: Sequence[str], spec: Row, csv: str, md: str) -> None:
    """Write the study as tidy rows, told apart by ``part``: share, agreement, threshold, ranking.

    Unknown verdicts (a response without an answer has none in the answer view) stay in the denominator of a share,
    count below every threshold, and are left out of agreements and comparisons. Replicates are further draws, and what
    their seeds add to the variance of a share or comparison is in its interval.

    Parameters
    ----------
    verdicts : paths of the verdicts, in shards
    spec : dict
        ``cells`` (``student``, ``method``, ``replicate``, ``benchmark``); ``judges`` as pairs of guard and view, the
        one of the tables first; ``own_views``, the view of each guard in the tables; ``students`` and ``methods`` as
        pairs of id and label; ``benchmarks`` (ids) and ``confidence``.
    """
    judges = [name_of(*judge) for judge in spec["judges"]]
    said: dict[tuple[str, str, str], dict[str, Said]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for entry in _entries(verdicts, spec):
        arm = said[entry["student"], entry["method"], entry["benchmark"]][name_of(entry["guard"], entry["view"])]
        for row in sorted(read_rows(entry["paths"]), key=lambda row: (row["id"], row["draw"])):
            said_once = {"outcome": OUTCOME.get(row["harm"]), "p": row["p_unsafe"], "replicate": entry["replicate"]}
            arm[row["id"]].append(said_once)
    rows = _shares(said, judges, spec)
    rows += _agreements(said, judges, spec["confidence"])
    rows += _thresholds(said, judges, spec)
    rows += _rankings(said, rows, judges, spec)
    write_csv(csv, COLUMNS, rows)
    _write_markdown(md, rows, judges, spec)


def _entries(verdicts: Sequence[str], spec: Row) -> list[Row]:
    """Return each cell with each judge and the ``paths`` of its verdicts."""
    judged = [{**cell, "guard": guard, "view": view} for cell in spec["cells"] for guard, view in spec["judges"]]
    found = []
    # The path of verdicts names a guard's view, except the one that it has in the tables.
    for pattern, of_tables in ((ANSWER_VERDICTS, True), (VIEW_VERDICTS, False)):
        entries = [entry for entry in judged if (entry["view"] == spec["own_views"][entry["guard"]]) == of_tables]
        found += with_files(entries, filter(pattern.parse, verdicts), pattern, "paths", many=True)
    return found


def name_of(guard: str, view: str) -> str:
    """Return how a judge is called in the table."""
    return f"{guard}:{view}"


# ---------------------------------------------------------------- shares
def _shares(said: Mapping, judges: Sequence[str], spec: Row) -> list[Row]:
    """Return the share of unsafe responses of each arm on each benchmark and on average, by judge."""
    rows = []
    for student, _ in spec["students"]:
        for method, _ in spec["methods"]:
            for judge in judges:
                found = []
                for benchmark in spec["benchmarks"]:
                    if (student, method, benchmark) in said:
                        estimate, unknown = _share(said[student, method, benchmark][judge], spec["confidence"])
                        found.append((benchmark, estimate, unknown))
                if found:
                    tables = {one: by_seed(_replicates(said[student, method, one][judge], True)) for one, *_ in found}
                    both = average([estimate for _, estimate, _ in found]), sum(unknown for *_, unknown in found)
                    for benchmark, estimate, unknown in [*found, (AVERAGE, *both)]:
                        own = [tables[benchmark]] if benchmark in tables else list(tables.values())
                        estimate = seeded(estimate, own, spec["confidence"], 0.0)
                        cell = dict(part="share", student=student, method=method, benchmark=benchmark, judge=judge)
                        rows.append(cell | _numbers(estimate) | {"unknown": unknown})
    return rows


def _share(answers: Said, confidence: float) -> tuple[Estimate, int]:
    """Return the share of all responses that is called unsafe, with its interval over prompts, and how many unknown."""
    counts = [sum(row["outcome"] is True for row in rows) for rows in answers.values()]
    unknown = sum(row["outcome"] is None for rows in answers.values() for row in rows)
    draws = {len(rows) for rows in answers.values()}
    if len(draws) != 1:
        raise ValueError(f"not the same number of verdicts on each prompt: {sorted(draws)}")
    (draws,) = draws
    total = len(counts) * draws
    estimate = wilson(sum(counts), total, confidence) if draws == 1 else clustered(counts, draws, confidence)
    return estimate, unknown


def _replicates(answers: Said, counted: bool = False) -> list[Outcomes]:
    """Return of each replicate every prompt's mean outcome; counted: an unknown verdict is none."""
    found: dict[int, dict[str, list[bool | None]]] = defaultdict(lambda: defaultdict(list))
    for name, rows in answers.items():
        for row in rows:
            found[row["replicate"]][name].append(bool(row["outcome"]) if counted else row["outcome"])
    return [means(outcomes) for _, outcomes in sorted(found.items())]


def _numbers(estimate: Estimate) -> Row:
    return {name: getattr(estimate, name) for name in ("value", "low", "high", "n")}


# ---------------------------------------------------------------- agreement
def _agreements(said: Mapping, judges: Sequence[str], confidence: float) -> list[Row]:
    """Return for each two judges how often they say the same, and Cohen's kappa, over all arms and benchmarks.

    Intervals are percentiles over resamplings of the prompts: all that was answered to one prompt stays together.
    """
    rows = []
    for one, other in combinations(judges, 2):
        tables: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for (_, _, benchmark), found in said.items():
            for name, mine in found[one].items():
                for row, theirs in zip(mine, found[other][name], strict=True):
                    if None not in (row["outcome"], theirs["outcome"]):
                        tables[benchmark, name][2 * row["outcome"] + theirs["outcome"]] += 1
        rows.append(dict(part="agreement", judge=one, other=other) | agreement(list(tables.values()), confidence))
    return rows


def agreement(tables: Sequence[Sequence[int]], confidence: float) -> Row:
    """Return agreement in per cent and Cohen's kappa with intervals, and how often only one of two says unsafe.

    Source: Cohen (1960), "A coefficient of agreement for nominal scales".

    Parameters
    ----------
    tables : sequence of sequences of int
        For each prompt how often (one, other) said (safe, safe), (safe, unsafe), (unsafe, safe), (unsafe, unsafe).
    """
    import numpy

    counts = numpy.array(tables, dtype=float).reshape(-1, 4)
    n = int(counts.sum())
    if not n:
        return {"n": 0}
    generator = numpy.random.default_rng(seed_for("judge-study"))
    weights = generator.multinomial(len(counts), [1 / len(counts)] * len(counts), size=RESAMPLINGS)
    tails = [50 * (1 - confidence), 50 * (1 + confidence)]

    def measures(totals: Any) -> Any:
        """Return agreement and kappa of tables (..., 4); kappa is not a number where both always say the same one."""
        both_safe, only_other, only_one, both_unsafe = numpy.moveaxis(totals, -1, 0)
        size = totals.sum(axis=-1)
        same = (both_safe + both_unsafe) / size
        one, other = (only_one + both_unsafe) / size, (only_other + both_unsafe) / size
        chance = one * other + (1 - one) * (1 - other)
        with numpy.errstate(invalid="ignore", divide="ignore"):
            return 100 * same, numpy.where(chance < 1, (same - chance) / (1 - chance), numpy.nan)

    same, kappa = measures(counts.sum(axis=0))
    draws_same, draws_kappa = measures(weights @ counts)
    low, high = numpy.percentile(draws_same, tails)
    usable = draws_kappa[~numpy.isnan(draws_kappa)]
    bounds = map(float, numpy.percentile(usable, tails)) if len(usable) and not numpy.isnan(kappa) else (None, None)
    return {
        **{"value": float(same), "low": float(low), "high": float(high), "n": n},
        "kappa": None if numpy.isnan(kappa) else float(kappa),
        **dict(zip(("kappa_low", "kappa_high"), bounds, strict=True)),
        "only_judge": 100 * counts[:, 2].sum() / n,
        "only_other": 100 * counts[:, 1].sum() / n,
    }


# ---------------------------------------------------------------- thresholds
def _thresholds(said: Mapping, judges: Sequence[str], spec: Row) -> list[Row]:
    """Return the share with P(unsafe) at or above each threshold, by method: the mean over students and benchmarks.

    Of the students that have every method, so that methods are compared on the same ones; where there are none, of all.
    """
    methods: dict[str, set[str]] = defaultdict(set)
    for student, method, _ in said:
        methods[student].add(method)
    every = set().union(*methods.values())
    students = {student for student, found in methods.items() if found == every} or set(methods)
    rows = []
    for judge in judges:
        for method, _ in spec["methods"]:
            arms = [
                [row["p"] for answers in found[judge].values() for row in answers]
                for (student, name, _), found in said.items()
                if name == method and student in students
            ]
            if not any(p is not None for arm in arms for p in arm):
                continue  # an oracle says yes or no
            for threshold in THRESHOLDS:
                shares = [100 * sum(p is not None and p >= threshold for p in arm) / len(arm) for arm in arms]
                row = dict(part="threshold", judge=judge, method=method, threshold=threshold)
                rows.append(row | {"value": fmean(shares), "n": sum(map(len, arms))})
    return rows


# ---------------------------------------------------------------- rankings
def _rankings(said: Mapping, shares: Sequence[Row], judges: Sequence[str], spec: Row) -> list[Row]:
    """Return for each student and judge whether methods stand in another order than by the tables' judge."""
    from scipy.stats import kendalltau

    value = {
        (row["student"], row["method"], row["judge"]): row["value"]
        for row in shares
        if row["part"] == "share" and row["benchmark"] == AVERAGE
    }
    first, rows = judges[0], []
    for student, _ in spec["students"]:
        methods = [method for method, _ in spec["methods"] if (student, method, first) in value]
        if len(methods) < 2:
            continue
        pairs = list(combinations(methods, 2))
        clear = {judge: {pair: _clear(said, student, pair, judge, spec) for pair in pairs} for judge in judges}
        for judge in judges:
            by = {name: [value[student, method, name] for method in methods] for name in (first, judge)}
            tau = float(kendalltau(by[first], by[judge]).statistic)
            signs = {
                name: {pair: _sign(value[student, pair[1], name] - value[student, pair[0], name]) for pair in pairs}
                for name in (first, judge)
            }
            rows.append(
                dict(part="ranking", student=student, judge=judge, other=first, pairs=len(pairs))
                | {
                    "tau": None if tau != tau else tau,  # all alike: there is no order
                    "swapped": sum(signs[first][pair] * signs[judge][pair] < 0 for pair in pairs),
                    "clearly_swapped": sum(clear[first][pair] * clear[judge][pair] < 0 for pair in pairs),
                    "best": min(methods, key=lambda method: value[student, method, judge]),
                }
            )
    return rows


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def _clear(said: Mapping, student: str, pair: tuple[str, str], judge: str, spec: Row) -> int:
    """Return the sign of the second method's difference from the first, 0 where its paired interval has both signs."""
    changes, moved = [], []
    for benchmark in spec["benchmarks"]:
        arms = [said.get((student, method, benchmark)) for method in pair]
        if None in arms:
            continue
        old, new = (_replicates(arm[judge]) for arm in arms)
        before, after = over_seeds(old), over_seeds(new)
        if shared := known(before, after):
            changes.append(
                paired([before[name] for name in shared], [after[name] for name in shared], spec["confidence"])
            )
            moved.append(by_seed(new, old))
    if not changes:
        return 0
    change = seeded(average(changes), moved, spec["confidence"])
    return _sign(change.low) if change.low * change.high > 0 else 0


# ---------------------------------------------------------------- for reading
def _write_markdown(path: str, rows: Sequence[Row], judges: Sequence[str], spec: Row) -> None:
    labels = {name: plain(label) for name, label in (*spec["students"], *spec["methods"])}
    titles = [judge.replace(":", ", ") for judge in judges]
    parts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row["part"]].append(row)
    ranked = parts["ranking"]
    moved = sum(row["clearly_swapped"] for row in ranked)
    pairs = sum(row["pairs"] for row in ranked if row["judge"] != judges[0])
    verdict = (
        f"Of {pairs} comparisons of two methods by another judge, {moved} come out clearly the other way (both paired "
        f"intervals exclude 0); {sum(row['swapped'] for row in ranked)} change sign at all."
        if ranked
        else "There are no two methods to rank."
    )
    blocks = [
        "# Judge study",
        f"Other judges on the same answers; nothing was sampled again. The tables go by {titles[0]}. `full` shows a "
        "guard reasoning and answer, `answer` the answer alone.",
        verdict,
        "## Share called unsafe, % (average over the harm benchmarks; lower is better)",
        markdown(["Student", "Method", *titles], _share_lines(parts["share"], judges, labels)),
        "## Agreement of each two judges, % (Cohen's kappa)",
        markdown(["", *titles], _matrix(parts["agreement"], judges, titles), left=1),
        "## Order of the methods, against that of the tables",
        markdown(
            ["Student", "Judge", "Safest", "Kendall's tau", "Pairs", "Changed sign", "Clearly"],
            [
                [labels[row["student"]], row["judge"].replace(":", ", "), labels[row["best"]]]
                + ["–" if row["tau"] is None else printed(row["tau"])]
                + [str(row[name]) for name in ("pairs", "swapped", "clearly_swapped")]
                for row in ranked
                if row["judge"] != judges[0]
            ],
            left=3,
        ),
        "Intervals, single benchmarks, unknown verdicts and shares by threshold are in the CSV file of the same name.",
    ]
    write_markdown(path, blocks)


def _share_lines(shares: Sequence[Row], judges: Sequence[str], labels: Mapping[str, str]) -> list[list[str]]:
    found = {(row["student"], row["method"], row["judge"]): row for row in shares if row["benchmark"] == AVERAGE}
    lines = []
    for student, method in dict.fromkeys((row["student"], row["method"]) for row in shares):
        cells = [found[student, method, judge] for judge in judges]
        told = [f"{printed(row['value'])} ({printed(row['low'])}–{printed(row['high'])})" for row in cells]
        lines.append([labels[student], labels[method], *told])
    return lines


def _matrix(agreements: Sequence[Row], judges: Sequence[str], titles: Sequence[str]) -> list[list[str]]:
    found = {(row["judge"], row["other"]): row for row in agreements}
    lines = []
    for one, title in zip(judges, titles, strict=True):
        line = [title]
        for other in judges:
            row = found.get((one, other)) or found.get((other, one))
            if row is None or not row["n"]:
                line.append("–")
            else:
                line.append(f"{printed(row['value'])} ({'–' if row['kappa'] is None else printed(row['kappa'])})")
        lines.append(line)
    return lines


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
