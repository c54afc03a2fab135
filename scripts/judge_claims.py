"""The paper's claims, and readings of it that we add, judged by what a run found (docs/claims.md)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.lib.claim_verdicts import Cell, Cells, judge
from scripts.lib.claims import read_claims
from scripts.lib.files import read_json, write_json
from scripts.lib.pairing import Outcomes, arms_of
from scripts.lib.scores import AVERAGES, tidy
from scripts.lib.seeds import seed_for
from scripts.lib.tables import markdown, read_csv, write_markdown

Row = dict[str, Any]
RESAMPLINGS = 400
VERDICTS = ("holds", "fails", "undecided", "not run")
# What claims call the metrics that no score has, as their tables name them.
TABLES = {
    **{name: name for name in ("filtered_out_pct_harmful", "filtered_out_pct_benign", "perplexity", "train_hours")},
    **{"generation:train_hours": "generation:train_hours", "mu_h": "mean_tokens_harmful", "mu_b": "mean_tokens_benign"},
}


def judge_claims(
    scores: Sequence[Row],
    items: Sequence[Row],
    tables: Sequence[str],
    spec: Row,
    output_json: str,
    output_md: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write each claim's verdict, as data and as a board to read.

    Parameters
    ----------
    scores : sequence of dict
        ``student``, ``method``, ``replicate``, ``benchmark``, ``path`` of each score file: the numbers as they stand.
    items : sequence of dict
        The same with the rows per item, from which the resamplings are; nothing for printed numbers.
    tables : paths of tidy tables with metrics that no score has; they are not resampled
    spec : dict
        ``students`` and ``methods`` as pairs, ``benchmarks``, ``families`` (students of each), ``confidence``,
        ``printed``, ``claims`` as `config/claims.yaml` has them.
    """
    families = spec["families"]
    claims, sets = read_claims(spec["claims"], list(families))
    sets = {**sets, **families, "students": [student for student, _ in spec["students"]]}
    values = with_numbers(resampled(arms_of(items, spec)) if items else {}, scores, tables, spec)
    cells = Cells(values, partial=spec["printed"])
    found = []
    for done, claim in enumerate(claims):
        about = {"id": claim.id, "section": claim.section, "text": claim.text, "reading": claim.reading}
        found.append({**about, **judge(claim, sets, cells, spec["confidence"])})
        progress(done + 1, len(claims))
    fixed = Path(output_json).with_name("claims.fixed.json")
    changed = read_json(fixed)["claims"] != spec["claims"] if fixed.exists() else None
    counts = Counter(row["verdict"] for row in found)
    board = {
        "claims": found,
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
        "changed_since_start": changed,
        "resamplings": RESAMPLINGS if items else 0,
    }
    write_json(output_json, board)
    write_markdown(output_md, _board(board, spec))


def resampled(arms: Mapping[tuple[str, str], Mapping[str, Outcomes]]) -> dict[Cell, np.ndarray]:
    """Return each metric's mean in per cent in every resampling of the prompts, averages among them.

    A benchmark's prompts are drawn alike for every student and method, so that differences are paired; a prompt comes
    with all of its draws and replicates. What is unknown of a prompt does not count.
    """
    values: dict[Cell, np.ndarray] = {}
    for metric in sorted({metric for found in arms.values() for metric in found}):
        names = sorted({name for found in arms.values() for name in found.get(metric, {})})
        # Audit guards judge the same answers: their prompts are drawn as the benchmark's are.
        random = np.random.default_rng(seed_for("judge_claims", metric.partition(":")[0]))
        times = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLINGS)
        for (student, method), found in arms.items():
            if metric not in found:
                continue
            outcomes = np.array([found[metric].get(name) for name in names], dtype=float)  # None becomes nan
            known = ~np.isnan(outcomes)
            seen = times @ known
            if seen.all():
                values[student, method, metric] = 100 * (times @ np.where(known, outcomes, 0)) / seen
    for student, method in arms:
        for average, columns in AVERAGES.items():
            members = [values.get((student, method, column)) for column in columns]
            if all(member is not None for member in members):
                values[student, method, average] = np.mean(members, 0)
    return values


def with_numbers(
    draws: Mapping[Cell, np.ndarray], scores: Sequence[Row], tables: Sequence[str], spec: Row
) -> dict[Cell, np.ndarray]:
    """Return for each cell the number as the tables have it, then its resamplings; what has none stays as it is."""
    count = RESAMPLINGS if draws else 0
    numbers = {(row["student"], row["method"], row["metric"]): row["value"] for row in tidy(scores, spec)}
    for row in [row for path in tables for row in read_csv(path)]:
        if row["metric"] in TABLES:
            numbers[row["student"], row["method"], TABLES[row["metric"]]] = row["value"]
        elif row["metric"] == "unsafe_training_responses":  # effects.csv: steered against direct
            numbers[row["student"], "initial", "unsafe_pct_train_harmful"] = row["before"]
    return {
        cell: np.r_[value, draws.get(cell, np.full(count, float(value)))]
        for cell, value in numbers.items()
        if value is not None
    }


def _board(board: Row, spec: Row) -> list[str]:
    """Return the blocks of the board."""
    counts = ", ".join(f"{verdict} {count}" for verdict, count in board["counts"].items())
    blocks = [f"**Claims**: {counts}."]
    if board["changed_since_start"]:
        blocks.append("`config/claims.yaml` has changed since this run began: the verdicts are of the changed claims.")
    lines = []
    for row in board["claims"]:
        share = "–" if row["share"] is None else f"{100 * row['share']:.0f} %"
        missing = f"{len(row['missing'])} cells" if row["missing"] else "–"
        text = row["text"] + (" (our reading)" if row["reading"] == "ours" else "")
        lines.append([row["id"], text, row["section"], row["verdict"], row["by_numbers"], share, missing])
    header = ["Claim", "What it says", "Section", "Verdict", "By the numbers", "Resamplings", "Missing"]
    blocks.append(markdown(header, lines, left=5))
    if board["resamplings"]:
        blocks.append(
            f"By {board['resamplings']} resamplings of the prompts, alike for all methods: a claim holds where it is "
            f"true in at least {100 * spec['confidence']:g} % of them, and fails where it is false in as many. "
            "Perplexities, shares of responses filtered out, lengths and hours are not resampled."
        )
    return blocks


if __name__ == "__main__":
    import json

    from scripts.lib.running import start

    spec = json.loads(snakemake.params.spec)
    start(
        snakemake,
        "judge_claims",
        scores=[cell | {"path": path} for cell, path in zip(spec["cells"], snakemake.input.scores, strict=True)],
        items=[cell | {"path": path} for cell, path in zip(spec["cells"], snakemake.input.rows, strict=False)],
        tables=list(snakemake.input.tables),
        spec=spec,
        output_json=snakemake.output.json,
        output_md=snakemake.output.md,
    )
