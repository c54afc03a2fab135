"""Verdicts on claims: by their numbers, and by resamplings of the prompts behind them (docs/claims.md)."""

import ast
from typing import Any

import numpy as np

from thinksafe.analysis.claims import Cells, Claim, Missing, Sets, condition


def claim_verdict(claim: Claim, sets: Sets, cells: Cells, confidence: float) -> dict[str, Any]:
    """Return the verdict on a claim.

    Parameters
    ----------
    sets : mapping
        Members of each set that claims may name, including ``students`` and the families.
    confidence : float in (0, 1)
        Fraction of the resamplings that must agree.

    Returns
    -------
    dict
        ``by_numbers`` (``holds``, ``fails`` or, where a cell is missing, ``not run``), ``verdict`` (the same by
        resamplings, or ``undecided``), ``share`` (fraction of the resamplings in which the claim holds; None without
        any), ``margin`` (by how much the claim is true where it is decided, below 0 if it is not: of a loop the
        tightest case, of ``any`` the clearest), ``low`` and ``high`` (the margin's quantiles at 1 - ``confidence`` and
        ``confidence``; ``low`` is above 0 where a claim holds), ``parts`` (by the values of the outermost loop:
        ``by_numbers`` and ``share`` of each) and ``missing`` (cells ``student, method, metric``).
    """
    cells.missing.clear()
    parts: dict[str, np.ndarray | None] = {}
    try:  # all(...) is one part
        whole = isinstance(claim.predicate, ast.Call)
        outcome, margin = condition(claim.predicate, {}, sets, cells, None if whole else parts)
    except Missing:
        outcome, margin = None, np.array([np.nan])
    row = _outcome(outcome)
    share, verdict = row["share"], row["by_numbers"]
    if share is not None:
        verdict = "holds" if share >= confidence else "fails" if share <= 1 - confidence else "undecided"
    bounds = np.quantile(margin[1:], [1 - confidence, confidence], method="nearest") if len(margin) > 1 else ()
    numbers = [float(one) if np.isfinite(one) else None for one in (margin[0], *bounds)]
    return row | {
        "verdict": verdict,
        **dict(zip(("margin", "low", "high"), [*numbers, None, None], strict=False)),
        "parts": {label: _outcome(part) for label, part in parts.items()},
        "missing": sorted(", ".join(cell) for cell in cells.missing),
    }


def _outcome(outcome: np.ndarray | None) -> dict[str, Any]:
    """Return whether a condition holds by the numbers, and in which fraction of the resamplings."""
    if outcome is None:
        return {"by_numbers": "not run", "share": None}
    share = float(outcome[1:].mean()) if len(outcome) > 1 else None
    return {"by_numbers": "holds" if outcome[0] else "fails", "share": share}
