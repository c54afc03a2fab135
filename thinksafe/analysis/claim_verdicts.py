"""Whether a claim holds: by its numbers, and in how many resamplings of the prompts behind them (docs/claims.md)."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from thinksafe.analysis.claims import Cells, Claim, Missing, Sets, condition


def claim_verdict(claim: Claim, sets: Sets, cells: Cells, confidence: float) -> dict[str, Any]:
    """Return what the cells say about a claim.

    Parameters
    ----------
    sets : mapping
        Members of each set that claims may name, ``students`` and the families among them.
    confidence : float in (0, 1)
        Share of the resamplings that must agree.

    Returns
    -------
    dict
        ``by_numbers`` (``holds``, ``fails`` or ``not run``: the numbers as they stand), ``verdict`` (the same, or
        ``undecided``), ``share`` (of the resamplings in which the claim holds; None without any), ``margin`` (by how
        much the claim is true where it is decided, below 0 if it is not: of a loop the tightest case, of ``any``
        the clearest), ``low`` and ``high`` (between these ``confidence`` of the resamplings lie on either side),
        ``parts`` (by the values of the outermost loop: ``by_numbers`` and ``share`` of each) and
        ``missing`` (cells ``student, method, metric``). A claim of which a cell is missing is not run.
    """
    cells.missing.clear()
    parts: dict[str, np.ndarray | None] = {}
    told = None if isinstance(claim.predicate, ast.Call) else parts  # all(...) is one part
    try:
        outcome, margin = condition(claim.predicate, {}, sets, cells, told)
    except Missing:
        outcome, margin = None, np.array([np.nan])
    by_numbers, share = _said(outcome)
    verdict = by_numbers
    if share is not None:
        verdict = "holds" if share >= confidence else "fails" if share <= 1 - confidence else "undecided"
    return {
        "by_numbers": by_numbers,
        "verdict": verdict,
        "share": share,
        **_bounded(margin, confidence),
        "parts": {label: dict(zip(("by_numbers", "share"), _said(part), strict=True)) for label, part in parts.items()},
        "missing": sorted(", ".join(cell) for cell in cells.missing),
    }


def _said(outcome: np.ndarray | None) -> tuple[str, float | None]:
    if outcome is None:
        return "not run", None
    return "holds" if outcome[0] else "fails", float(outcome[1:].mean()) if len(outcome) > 1 else None


def _bounded(margin: np.ndarray, confidence: float) -> dict[str, float | None]:
    """Return a margin and its bounds, None where they are no numbers: the lower is above 0 where a claim holds."""
    bounds = np.quantile(margin[1:], [1 - confidence, confidence], method="nearest") if len(margin) > 1 else ()
    found = [float(one) if np.isfinite(one) else None for one in (margin[0], *bounds)]
    return dict(zip(("margin", "low", "high"), [*found, None, None], strict=False))
