"""Claims as data: expressions over results, in a small part of Python's grammar (docs/claims.md).

`ast` parses a claim; nothing in it is ever executed.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import product
from math import floor
from operator import ge, gt, le, lt
from typing import Any

import numpy as np

COMPARISONS = {ast.Lt: lt, ast.LtE: le, ast.Gt: gt, ast.GtE: ge}
OPERATIONS = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide}
ID = re.compile(r"[A-Z]\d\d")
COMPOUND = re.compile(r"[A-Za-z]\w*(?:[-.:]\w+)+")  # names that are not one name to Python: qwen3-0.6b
Names = Mapping[str, str]  # values of variables
Sets = Mapping[str, Sequence[str]]
Cell = tuple[str, str, str]  # student, method, metric


class ClaimError(ValueError):
    """A claim is not valid."""


class Missing(LookupError):  # noqa: N818 - an answer, not an error
    """A run does not have a cell."""


@dataclass(frozen=True)
class Claim:
    """One claim; ``text`` is our wording, ``reading`` is paper or ours."""

    id: str
    section: str
    text: str
    reading: str
    predicate: ast.expr


@dataclass
class Cells:
    """Values of cells: the number itself, then its value in each resampling.

    Parameters
    ----------
    values : mapping from (student, method, metric) to array of shape (1 + resamplings,)
        Resampling ``i`` draws the same prompts for every method, so that differences are paired.
    partial : bool
        Whether a claim over several cases is judged by those that have all of their cells, as the paper's claims are
        by its printed numbers. A run must have every case.
    """

    values: Mapping[Cell, np.ndarray]
    partial: bool = False
    missing: set[Cell] = field(default_factory=set)

    def __getitem__(self, cell: Cell) -> np.ndarray:
        try:
            return self.values[cell]
        except KeyError:
            self.missing.add(cell)
            raise Missing(", ".join(cell)) from None


def read_claims(given: Any, families: Collection[str]) -> tuple[dict[str, Claim], dict[str, list[str]]]:
    """Return the claims of a parsed YAML file by id, and its named sets.
    A claim may also name each of the ``families`` of students, and ``students`` (all).

    Raises
    ------
    ClaimError
        With the claim's id and what is wrong.
    """
    if not isinstance(given, Mapping) or set(given) != {"sets", "claims"}:
        raise ClaimError("claims: must be a mapping with `sets` and `claims`, and nothing else")
    sets = given["sets"]
    for name, members in sets.items():
        if not isinstance(members, list) or not members or not all(isinstance(member, str) for member in members):
            raise ClaimError(f"sets.{name}: must be a list of names")
    if taken := {"students", *families} & set(sets):
        raise ClaimError(f"sets: {', '.join(sorted(taken))} is defined by the run")
    known = [*sets, "students", *families]
    return {name: _claim(name, entry, known) for name, entry in given["claims"].items()}, sets


def _claim(name: str, entry: Any, known: Collection[str]) -> Claim:
    if not ID.fullmatch(str(name)):
        raise ClaimError(f"{name}: an id is one capital letter and two digits")
    required = {"section", "text", "holds"}
    if not isinstance(entry, Mapping) or not required <= set(entry) <= {*required, "reading"}:
        raise ClaimError(f"{name}: must have `section`, `text` and `holds`, and may have `reading`")
    for key, value in entry.items():
        if not isinstance(value, str):
            raise ClaimError(f"{name}.{key}: must be text, in quotes where it reads as a number")
    reading = entry.get("reading", "paper")
    if reading not in ("paper", "ours"):
        raise ClaimError(f"{name}.reading: must be paper or ours, not {reading!r}")
    try:
        source = COMPOUND.sub(lambda compound: repr(compound[0]), entry["holds"])
        predicate = ast.parse(f"({source})", mode="eval").body
        anything = Cells(defaultdict(lambda: np.empty(0)))  # every cell, without a value
        condition(predicate, {}, {one: list("1234") for one in known}, anything)  # four: see rank_correlation
    except (SyntaxError, ClaimError) as error:
        raise ClaimError(f"{name}.holds: {error.args[0]}; see docs/claims.md") from None
    return Claim(name, entry["section"], entry["text"], reading, predicate)


def check_metrics(claims: Mapping[str, Claim], sets: Sets, families: Collection[str], metrics: Collection[str]) -> None:
    """Raise a ClaimError if a claim reads a metric that no table has: it would never be run."""
    sets = {**sets, **{name: [name] for name in ("students", *families)}}
    for claim in claims.values():
        for *_, metric in cells_read(claim.predicate, sets):
            if metric not in metrics:
                near = get_close_matches(metric, metrics, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(metrics))}"
                raise ClaimError(f"{claim.id}: no metric is {metric!r}; {hint}")


# ---------------------------------------------------------------- expressions
def condition(
    node: ast.expr, names: Names, sets: Sets, cells: Cells, parts: dict[str, Any] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return for the numbers and for each resampling whether a condition is true, and by how much.

    ``parts`` is filled with the outcome of each case by its label; None where a cell is missing.

    Raises
    ------
    Missing
        If the condition is undecided without the missing cells.
    ClaimError
        If the expression is not a condition.
    """
    least, share = 0, None
    match node:
        case ast.GeneratorExp():
            kind, listed = "all", [node]
        case ast.BoolOp(values=listed):
            kind = "all" if isinstance(node.op, ast.And) else "any"
        case ast.Call(func=ast.Name(id="all" | "any" as kind), args=[_, *_] as listed, keywords=[]):
            pass
        case ast.Compare(ops=[ast.GtE()], left=ast.Call(func=ast.Name(id="count" as kind), args=[_, *_] as listed)):
            least = _number(node.comparators[0])
        case ast.Compare(ops=[ast.Gt()], left=ast.Call(func=ast.Name(id="share" as kind), args=[_, *_] as listed)):
            share = _number(node.comparators[0])
        case ast.Compare(ops=ops) if all(type(op) in COMPARISONS for op in ops):
            terms = [_term(term, names, sets, cells) for term in (node.left, *node.comparators)]
            found = [_compared(*pair) for pair in zip(ops, terms, terms[1:], strict=False)]
            return _decided(found, len(found))
        case _:
            raise ClaimError(f"`{ast.unparse(node)}` is not a condition")
    if len(listed) == 1 and isinstance(loop := listed[0], ast.GeneratorExp):
        cases = [(", ".join(values), loop.elt, bound) for values, bound in _bindings(loop, names, sets)]
    else:
        cases = [(str(place), part, names) for place, part in enumerate(listed, 1)]
    found = []
    for label, part, bound in cases:
        try:
            outcome = condition(part, bound, sets, cells)
        except Missing:
            if parts is None:
                raise
            outcome = None  # `parts` still gets the other cases
        else:
            found.append(outcome)
        if parts is not None:
            parts[label] = outcome and outcome[0]
    enough = max(1, least)
    if len(found) < (enough if cells.partial else max(enough, len(cases))):
        raise Missing("cases of the claim have not all of their cells")
    if share is not None:
        enough = min(floor(share * len(found)) + 1, len(found))
    return _decided(found, len(found) if kind == "all" else enough)


def _compared(op: ast.cmpop, left: Any, right: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return whether a comparison of two terms is true, and by how much."""
    with np.errstate(invalid="ignore"):
        margin = np.atleast_1d(np.subtract(right, left) * (1 if isinstance(op, (ast.Lt, ast.LtE)) else -1))
    # A comparison with a ratio without a value is false.
    return np.atleast_1d(COMPARISONS[type(op)](left, right)), np.where(np.isnan(margin), -np.inf, margin)


def _decided(found: Sequence[tuple[np.ndarray, np.ndarray]], enough: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where at least ``enough`` of the conditions are true, and the margin of the one that decides it."""
    true, margins = (np.stack(np.broadcast_arrays(*part)) for part in zip(*found, strict=True))
    return true.sum(0) >= enough, np.sort(margins, 0)[len(found) - enough]


def _term(node: ast.expr, names: Names, sets: Sets, cells: Cells) -> Any:
    """Return the value of a term: a number, or an array with one for the numbers and one for each resampling."""
    match node:
        case ast.Constant():
            return _number(node)
        case ast.UnaryOp(op=ast.USub()):
            return -_number(node.operand)
        case ast.Subscript():
            return cells[_cell(node, names)]
        case ast.BinOp() if type(node.op) in OPERATIONS:
            one, other = (_term(part, names, sets, cells) for part in (node.left, node.right))
            with np.errstate(divide="ignore", invalid="ignore"):
                return OPERATIONS[type(node.op)](one, other)
        case ast.Call(func=ast.Name(id="abs"), args=[term], keywords=[]):
            return np.abs(_term(term, names, sets, cells))
        case ast.Call(func=ast.Name(id="change"), args=[ast.Subscript() as cell], keywords=[]):
            student, method, metric = _cell(cell, names)
            return cells[student, method, metric] - cells[student, "initial", metric]
        case ast.Call(func=ast.Name(id="mean"), args=[ast.GeneratorExp() as loop], keywords=[]):
            return np.mean([_term(loop.elt, bound, sets, cells) for _, bound in _bindings(loop, names, sets)], 0)
        case ast.Call(
            func=ast.Name(id="rank_correlation"),
            args=[ast.GeneratorExp(elt=ast.Tuple(elts=[_, _])) as loop],
            keywords=[],
        ):
            return _rank_correlation(loop, names, sets, cells)
    raise ClaimError(f"`{ast.unparse(node)}` is not a term")


def _rank_correlation(loop: ast.GeneratorExp, names: Names, sets: Sets, cells: Cells) -> np.ndarray:
    """Return Spearman's correlation of two terms over their variables' values."""
    pairs, before = [], set(cells.missing)
    for _, bound in _bindings(loop, names, sets):
        try:
            pairs.append([_term(part, bound, sets, cells) for part in loop.elt.elts])
        except Missing:
            continue  # not every method has data of its own for every student
    if len(pairs) < 4:
        raise Missing("a correlation needs four points")
    cells.missing &= before
    points = np.array(pairs, dtype=float)  # points, sides, resamplings
    if points.size:  # planning, which checks claims without values, does not import scipy
        from scipy.stats import spearmanr
    return np.array([spearmanr(*points[:, :, place].T).statistic for place in range(points.shape[2])])


def _bindings(loop: ast.GeneratorExp, names: Names, sets: Sets) -> Iterator[tuple[tuple[str, ...], Names]]:
    """Yield every combination of a loop's variables: their values, and these with what is bound already."""
    variables, members = [], []
    for clause in loop.generators:
        variables.append(_name(clause.target))
        if len(variables[-1]) != 1 or variables[-1] in (*names, *variables[:-1]) or clause.ifs:
            raise ClaimError(f"`{ast.unparse(clause)}`: a variable is one letter that is not in use, without an `if`")
        if isinstance(clause.iter, ast.List) and clause.iter.elts:
            members.append(list(map(_name, clause.iter.elts)))
        elif (name := _name(clause.iter)) in sets:
            members.append(sets[name])
        else:
            raise ClaimError(f"no set {name!r}; there are {', '.join(sorted(sets))}")
    for values in product(*members):
        yield values, {**names, **dict(zip(variables, values, strict=True))}


def _cell(node: ast.Subscript, names: Names) -> Cell:
    """Return ``metric[student, method]`` with each variable's value in its place."""
    if not isinstance(node.slice, ast.Tuple) or len(node.slice.elts) != 2:
        raise ClaimError(f"`{ast.unparse(node)}` must be metric[student, method]")
    parts = [_name(part) for part in (node.value, *node.slice.elts)]
    if unknown := [part for part in parts if len(part) == 1 and part not in names]:
        raise ClaimError(f"nothing says what `{unknown[0]}` stands for in `{ast.unparse(node)}`")
    metric, student, method = (names.get(part, part) for part in parts)
    return student, method, metric


def _name(node: ast.expr) -> str:
    name = node.id if isinstance(node, ast.Name) else node.value if isinstance(node, ast.Constant) else None
    if not isinstance(name, str):
        raise ClaimError(f"`{ast.unparse(node)}` is not a name")
    return name


def _number(node: ast.expr) -> float:
    if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        raise ClaimError(f"`{ast.unparse(node)}` is not a number")
    return node.value


# ---------------------------------------------------------------- cells of a claim
def cells_read(node: ast.AST, sets: Sets, correlated: bool = False, names: Names | None = None) -> Iterator[Cell]:
    """Yield every cell that an expression reads, some more than once.

    ``correlated``: including those of a correlation, which uses whichever points there are.
    """
    names = names or {}
    match node:
        case ast.Subscript():
            yield _cell(node, names)
        case ast.Call(func=ast.Name(id="change"), args=[cell]):
            student, method, metric = _cell(cell, names)
            yield from ((student, method, metric), (student, "initial", metric))
        case ast.Call(func=ast.Name(id="rank_correlation")) if not correlated:
            return
        case ast.GeneratorExp():
            for _, bound in _bindings(node, names, sets):
                yield from cells_read(node.elt, sets, correlated, bound)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from cells_read(child, sets, correlated, names)


def at_least(predicate: ast.expr) -> float:
    """Return the number in a claim of the form ``count(...) >= number``, else 0."""
    match predicate:
        case ast.Compare(left=ast.Call(func=ast.Name(id="count"))):
            return _number(predicate.comparators[0])
    return 0


def students_counted(predicate: ast.expr, sets: Sets, own: Sets, has: Callable[[Cell], bool]) -> dict[str, list[str]]:
    """Return for each of the run's own sets that a claim names the students that count.

    A student counts if, by its config, the run will have every cell that the claim reads of it: not every method is for
    every student. If no student counts, all of them are returned, and the claim is not run because cells are missing.

    ``sets`` are those of the file, ``own`` the run's ``students`` and families; ``has`` returns whether a cell is in
    the run by its config.
    """
    loops = (node.iter for node in ast.walk(predicate) if isinstance(node, ast.comprehension))
    ranges = {_name(one) for one in loops if not isinstance(one, ast.List)}
    return {
        name: [
            one
            for one in own[name]
            if all(has(cell) for cell in cells_read(predicate, {**sets, **own, name: [one]}) if cell[0] == one)
        ]
        or list(own[name])
        for name in sorted(ranges & set(own))
    }
