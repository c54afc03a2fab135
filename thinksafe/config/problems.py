"""Values of a config that do not fit its types, in plain words: the path of each, what it must be, what it is."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import ValidationError

from thinksafe.config.types import schema
from thinksafe.suggest import nearest

KEY = "[key]"  # pydantic's mark behind the path of an id that the user has chosen
MAPPING = "must be a mapping (key: value), not {input!r}"
BOOLEAN = "must be true or false, not {input!r}"
EMPTY = "must not be empty"
MESSAGES = {
    "greater_than": "must be more than {gt:g}, not {input!r}",
    "greater_than_equal": "must be at least {ge:g}, not {input!r}",
    "less_than": "must be less than {lt:g}, not {input!r}",
    "less_than_equal": "must be at most {le:g}, not {input!r}",
    "list_type": "must be a list such as [{input}], not {input!r}",
    "bool_type": BOOLEAN,
    "bool_parsing": BOOLEAN,
    "dict_type": MAPPING,
    "model_type": MAPPING,
    "string_too_short": EMPTY,
    "value_error": "{error}",
}


def problems_of(error: ValidationError, config: Mapping[str, Any]) -> tuple[list[str], set[str]]:
    """Return a line per problem, and the sections whose values are not valid."""
    lines: list[str] = []
    broken: set[str] = set()
    suggested: dict[tuple, set[str | None]] = defaultdict(set)
    missing: dict[tuple, list[str]] = defaultdict(list)
    for one in error.errors(include_url=False):
        path, kind = one["loc"], one["type"]
        is_id = path[-1:] == (KEY,)
        if kind == "missing":
            missing[path[:-1]].append(path[-1])
        elif kind in ("extra_forbidden", "invalid_key") or (is_id and kind == "literal_error"):
            *parents, key = path[:-1] if is_id else path
            guess, hint = _unknown_key(str(key), parents)
            suggested[tuple(parents)].add(guess)
            broken.update(path[:1] if is_id else ())
            lines.append(f"{dotted([*parents, key])}: no such key; {hint}")
        else:
            broken.add(str(path[0]))
            for key, text in one["ctx"]["problems"].items() if kind == "misfit" else [("", _message(one))]:
                lines.append(f"{dotted((*path, key) if key else path)}: {text}")
    for path, keys in missing.items():
        broken.update(path[:1] or keys)
        if not suggested[path].issuperset(keys):  # a misspelt key has been reported already
            are = "is" if len(keys) == 1 else "are"
            lines.append(f"{dotted(path) or 'config'}: {', '.join(keys)} {are} missing{_other_id(path, config)}")
    return lines, broken


def dotted(path: Sequence[str | int]) -> str:
    """Return a path as one text: ``a.b[0]``."""
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
        about = _schema_at(path).get("description")
        return f"{value!r} is not of the form {context['pattern']}" + (f": {about}" if about else "")
    return MESSAGES[kind].format(input=value, **context) if kind in MESSAGES else one["msg"]


def _unknown_key(key: str, parents: Sequence[str | int]) -> tuple[str | None, str]:
    """Return the key of the same section that is most similar to an unknown one, if any is, and a hint for the user."""
    section = _schema_at(parents)
    here = list(section["properties"]) if "properties" in section else section["propertyNames"]["enum"]
    if guess := nearest(key, here):
        return guess, f"did you mean {dotted([*parents, guess])}?"
    elsewhere: dict[str, str] = {}
    for path in sorted(_all_keys(_schema()), key=len):  # the outermost one
        elsewhere.setdefault(path[-1], dotted(path))
    if there := nearest(key, elsewhere):
        return None, f"did you mean {elsewhere[there]}?"
    return None, f"possible keys are {', '.join(here) or 'none'}"


def _other_id(path: Sequence[str | int], config: Mapping[str, Any]) -> str:
    """Return which other id the user may have meant by that of an incomplete entry."""
    if not path or not _schema_at(path[:-1]).get("additionalProperties"):  # not an entry with an id
        return ""
    entries: Any = config
    for key in path[:-1]:
        entries = entries[key]
    guess = nearest(path[-1], [str(name) for name in entries if name != path[-1]])
    return f" (or did you mean {dotted([*path[:-1], guess])}?)" if guess else ""


# ---------------------------------------------------------------- the schema along a path
_schema = cache(schema)


def _resolved(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of the schema with the definition that it refers to."""
    target = _schema()["$defs"][part["$ref"].removeprefix("#/$defs/")] if "$ref" in part else {}
    return {**target, **part}


def _schema_at(path: Sequence[str | int]) -> dict[str, Any]:
    part = _schema()
    for key in path:
        inner = part["items"] if isinstance(key, int) else part.get("properties", {}).get(key)
        part = _resolved(inner or part["additionalProperties"])
    return part


def _all_keys(part: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    part = _resolved(part)
    for key, inner in part.get("properties", {}).items():
        yield (*path, key)
        yield from _all_keys(inner, (*path, key))
    if isinstance(entries := part.get("additionalProperties"), dict):
        yield from _all_keys(entries, (*path, "<id>"))
