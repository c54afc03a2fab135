"""Claims as data: what `config/claims.yaml` may say, and errors where it says anything else (docs/claims.md).

A claim is a tree of lists and mappings with a closed vocabulary. Nothing in it is ever executed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from typing import Any

COMPARISONS = ("<", "<=", ">", ">=")
CONDITIONS = {
    frozenset({"every", "that"}),
    frozenset({"at_least", "of", "that"}),
    frozenset({"more_than", "of", "that"}),
    frozenset({"at_least", "among"}),
    frozenset({"all"}),
    frozenset({"any"}),
    frozenset({"that"}),
}
TERMS = {"change": 1, "size": 1, "minus": 2, "plus": 2, "over": 2, "times": 2, "mean": 1, "rank_correlation": 2}
LOOPED = ("mean", "rank_correlation")  # terms over all values of their variables
ID = re.compile(r"[A-Z]\d\d")
Names = Mapping[str, str]
Sets = Mapping[str, Sequence[str]]
Cell = tuple[str, str, str]


class ClaimError(ValueError):
    """A claim says what no claim can say."""


@dataclass(frozen=True)
class Claim:
    """One claim: its id, the paper's section, our wording, whose reading it is (paper or ours), and its predicate."""

    id: str
    section: str
    text: str
    reading: str
    predicate: Mapping[str, Any]


def read_claims(given: Any, families: Sequence[str]) -> tuple[list[Claim], dict[str, list[str]]]:
    """Return the claims of a file that YAML has read, and its named sets.

    Parameters
    ----------
    given : what YAML returned
    families : sequence of str
        Families of students, each a set that a claim may name beside ``students`` (all).

    Raises
    ------
    ClaimError
        With the claim's id, where and what is wrong.
    """
    if not isinstance(given, Mapping) or set(given) != {"sets", "claims"}:
        raise ClaimError("claims: a mapping with `sets` and `claims` is wanted, and nothing else")
    sets = {name: _names(members, f"sets.{name}") for name, members in given["sets"].items()}
    if taken := {"students", *families} & set(sets):
        raise ClaimError(f"sets: {', '.join(sorted(taken))} is the run's own")
    known = {*sets, "students", *families}
    claims = []
    for name, entry in given["claims"].items():
        if not ID.fullmatch(str(name)):
            raise ClaimError(f"{name}: an id is one capital letter and two figures")
        if not isinstance(entry, Mapping):
            raise ClaimError(f"{name}: a mapping is wanted")
        about = {key: entry.get(key) for key in ("section", "text")}
        for key, value in about.items():
            if not isinstance(value, str):
                raise ClaimError(f"{name}.{key}: text is wanted, in quotes where it reads as a number")
        reading = entry.get("reading", "paper")
        if reading not in ("paper", "ours"):
            raise ClaimError(f"{name}.reading: paper or ours, not {reading!r}")
        predicate = {key: value for key, value in entry.items() if key not in ("section", "text", "reading")}
        _condition(predicate, (), known, name)
        claims.append(Claim(name, about["section"], about["text"], reading, predicate))
    return claims, sets


def check_metrics(given: Mapping[str, Any], families: Sequence[str], metrics: Collection[str]) -> None:
    """Raise a ClaimError where a claim asks for a metric that no table has: misspelt, it would never be run."""
    sets = {**given["sets"], **{name: [name] for name in ("students", *families)}}
    for name, claim in given["claims"].items():
        for *_, metric in asked(claim, sets):
            if metric not in metrics:
                near = get_close_matches(metric, metrics, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(metrics))}"
                raise ClaimError(f"{name}: no metric is {metric!r}; {hint}")


def _names(given: Any, where: str) -> list[str]:
    if not isinstance(given, list) or not given or not all(isinstance(name, str) for name in given):
        raise ClaimError(f"{where}: a list of names is wanted")
    return given


def _variables(given: Any, bound: tuple[str, ...], known: set[str], where: str) -> tuple[str, ...]:
    if not isinstance(given, Mapping) or not given:
        raise ClaimError(f"{where}: variables with their sets are wanted, as {{s: students}}")
    for name, members in given.items():
        if isinstance(members, str) and members not in known:
            raise ClaimError(f"{where}.{name}: no set {members!r}; there are {', '.join(sorted(known))}")
        if not isinstance(members, str):
            _names(members, f"{where}.{name}")
        if name in bound:
            raise ClaimError(f"{where}.{name}: this variable is in use already")
    return (*bound, *given)


def _condition(given: Any, bound: tuple[str, ...], known: set[str], where: str) -> None:
    if isinstance(given, list):
        if len(given) != 3 or given[1] not in COMPARISONS:
            raise ClaimError(f"{where}: [term, one of {' '.join(COMPARISONS)}, term] is wanted, not {given!r}")
        _term(given[0], bound, known, f"{where}[0]")
        _term(given[2], bound, known, f"{where}[2]")
        return
    if not isinstance(given, Mapping) or frozenset(given) not in CONDITIONS:
        raise ClaimError(f"{where}: no condition has {given!r}; see docs/claims.md for the vocabulary")
    for key in ("every", "of"):
        if key in given:
            bound = _variables(given[key], bound, known, f"{where}.{key}")
    for key in ("at_least", "more_than"):
        if key in given and not _is_number(given[key]):
            raise ClaimError(f"{where}.{key}: a number is wanted, not {given[key]!r}")
    if "that" in given:
        _condition(given["that"], bound, known, f"{where}.that")
    for key in {"all", "any", "among"} & set(given):
        if not isinstance(given[key], list) or not given[key]:
            raise ClaimError(f"{where}.{key}: a list of conditions is wanted")
        for place, part in enumerate(given[key]):
            _condition(part, bound, known, f"{where}.{key}[{place}]")


def _is_number(given: Any) -> bool:
    return isinstance(given, (int, float)) and not isinstance(given, bool)


def _term(given: Any, bound: tuple[str, ...], known: set[str], where: str) -> None:
    if _is_number(given):
        return
    if isinstance(given, list):
        if len(given) != 3 or not all(isinstance(part, str) for part in given):
            raise ClaimError(f"{where}: a cell is [student, method, metric], not {given!r}")
        for part in given:
            if part.startswith("$") and part[1:] not in bound:
                raise ClaimError(f"{where}: nothing says what {part} stands for")
        return
    kinds = set(given) - {"of"} if isinstance(given, Mapping) else set()
    if len(kinds) != 1 or not kinds <= TERMS.keys() or ("of" in given) != bool(kinds & set(LOOPED)):
        raise ClaimError(f"{where}: no term is {given!r}; see docs/claims.md for the vocabulary")
    (kind,) = kinds
    if "of" in given:
        bound = _variables(given["of"], bound, known, f"{where}.of")
    parts = [given[kind]] if TERMS[kind] == 1 else given[kind]
    if not isinstance(parts, list) or len(parts) != TERMS[kind]:
        raise ClaimError(f"{where}.{kind}: {TERMS[kind]} terms are wanted")
    if kind == "change" and not isinstance(parts[0], list):
        raise ClaimError(f"{where}.change: a cell is wanted")
    for place, part in enumerate(parts):
        _term(part, bound, known, f"{where}.{kind}[{place}]")


# ---------------------------------------------------------------- what a claim is about
def bindings(variables: Mapping[str, Any], names: Names, sets: Sets) -> Iterator[Names]:
    """Yield every combination of the variables' values, with what is bound already."""
    members = [sets[one] if isinstance(one, str) else one for one in variables.values()]
    for values in product(*members):
        yield {**names, **dict(zip(variables, values, strict=True))}


def resolved(cell: Sequence[str], names: Names) -> Cell:
    """Return a cell with each variable's value in its place."""
    student, method, metric = (names[part[1:]] if part.startswith("$") else part for part in cell)
    return student, method, metric


def asked(given: Any, sets: Sets, correlated: bool = False, names: Names | None = None) -> Iterator[Cell]:
    """Yield every cell that a predicate reads, some of them more than once.

    Parameters
    ----------
    given : a condition or a term
    correlated : bool
        Whether those of a correlation count as well, which takes the points that there are.
    """
    names = names or {}
    if isinstance(given, list):
        if len(given) == 3 and all(isinstance(part, str) for part in given):
            yield resolved(given, names)
        else:  # the parts of a comparison, of a term, or conditions
            for part in given:
                yield from asked(part, sets, correlated, names)
    if not isinstance(given, Mapping) or ("rank_correlation" in given and not correlated):
        return
    if "change" in given:
        student, method, metric = resolved(given["change"], names)
        yield from ((student, method, metric), (student, "initial", metric))
        return
    variables = given.get("every", given.get("of", {}))
    for bound in bindings(variables, names, sets):
        for key, part in given.items():
            if key not in ("every", "of"):
                yield from asked(part, sets, correlated, bound)


def counted(predicate: Any, sets: Sets, own: Sets, has: Callable[[Cell], bool]) -> dict[str, list[str]]:
    """Return for each of the run's own sets that a claim ranges over the students that count.

    A student counts for whom the run means to have every cell that the claim asks of it: not each method is meant for
    each student. Where that leaves nobody, all of them stay, and the claim cannot be judged for want of their cells.

    Parameters
    ----------
    sets : mapping
        The sets of the file.
    own : mapping
        ``students`` and the families: the run's.
    has : callable
        Whether a cell is in the run by its config.
    """
    over = {}
    for name in sorted(_ranges(predicate) & set(own)):
        over[name] = [
            one
            for one in own[name]
            if all(has(cell) for cell in asked(predicate, {**sets, **own, name: [one]}) if cell[0] == one)
        ] or list(own[name])
    return over


def _ranges(given: Any) -> set[str]:
    """Return the names of the sets that a predicate's variables range over."""
    if isinstance(given, Mapping):
        variables = given.get("every", given.get("of", {}))
        found = {one for one in variables.values() if isinstance(one, str)}
        return found.union(*map(_ranges, given.values()))
    return set().union(*map(_ranges, given)) if isinstance(given, list) else set()
