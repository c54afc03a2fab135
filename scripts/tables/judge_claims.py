"""Verdicts on the paper's claims, and on our own readings of it, from a run's results (docs/claims.md)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thinksafe.analysis.claim_numbers import RESAMPLINGS, add_resamplings, read_numbers, resample
from thinksafe.analysis.claim_verdicts import claim_verdict
from thinksafe.analysis.claims import Cells, cells_read, read_claims
from thinksafe.analysis.pairing import read_arms
from thinksafe.analysis.scores import with_rows
from thinksafe.files import Row, read_json, write_json
from thinksafe.jobs.start import start
from thinksafe.layout import SCORE, with_files
from thinksafe.reporting.tables import format_value, markdown, plain, write_markdown

VERDICTS = ("holds", "fails", "undecided", "not run")


def judge_claims(
    scores: Sequence[str], rows: Sequence[str], tables: Sequence[str], spec: Row, json: str, md: str
) -> None:
    """Write each claim's verdict, as data and as a summary to read.

    Parameters
    ----------
    rows : paths of the rows per item, which are resampled; none for the paper's own numbers
    tables : paths of tidy tables with metrics that no score has; they are not resampled
    spec : dict
        ``cells`` (``student``, ``method``, ``replicate``, ``benchmark`` of each score), ``students`` and ``methods`` as
        pairs, ``benchmarks``, ``families`` (students of each), ``confidence``, ``use_paper_scores``, ``claims`` (all or
        some of `config/claims.yaml`), ``over`` (for each claim the students that count in the run's sets it names).
    """
    families, confidence = spec["families"], spec["confidence"]
    claims, sets = read_claims(spec["claims"], list(families))
    own = {**families, "students": [student for student, _ in spec["students"]]}
    count = 0 if spec["use_paper_scores"] else RESAMPLINGS
    numbers = read_numbers(with_rows(spec["cells"], scores, rows), tables, spec)
    items = with_files(spec["cells"], rows, SCORE) if rows else []
    resamplings = resample(read_arms(items, spec, unknown_as_no=True))
    cells = Cells(add_resamplings(numbers, resamplings, count, confidence), partial=spec["use_paper_scores"])
    found = []
    for claim in claims.values():
        over = spec["over"].get(claim.id, {})
        about = {**sets, **own, **over}
        sizes = [numbers[cell].n for cell in cells_read(claim.predicate, about, True) if cell in numbers]
        row = {"id": claim.id, "section": claim.section, "text": claim.text, "reading": claim.reading}
        row |= claim_verdict(claim, about, cells, confidence)
        row["n"] = min([size for size in sizes if size], default=None)
        row["over"] = {name: {"students": members, "of": len(own[name])} for name, members in over.items()}
        found.append(row)
    counts = Counter(row["verdict"] for row in found)
    summary = {
        "claims": found,
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
        "changed_since_start": changed_since_start(json, spec["claims"]),
        "resamplings": count,
    }
    write_json(json, summary)
    write_markdown(md, _blocks(summary, confidence))


def changed_since_start(json: str, claims: Mapping[str, Any]) -> bool | None:
    """Return whether these claims differ from those at the start of the run; None where that is not known."""
    folder = Path(json).parent
    path = next((one for one in (folder, folder.parent) if (one / "claims.fixed.json").exists()), None)
    if path is None:
        return None
    fixed = read_json(path / "claims.fixed.json")["claims"]
    if folder == path:  # the summary of all claims
        return fixed != claims
    return any(fixed.get(part, {}).get(name) != one for part in claims for name, one in claims[part].items())


def _blocks(summary: Row, confidence: float) -> list[str]:
    """Return the blocks of the summary."""
    counts = ", ".join(f"{verdict} {count}" for verdict, count in summary["counts"].items())
    blocks = [f"**Claims**: {counts}."]
    if summary["changed_since_start"]:
        blocks.append("`config/claims.yaml` has changed since this run began: the verdicts are of the changed claims.")
    lines = []
    for row in summary["claims"]:
        share = "–" if row["share"] is None else f"{100 * row['share']:.0f} %"
        count = len(row["missing"])
        missing = "–" if not count else "1 cell" if count == 1 else f"{count} cells"
        text = plain(row["text"]) + (" (our reading)" if row["reading"] == "ours" else "")
        cells = [row["id"], text, row["section"], row["verdict"], row["by_numbers"], _over(row)]
        lines.append([*cells, _margin(row), share, "–" if row["n"] is None else str(row["n"]), missing])
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
    if summary["resamplings"]:
        blocks.append(
            f"By {summary['resamplings']} resamplings of the prompts, alike for all methods: a claim holds where it is "
            f"true in at least {100 * confidence:g} % of them, and fails where it is false in as many; so many "
            "lie on one side of either bound of the margin. Perplexities, shares of responses filtered out and lengths "
            "are drawn by their intervals; hours stay as they are."
        )
    return blocks


def _over(row: Row) -> str:
    """Return the students over which a claim was judged."""
    sets = [
        f"all {one['of']}"
        if len(one["students"]) == one["of"]
        else f"{len(one['students'])} of {one['of']}: " + ", ".join(one["students"])
        for one in row["over"].values()
    ]
    return "–" if row["verdict"] == "not run" or not sets else "; ".join(sets)


def _margin(row: Row) -> str:
    """Return a claim's margin with its interval, with two decimals, or two significant digits of a small one."""
    margin, low, high = (
        None if one is None else format_value(one) if abs(one) >= 0.1 else f"{one + 0.0:.2g}"
        for one in (row["margin"], row["low"], row["high"])
    )
    return "–" if margin is None else margin if None in (low, high) else f"{margin} ({low} to {high})"


if __name__ == "__main__":
    start(snakemake, __file__)
