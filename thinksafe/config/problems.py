"""What does not fit the types of a config, in plain words: the path of each value, what it must be, what it is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError

from thinksafe.config.types import Config, Section, described
from thinksafe.suggest import nearest

KEY = "[key]"  # behind the path of a key that the user has chosen
MAPPING = "must be a mapping (key: value), not {input!r}"
EMPTY = "must not be empty"
MESSAGES = {
    "greater_than": "must be more than {gt:g}, not {input!r}",
    "greater_than_equal": "must be at least {ge:g}, not {input!r}",
    "less_than": "must be less than {lt:g}, not {input!r}",
    "less_than_equal": "must be at most {le:g}, not {input!r}",
    "list_type": "must be a list such as [{input}], not {input!r}",
    "dict_type": MAPPING,
    "model_type": MAPPING,
    "string_too_short": EMPTY,
    "value_error": "{error}",
}


def problems_of(error: ValidationError, config: Mapping[str, Any]) -> tuple[list[str], set[str]]:
    """Return a line per problem, and the sections whose values cannot be relied on."""
    lines: list[str] = []
    broken: set[str] = set()
    meant: dict[tuple, set[str | None]] = defaultdict(set)
    missing: dict[tuple, list[str]] = defaultdict(list)
    for one in error.errors(include_url=False):
        path, kind = one["loc"], one["type"]
        chosen = path[-1:] == (KEY,)
        if kind == "missing":
            missing[path[:-1]].append(path[-1])
        elif kind in ("extra_forbidden", "invalid_key") or (chosen and kind == "literal_error"):
            *parents, key = path[:-1] if chosen else path
            guess, text = _unknown(str(key), parents)
            meant[tuple(parents)].add(guess)
            broken.update(path[:1] if chosen else ())
            lines.append(f"{written([*parents, key])}: no such key; {text}")
        else:
            broken.add(str(path[0]))
            for key, text in one["ctx"]["problems"].items() if kind == "misfit" else [("", _message(one))]:
                lines.append(f"{written((*path, key) if key else path)}: {text}")
    for path, absent in missing.items():
        broken.update(path[:1] or absent)
        if not meant[path].issuperset(absent):  # a misspelt key has been reported already
            are = "is" if len(absent) == 1 else "are"
            lines.append(f"{written(path) or 'config'}: {', '.join(absent)} {are} missing{_other_id(path, config)}")
    return lines, broken


def written(path: Sequence[str | int]) -> str:
    """Return a path as it is written: ``a.b[0]``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path if key != KEY).lstrip(".")


def _message(one: Mapping[str, Any]) -> str:
    """Return what is wrong with one value."""
    path, kind, value, context = one["loc"], one["type"], one["input"], one.get("ctx", {})
    if path[-1] == KEY:
        bad = f"the key is read as {value!r}; put it in quotes"
        return bad if kind == "value_error" else "an id holds only a-z, 0-9, . and -, and begins with a letter or digit"
    if kind == "literal_error":
        values = re.findall("'([^']*)'", context["expected"])
        guess = nearest(value, values)
        return f"must be one of {', '.join(values)}, not {value!r}" + (f"; did you mean {guess}?" if guess else "")
    if kind == "too_short":
        return EMPTY if context["min_length"] == 1 else f"must hold at least {context['min_length']} values"
    if kind == "string_pattern_mismatch":
        section = _kind_at(path[:-1])
        about = described(section, path[-1]) if _is_section(section) else ""
        return f"{value!r} is not of the form {context['pattern']}" + (f": {about}" if about else "")
    return MESSAGES[kind].format(input=value, **context) if kind in MESSAGES else one["msg"]


def _unknown(key: str, parents: Sequence[str | int]) -> tuple[str | None, str]:
    """Return the key of the same section that looks most like an unknown one, if any does, and what to say of it."""
    here = _keys(_kind_at(parents))
    if guess := nearest(key, here):
        return guess, f"did you mean {written([*parents, guess])}?"
    elsewhere: dict[str, str] = {}
    for path in sorted(_all_keys(Config), key=len):  # the outermost one
        elsewhere.setdefault(path[-1], written(path))
    if there := nearest(key, elsewhere):
        return None, f"did you mean {elsewhere[there]}?"
    return None, f"here may stand {', '.join(here)}"


def _other_id(path: Sequence[str | int], config: Mapping[str, Any]) -> str:
    """Return which other id may have been meant by that of an entry which is not whole."""
    if not path or get_origin(_kind_at(path[:-1])) is not dict:
        return ""
    entries: Any = config
    for key in path[:-1]:
        entries = entries[key]
    guess = nearest(path[-1], [str(name) for name in entries if name != path[-1]])
    return f" (or did you mean {written([*path[:-1], guess])}?)" if guess else ""


# ---------------------------------------------------------------- the types along a path
def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _bare(kind: Any) -> Any:
    """Return a type without its bounds and without None."""
    while get_origin(kind) in (Annotated, Union, UnionType):
        kind = get_args(kind)[0]
    return kind


def _fields(section: type[Section]) -> dict[str, Any]:
    return {field.alias or name: _bare(field.annotation) for name, field in section.model_fields.items()}


def _keys(kind: Any) -> list[str]:
    """Return the keys that may stand in a section, or in a mapping with certain keys."""
    return list(_fields(kind)) if _is_section(kind) else list(get_args(get_args(kind)[0]))


def _kind_at(path: Sequence[str | int]) -> Any:
    kind: Any = Config
    for key in path:
        kind = _fields(kind)[key] if _is_section(kind) else _bare(get_args(kind)[-1])
    return kind


def _all_keys(kind: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if _is_section(kind):
        for key, inner in _fields(kind).items():
            yield (*path, key)
            yield from _all_keys(inner, (*path, key))
    elif get_origin(kind) is dict:
        yield from _all_keys(_bare(get_args(kind)[-1]), (*path, "<id>"))
