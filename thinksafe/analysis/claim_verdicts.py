"""Whether a claim holds: by its numbers, and in how many resamplings of the prompts behind them (docs/claims.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from operator import ge, gt, le, lt
from typing import Any

import numpy as np

from thinksafe.analysis.claims import LOOPED, Cell, Claim, Names, bindings, resolved

COMPARE = {"<": lt, "<=": le, ">": gt, ">=": ge}


class Missing(LookupError):  # noqa: N818 - an answer, not a fault
    """A cell that the run has not."""


@dataclass
class Cells:
    """What is known of each (student, method, metric): the number itself, then the same in each resampling.

    Parameters
    ----------
    values : mapping from (student, method, metric) to array of shape (1 + resamplings,)
        All of the same length. Resampling ``i`` draws the same prompts for every method, so that differences are
        paired.
    partial : bool
        Whether a claim over several cases is judged by those that have all of their cells: the paper's own numbers,
        which are what its claims were read from, "where printed". Of a run every case is wanted.
    """

    values: Mapping[Cell, np.ndarray]
    partial: bool = False
    missing: set[Cell] = field(default_factory=set)

    def __getitem__(self, cell: Cell) -> np.ndarray:
        if cell not in self.values:
            self.missing.add(cell)
            raise Missing(", ".join(cell))
        return self.values[cell]


def judge(claim: Claim, sets: Mapping[str, Sequence[str]], cells: Cells, confidence: float) -> dict[str, Any]:
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
        much the claim is true where it is decided, below 0 if it is not: of ``every`` the tightest case, of ``any``
        the clearest), ``low`` and ``high`` (between these ``confidence`` of the resamplings lie on either side),
        ``parts`` (by the values of the outermost ``every`` or ``of``: ``by_numbers`` and ``share`` of each) and
        ``missing`` (cells ``student, method, metric``). A claim of which a cell is missing is not run.
    """
    cells.missing.clear()
    parts: dict[str, dict[str, Any]] = {}
    try:
        outcome, margin = _condition(claim.predicate, {}, sets, cells, parts)
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
        "parts": parts,
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


def _condition(
    given: Any, names: Names, sets: Mapping[str, Sequence[str]], cells: Cells, parts: dict[str, Any] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return for the numbers and for each resampling whether a condition is true, and by how much."""
    if isinstance(given, list):
        left, right = _term(given[0], names, sets, cells), _term(given[2], names, sets, cells)
        with np.errstate(invalid="ignore"):
            margin = np.atleast_1d(np.subtract(right, left) * (1 if given[1] in ("<", "<=") else -1))
        # A ratio that has no value makes no comparison true.
        return np.atleast_1d(COMPARE[given[1]](left, right)), np.where(np.isnan(margin), -np.inf, margin)
    if set(given) == {"that"}:
        return _condition(given["that"], names, sets, cells)
    variables = given.get("every", given.get("of"))
    if variables is not None:
        cases = [
            (", ".join(bound[name] for name in variables), given["that"], bound)
            for bound in bindings(variables, names, sets)
        ]
    else:
        listed = next(given[key] for key in ("all", "any", "among") if key in given)
        cases = [(str(place + 1), part, names) for place, part in enumerate(listed)]
    found = []
    for label, part, bound in cases:
        try:
            outcome = _condition(part, bound, sets, cells)
        except Missing:
            if parts is None:
                raise
            outcome = None  # the other cases are still told
        else:
            found.append(outcome)
        if parts is not None:
            parts[label] = dict(zip(("by_numbers", "share"), _said(outcome and outcome[0]), strict=True))
    enough = max(1, given.get("at_least", 1)) if cells.partial else max(1, given.get("at_least", 1), len(cases))
    if len(found) < enough:
        raise Missing("cases of the claim have not all of their cells")
    true, margins = (np.stack(np.broadcast_arrays(*part)) for part in zip(*found, strict=True))
    wanted = 1 if "any" in given else len(found)
    if "at_least" in given:
        wanted = max(1, given["at_least"])
    elif "more_than" in given:
        wanted = min(floor(given["more_than"] * len(found)) + 1, len(found))
    return true.sum(0) >= wanted, np.sort(margins, 0)[len(found) - wanted]


def _term(given: Any, names: Names, sets: Mapping[str, Sequence[str]], cells: Cells) -> Any:
    """Return a number, or one for the numbers as they stand and one for each resampling."""
    if isinstance(given, (int, float)):
        return given
    if isinstance(given, list):
        return cells[resolved(given, names)]
    (kind,) = set(given) - {"of"}
    if kind in LOOPED:
        return _looped(kind, given, names, sets, cells)
    if kind == "change":
        student, method, metric = given["change"]
        now, before = ([student, one, metric] for one in (method, "initial"))
        return _term(now, names, sets, cells) - _term(before, names, sets, cells)
    if kind == "size":
        return np.abs(_term(given["size"], names, sets, cells))
    one, other = (_term(part, names, sets, cells) for part in given[kind])
    if kind == "over":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.divide(one, other)
    return {"minus": np.subtract, "plus": np.add, "times": np.multiply}[kind](one, other)


def _looped(kind: str, given: Any, names: Names, sets: Mapping[str, Sequence[str]], cells: Cells) -> np.ndarray:
    """Return the mean of a term, or Spearman's correlation of two, over their variables' values."""
    from scipy.stats import spearmanr

    if kind == "mean":
        return np.mean([_term(given["mean"], bound, sets, cells) for bound in bindings(given["of"], names, sets)], 0)
    pairs, before = [], set(cells.missing)
    for bound in bindings(given["of"], names, sets):
        try:
            pairs.append([_term(part, bound, sets, cells) for part in given[kind]])
        except Missing:
            continue  # not every method has data of its own for every student
    if len(pairs) < 4:
        raise Missing("a correlation wants four points")
    cells.missing &= before
    points = np.array(pairs, dtype=float)  # points, sides, resamplings
    return np.array([spearmanr(*points[:, :, place].T).statistic for place in range(points.shape[2])])
