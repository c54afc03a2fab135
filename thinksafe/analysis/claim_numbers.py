"""The numbers that claims read, as the tables have them and in every resampling of the prompts (docs/claims.md)."""

from collections.abc import Mapping, Sequence

import numpy as np

from thinksafe.analysis.claims import Cell
from thinksafe.analysis.pairing import Arm, by_seed, over_seeds
from thinksafe.analysis.scores import AVERAGES, tidy
from thinksafe.files import Row
from thinksafe.intervals import Estimate, seed_variance, wilson
from thinksafe.reporting.tables import by_cell, read_csv
from thinksafe.seeds import seed_for

RESAMPLINGS = 2000
# Metrics without scores: their names in tables, and in claims.
TABLES = {
    **{name: name for name in ("filtered_out_pct_harmful", "filtered_out_pct_benign", "perplexity", "train_hours")},
    **{"generation:train_hours": "generation:train_hours", "mu_h": "mean_tokens_harmful", "mu_b": "mean_tokens_benign"},
}


def read_numbers(scores: Sequence[Row], tables: Sequence[str], spec: Row) -> dict[Cell, Estimate]:
    """Return each cell's number, with the prompts (or whatever was counted) behind it as ``n``.

    ``scores`` and ``spec`` are as for `thinksafe.analysis.scores.tidy`, and ``spec`` has ``use_paper_scores``, too;
    ``tables`` have further metrics.
    """
    found = by_cell(row | {"n": row["problems"]} for row in (tidy(scores, spec) if scores else []))
    for row in [row for path in tables for row in read_csv(path)]:
        student, method, metric = row["student"], row["method"], row["metric"]
        if spec["use_paper_scores"]:  # an average is computed from its columns where the paper has them all
            found.setdefault((student, method, metric), row)
        elif metric in TABLES:
            found[student, method, TABLES[metric]] = row
        elif metric == "unsafe_training_responses" and row["n"]:  # effects.csv: steered against direct
            # As if the samples of one prompt could not differ: wide, never too narrow.
            share = wilson(round(row["before"] * row["n"] / 100), row["n"], spec["confidence"])
            numbers = {"value": row["before"], "low": share.low, "high": share.high, "n": share.n}
            found[student, "initial", "unsafe_pct_train_harmful"] = numbers
    return {
        cell: Estimate(*(row.get(name) for name in ("value", "low", "high", "n")))
        for cell, row in found.items()
        if row.get("value") is not None
    }


def resample(arms: Mapping[tuple[str, str], Arm]) -> dict[Cell, np.ndarray]:
    """Return each metric's mean in per cent in every resampling of the prompts, averages included.

    A benchmark's prompts are drawn alike for every student and method, so that differences are paired; a prompt comes
    with all of its samples and replicates. A metric without any known outcome is left out. Where all outcomes of a cell
    are equal, as 0 of 100, all resamplings of the prompts would be too: its values are drawn independently from
    Jeffreys' distribution for such a fraction, so that of two such cells neither is always the smaller. The variance
    between seeds (`thinksafe.intervals.seed_variance`) is drawn from Student's t with one degree of freedom less than
    there are seeds, alike for all metrics of one adapter, independently for each adapter.

    Source: Brown, Cai and DasGupta (2001), "Interval estimation for a binomial proportion".
    """
    values: dict[Cell, np.ndarray] = {}
    for metric in sorted({metric for found in arms.values() for metric in found}):
        means = {arm: over_seeds(found[metric]) for arm, found in arms.items() if metric in found}
        names = sorted({name for found in means.values() for name in found})
        # Audit guards judge the same answers: their prompts are drawn as the benchmark's are.
        random = np.random.default_rng(seed_for("judge_claims", metric.partition(":")[0]))
        times = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLINGS)
        for arm, found in means.items():
            outcomes = np.array([found.get(name) for name in names], dtype=float)  # None becomes nan
            known = ~np.isnan(outcomes)
            seen = times @ known
            if known.any() and (one := outcomes[known][0]) in (0, 1) and (outcomes[known] == one).all():
                right, n = one * known.sum(), known.sum()
                own = np.random.default_rng(seed_for("judge_claims", *arm, metric))
                values[*arm, metric] = 100 * own.beta(right + 0.5, n - right + 0.5, RESAMPLINGS)
            elif seen.all():
                mean = 100 * (times @ np.where(known, outcomes, 0)) / seen
                moved = mean + 100 * _between_seeds(by_seed(arms[arm][metric]), *arm)
                values[*arm, metric] = np.clip(moved, 0, 100)
    for arm in arms:
        for average, columns in AVERAGES.items():
            if all((*arm, column) in values for column in columns):
                values[*arm, average] = np.mean([values[*arm, column] for column in columns], 0)
    return values


def _between_seeds(table: Sequence[Sequence[float]], *arm: str) -> np.ndarray:
    """Return by how much seeds move a mean in every resampling, as a fraction; 0 where they have no variance."""
    variance = seed_variance([table]) if table else 0.0
    if not variance:
        return np.zeros(RESAMPLINGS)
    means = np.mean(table, 0)
    seeds = len(means)
    random = np.random.default_rng(seed_for("judge_claims", "seeds", *arm))
    normal, chi2 = random.standard_normal((RESAMPLINGS, seeds)), random.chisquare(seeds - 1, RESAMPLINGS)
    moved = normal @ (means - means.mean()) / np.sqrt(((means - means.mean()) ** 2).sum())  # standard normal
    return moved * np.sqrt(variance * (seeds - 1) / chi2)


def add_resamplings(
    numbers: Mapping[Cell, Estimate], resamplings: Mapping[Cell, np.ndarray], count: int, confidence: float
) -> dict[Cell, np.ndarray]:
    """Return for each cell the number of the tables, followed by ``count`` resamplings of it.

    A cell with an interval but without rows per prompt is drawn from its interval, independently of others: half a
    normal on either side. Hours, whose bounds are those of the replicates, and cells without an interval do not vary.
    """
    from scipy.stats import norm

    reach = float(norm.ppf((1 + confidence) / 2))
    values = {}
    for cell, number in numbers.items():
        samples = resamplings.get(cell, np.full(count, float(number.value)))
        if cell not in resamplings and number.low is not None and not cell[2].endswith("hours"):
            normal = np.random.default_rng(seed_for("judge_claims", *cell)).standard_normal(count) / reach
            samples = samples + np.where(normal < 0, number.value - number.low, number.high - number.value) * normal
        values[cell] = np.r_[number.value, samples]
    return values
