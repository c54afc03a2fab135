"""The paper's claims, and readings of it that we add, judged by what a run found (docs/claims.md)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thinksafe.analysis.claim_verdicts import claim_verdict
from thinksafe.analysis.claims import Cell, Cells, asked, read_claims
from thinksafe.analysis.pairing import Outcomes, by_seed, over_seeds, seeds_of
from thinksafe.analysis.scores import AVERAGES, tidy, with_rows
from thinksafe.files import Row, read_json, write_json
from thinksafe.intervals import Estimate, seed_variance, wilson
from thinksafe.layout import SCORE, with_files
from thinksafe.reporting.tables import markdown, plain, printed, read_csv, write_markdown
from thinksafe.seeds import seed_for

RESAMPLINGS = 2000
VERDICTS = ("holds", "fails", "undecided", "not run")
# What claims call the metrics that no score has, as their tables name them.
TABLES = {
    **{name: name for name in ("filtered_out_pct_harmful", "filtered_out_pct_benign", "perplexity", "train_hours")},
    **{"generation:train_hours": "generation:train_hours", "mu_h": "mean_tokens_harmful", "mu_b": "mean_tokens_benign"},
}


def judge_claims(
    scores: Sequence[str],
    rows: Sequence[str],
    tables: Sequence[str],
    spec: Row,
    json: str,
    md: str,
) -> None:
    """Write each claim's verdict, as data and as a board to read.

    Parameters
    ----------
    scores : paths of the score files
    rows : paths of the rows per item, which are resampled; nothing for printed numbers
    tables : paths of tidy tables with metrics that no score has; they are not resampled
    spec : dict
        ``cells`` (``student``, ``method``, ``replicate``, ``benchmark`` of each score), ``students`` and ``methods`` as
        pairs, ``benchmarks``, ``families`` (students of each), ``confidence``,
        ``use_paper_scores``, ``claims`` as `config/claims.yaml` has them, or some of them; ``over``, for
        each claim the students that count in the sets of the run that it is about.
    """
    families = spec["families"]
    claims, sets = read_claims(spec["claims"], list(families))
    own = {**families, "students": [student for student, _ in spec["students"]]}
    numbers = numbers_of(with_rows(spec["cells"], scores, rows), tables, spec)
    draws = resampled(seeds_of(with_files(spec["cells"], rows, SCORE), spec, counted=True)) if rows else {}
    values = with_draws(numbers, draws, 0 if spec["use_paper_scores"] else RESAMPLINGS, spec["confidence"])
    cells = Cells(values, partial=spec["use_paper_scores"])
    found = []
    for claim in claims.values():
        about = {"id": claim.id, "section": claim.section, "text": claim.text, "reading": claim.reading}
        over = spec["over"].get(claim.id, {})
        sizes = [numbers[cell].n for cell in asked(claim.predicate, {**sets, **own, **over}, True) if cell in numbers]
        verdict = claim_verdict(claim, {**sets, **own, **over}, cells, spec["confidence"])
        found.append(
            {
                **about,
                **verdict,
                "n": min([size for size in sizes if size], default=None),
                "over": {name: {"students": members, "of": len(own[name])} for name, members in over.items()},
            }
        )
    counts = Counter(row["verdict"] for row in found)
    board = {
        "claims": found,
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
        "changed_since_start": changed_since_start(json, spec["claims"]),
        "resamplings": 0 if spec["use_paper_scores"] else RESAMPLINGS,
    }
    write_json(json, board)
    write_markdown(md, _board(board, spec))


def resampled(arms: Mapping[tuple[str, str], Mapping[str, Sequence[Outcomes]]]) -> dict[Cell, np.ndarray]:
    """Return each metric's mean in per cent in every resampling of the prompts, averages among them.

    A benchmark's prompts are drawn alike for every student and method, so that differences are paired; a prompt comes
    with all of its draws and replicates. A metric of which nothing is known has none. Where every outcome of a cell is
    the same, as 0 of 100, prompts drawn again are, too: it is drawn from Jeffreys' distribution for such a share, by
    itself, so that 0 of 100 against 0 of 100 does not say that nothing differs. What seeds add beyond prompts and
    samples (`thinksafe.intervals.seed_variance`) is drawn from Student's t with a degree of freedom less than there
    are seeds, alike for all metrics of one adapter, by itself for each.

    Parameters
    ----------
    arms : by student and method, and by metric, the outcomes of each replicate

    Source: Brown, Cai and DasGupta (2001), "Interval estimation for a binomial proportion".
    """
    values: dict[Cell, np.ndarray] = {}
    for metric in sorted({metric for found in arms.values() for metric in found}):
        shares = {arm: over_seeds(found[metric]) for arm, found in arms.items() if metric in found}
        names = sorted({name for found in shares.values() for name in found})
        # Audit guards judge the same answers: their prompts are drawn as the benchmark's are.
        random = np.random.default_rng(seed_for("judge_claims", metric.partition(":")[0]))
        times = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLINGS)
        for (student, method), found in shares.items():
            outcomes = np.array([found.get(name) for name in names], dtype=float)  # None becomes nan
            known = ~np.isnan(outcomes)
            seen = times @ known
            if seen.all():
                values[student, method, metric] = 100 * (times @ np.where(known, outcomes, 0)) / seen
            if known.any() and (all_of := set(outcomes[known])) in ({0.0}, {1.0}):
                right, n = all_of.pop() * known.sum(), known.sum()
                own = np.random.default_rng(seed_for("judge_claims", student, method, metric))
                values[student, method, metric] = 100 * own.beta(right + 0.5, n - right + 0.5, RESAMPLINGS)
            elif (student, method, metric) in values:
                moved = values[student, method, metric] + 100 * _by_seeds(
                    by_seed(arms[student, method][metric]), student, method
                )
                values[student, method, metric] = np.clip(moved, 0, 100)
    for student, method in arms:
        for average, columns in AVERAGES.items():
            members = [values.get((student, method, column)) for column in columns]
            if all(member is not None for member in members):
                values[student, method, average] = np.mean(members, 0)
    return values


def _by_seeds(table: Sequence[Sequence[float]], *arm: str) -> np.ndarray:
    """Return what seeds move a mean by in every resampling, as a share: nothing where they explain nothing."""
    variance = seed_variance([table]) if table else 0.0
    if not variance:
        return np.zeros(RESAMPLINGS)
    means = np.mean(table, 0)
    seeds = len(means)
    random = np.random.default_rng(seed_for("judge_claims", "seeds", *arm))
    normal, chi2 = random.standard_normal((RESAMPLINGS, seeds)), random.chisquare(seeds - 1, RESAMPLINGS)
    moved = normal @ (means - means.mean()) / np.sqrt(((means - means.mean()) ** 2).sum())  # standard normal
    return moved * np.sqrt(variance * (seeds - 1) / chi2)


def numbers_of(scores: Sequence[Row], tables: Sequence[str], spec: Row) -> dict[Cell, Estimate]:
    """Return each cell as the tables have it, with the prompts (or what else was counted) behind it as ``n``."""
    found = {
        (row["student"], row["method"], row["metric"]): row | {"n": row["problems"]}
        for row in (tidy(scores, spec) if scores else [])
    }
    for row in [row for path in tables for row in read_csv(path)]:
        # By the claims' own names; an average is that of its columns, where they are printed.
        if spec["use_paper_scores"]:
            found.setdefault((row["student"], row["method"], row["metric"]), row)
        elif row["metric"] in TABLES:
            found[row["student"], row["method"], TABLES[row["metric"]]] = row
        elif row["metric"] == "unsafe_training_responses" and row["n"]:  # effects.csv: steered against direct
            # As if the draws of one prompt could not differ: wide, never too narrow.
            share = wilson(round(row["before"] * row["n"] / 100), row["n"], spec["confidence"])
            numbers = {"value": row["before"], "low": share.low, "high": share.high, "n": share.n}
            found[row["student"], "initial", "unsafe_pct_train_harmful"] = numbers
    return {
        cell: Estimate(*(row.get(name) for name in ("value", "low", "high", "n")))
        for cell, row in found.items()
        if row.get("value") is not None
    }


def with_draws(
    numbers: Mapping[Cell, Estimate], draws: Mapping[Cell, np.ndarray], count: int, confidence: float
) -> dict[Cell, np.ndarray]:
    """Return for each cell the number as the tables have it, then ``count`` of its resamplings.

    What has an interval but no rows per prompt is drawn by it, each cell by itself: half a normal on either side.
    Hours, whose bounds are those of the replicates, and what has no interval stay as they are.
    """
    from scipy.stats import norm

    reach = float(norm.ppf((1 + confidence) / 2))
    values = {}
    for cell, number in numbers.items():
        drawn = draws.get(cell, np.full(count, float(number.value)))
        if cell not in draws and number.low is not None and not cell[2].endswith("hours"):
            normal = np.random.default_rng(seed_for("judge_claims", *cell)).standard_normal(count) / reach
            drawn = drawn + np.where(normal < 0, number.value - number.low, number.high - number.value) * normal
        values[cell] = np.r_[number.value, drawn]
    return values


def changed_since_start(json: str, claims: Mapping[str, Any]) -> bool | None:
    """Return whether the claims that are judged are others than when the run began; None where that is not known."""
    folder = Path(json).parent
    path = next((one for one in (folder, folder.parent) if (one / "claims.fixed.json").exists()), None)
    if path is None:
        return None
    fixed = read_json(path / "claims.fixed.json")["claims"]
    if folder == path:  # the board of them all
        return fixed != claims
    return any(fixed.get(part, {}).get(name) != one for part in claims for name, one in claims[part].items())


def _board(board: Row, spec: Row) -> list[str]:
    """Return the blocks of the board."""
    counts = ", ".join(f"{verdict} {count}" for verdict, count in board["counts"].items())
    blocks = [f"**Claims**: {counts}."]
    if board["changed_since_start"]:
        blocks.append("`config/claims.yaml` has changed since this run began: the verdicts are of the changed claims.")
    lines = []
    for row in board["claims"]:
        share = "–" if row["share"] is None else f"{100 * row['share']:.0f} %"
        count = len(row["missing"])
        missing = "–" if not count else "1 cell" if count == 1 else f"{count} cells"
        text = plain(row["text"]) + (" (our reading)" if row["reading"] == "ours" else "")
        said = [row["id"], text, row["section"], row["verdict"], row["by_numbers"], _over(row)]
        lines.append([*said, _margin(row), share, "–" if row["n"] is None else str(row["n"]), missing])
    header = ["Claim", "What it says", "Section", "Verdict", "By the numbers", "Students"]
    blocks.append(markdown([*header, "Margin (interval)", "Resamplings", "n", "Missing"], lines, left=6))
    blocks.append(
        "Students are those of whom a claim about all of the run, or of a family, could be asked: the run means them "
        "to have every method that it compares. – is a claim that names its students. Margin: by how much the claim is "
        "true at its tightest place, in the claim's own unit, below 0 where it is not. The tightest of several "
        "cases, and what hangs on a cell of 0 or 100 %, is lower in most resamplings than by the numbers, so that a "
        "margin may lie at or above its own interval. n: the prompts (hours: jobs) "
        "behind one of its numbers, the fewest where they differ."
    )
    if board["resamplings"]:
        blocks.append(
            f"By {board['resamplings']} resamplings of the prompts, alike for all methods: a claim holds where it is "
            f"true in at least {100 * spec['confidence']:g} % of them, and fails where it is false in as many; so many "
            "lie on one side of either bound of the margin. Perplexities, shares of responses filtered out and lengths "
            "are drawn by their intervals; hours stay as they are."
        )
    return blocks


def _over(row: Row) -> str:
    """Return over which students a claim was judged."""
    told = [
        f"all {one['of']}"
        if len(one["students"]) == one["of"]
        else f"{len(one['students'])} of {one['of']}: " + ", ".join(one["students"])
        for one in row["over"].values()
    ]
    return "–" if row["verdict"] == "not run" or not told else "; ".join(told)


def _margin(row: Row) -> str:
    if row["margin"] is None:
        return "–"
    bounds = "" if None in (row["low"], row["high"]) else f" ({_short(row['low'])} to {_short(row['high'])})"
    return _short(row["margin"]) + bounds


def _short(value: float) -> str:
    """Return a margin with two decimals, or two figures of one that is small: hours and perplexities are."""
    return printed(value) if abs(value) >= 0.1 else f"{value + 0.0:.2g}"


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
