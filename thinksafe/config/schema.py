"""Bring a value to the types of a JSON Schema and say in plain words where it does not fit.

Only the keywords that config/config.schema.yaml uses are understood, and any other is refused. The ``jsonschema``
package would not turn the text "1e-5" of a command line into a number, and takes longer to import than a whole config
takes to check; a test holds the two to the same verdict.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

KEYWORDS = frozenset(
    "$ref additionalProperties default dependentRequired description enum exclusiveMaximum exclusiveMinimum items "
    "maximum minItems minLength minProperties minimum oneOf pattern properties propertyNames required type uniqueItems "
    "x-unordered".split()
)
TYPES = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
BOUNDS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "minimum": (lambda value, bound: value >= bound, "at least"),
    "exclusiveMinimum": (lambda value, bound: value > bound, "more than"),
    "maximum": (lambda value, bound: value <= bound, "at most"),
    "exclusiveMaximum": (lambda value, bound: value < bound, "less than"),
}


def nearest(name: Any, names: Iterable[str]) -> str | None:
    """Return the one of ``names`` that looks most like ``name``, if any does."""
    found = difflib.get_close_matches(str(name).lower(), list(names), n=1, cutoff=0.6)
    return found[0] if found else None


class Problems(list[str]):
    """Problems found so far, one text each; ``broken`` names the sections whose values cannot be relied on."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()

    def add(self, path: str, text: str, breaks: bool = True) -> None:
        """Record that what stands at ``path`` has a problem."""
        self.append(f"{path}: {text}")
        if breaks:
            self.broken.add(path.split(".")[0])

    def suggest(self, start: int, where: str, path: str, guess: str | None) -> None:
        """Let problems from ``start`` on say that an id whose entry is not whole may be another one, misspelt."""
        for place in range(start, len(self)):
            if guess and self[place].startswith(f"{where}: ") and self[place].endswith(" missing"):
                self[place] += f" (or did you mean {path}.{guess}?)"


class Schema:
    """A JSON Schema that types, completes and checks a value in one walk."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root

    def apply(self, value: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        """Return ``value`` typed, with defaults, without keys that are null; add what does not fit to ``problems``."""
        top = {key: part for key, part in self.root.items() if key not in ("$schema", "$defs", "title")}
        return self._apply(value, top, "", problems)

    def _resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            target = self.root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
            schema = {**target, **{key: part for key, part in schema.items() if key != "$ref"}}
        unknown = schema.keys() - KEYWORDS
        if unknown:
            raise ValueError(f"schema: keywords that are not understood here: {', '.join(sorted(unknown))}")
        return schema

    def _apply(self, value: Any, schema: Mapping[str, Any], path: str, problems: Problems) -> Any:
        schema = self._resolve(schema)
        kind = schema["type"]
        if kind == "object":
            if not isinstance(value, Mapping):
                problems.add(path, f"must be a mapping (key: value), not {value!r}")
                return {}
            return self._object(value, schema, path, problems)
        if kind == "array":
            if not isinstance(value, list | tuple):
                problems.add(path, f"must be a list such as [{value}], not {value!r}")
                return []
            return self._array(value, schema, path, problems)
        return _scalar(value, schema, path, problems)

    def _object(self, value: Mapping, schema: Mapping[str, Any], path: str, problems: Problems) -> dict[str, Any]:
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        result: dict[str, Any] = {}
        misspelt = set()
        for key, part in value.items():
            where = f"{path}.{key}" if path else str(key)
            if part is None:  # an overlay drops an inherited key by null
                continue
            if key in properties:
                result[key] = self._apply(part, properties[key], where, problems)
            elif others is False:
                misspelt.add(nearest(key, properties))
                problems.add(where, f"no such key{self._suggest(key, properties, path)}", breaks=False)
            else:
                _name(key, self._resolve({"type": "string", **schema.get("propertyNames", {})}), where, problems)
                known = len(problems)
                result[str(key)] = part if others is True else self._apply(part, others, where, problems)
                problems.suggest(known, where, path, nearest(key, [name for name in value if name != key]))
        self._complete(result, schema, path, misspelt, problems)
        for key, part in properties.items():
            if key not in result and "default" in (resolved := self._resolve(part)):
                result[key] = self._apply(resolved["default"], resolved, f"{path}.{key}", problems)
        return result

    def _complete(self, result: dict, schema: Mapping[str, Any], path: str, misspelt: set, problems: Problems) -> None:
        absent = [key for key in schema.get("required", ()) if key not in result]
        if absent and not misspelt.issuperset(absent):  # a misspelt key has been reported already
            are = "is" if len(absent) == 1 else "are"
            problems.add(path or "config", f"{', '.join(absent)} {are} missing")
        if absent:
            problems.broken.update(absent if not path else [path.split(".")[0]])
        kinds = [option["required"][0] for option in schema.get("oneOf", ())]
        given = [kind for kind in kinds if kind in result]
        if kinds and len(given) != 1 and not misspelt.intersection(kinds):
            problems.add(path, f"needs exactly one of {', '.join(kinds)}, not {' and '.join(given) or 'none of them'}")
        if kinds and len(given) != 1:
            problems.broken.add(path.split(".")[0])
        elif kinds:
            for key, needed in schema.get("dependentRequired", {}).items():
                lacking = [other for other in needed if other not in result]
                if key in result and lacking:
                    problems.add(f"{path}.{key}", f"only goes with {', '.join(lacking)}, which is missing")
        if len(result) < schema.get("minProperties", 0):
            problems.add(path, "must not be empty")

    def _array(self, value: list, schema: Mapping[str, Any], path: str, problems: Problems) -> list[Any]:
        result = [self._apply(part, schema["items"], f"{path}[{i}]", problems) for i, part in enumerate(value)]
        if len(result) < schema.get("minItems", 0):
            problems.add(path, "must not be empty")
        if schema.get("uniqueItems"):
            twice = [part for i, part in enumerate(result) if part in result[:i] and part not in result[i + 1 :]]
            for part in twice:
                problems.add(path, f"{part} stands there more than once")
        if schema.get("x-unordered"):
            result.sort(key=lambda part: (part if isinstance(part, int | float) else 0, str(part)))
        return result

    def _suggest(self, key: Any, properties: Mapping[str, Any], path: str) -> str:
        """Return "; did you mean ...?" with the whole path of the nearest key, here or elsewhere in the schema."""
        here = nearest(key, properties)
        if here:
            return f"; did you mean {path + '.' if path else ''}{here}?"
        elsewhere: dict[str, str] = {}
        for where in sorted(self._paths(self.root, ""), key=lambda path: path.count(".")):  # the outermost one
            elsewhere.setdefault(where.rsplit(".", 1)[-1], where)
        there = nearest(key, elsewhere)
        if there:
            return f"; did you mean {elsewhere[there]}?"
        return f"; here may stand {', '.join(properties)}"

    def _paths(self, schema: Mapping[str, Any], path: str) -> Iterable[str]:
        schema = self._resolve({key: part for key, part in schema.items() if key not in ("$schema", "$defs", "title")})
        for key, part in schema.get("properties", {}).items():
            where = f"{path}.{key}" if path else key
            yield where
            yield from self._paths(part, where)
        if isinstance(schema.get("additionalProperties"), Mapping):
            yield from self._paths(schema["additionalProperties"], f"{path}.<id>")


def _name(key: Any, schema: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Check a key that the user has chosen."""
    if isinstance(key, bool) or not isinstance(key, str | int):
        problems.add(path, f"the key is read as {key!r}; put it in quotes")
    elif not re.search(schema.get("pattern", ""), str(key)):
        problems.add(path, "an id holds only a-z, 0-9, dots and hyphens, and opens with a letter or a figure")


def _scalar(value: Any, schema: Mapping[str, Any], path: str, problems: Problems) -> Any:
    kind = schema["type"]
    try:
        value = _typed(value, kind)
    except ValueError as error:
        problems.add(path, str(error) or f"must be {TYPES[kind]}, not {value!r}")
        return value
    if "enum" in schema and value not in schema["enum"]:
        guess = nearest(value, schema["enum"])
        mean = f"; did you mean {guess}?" if guess else ""
        problems.add(path, f"must be one of {', '.join(schema['enum'])}, not {value!r}{mean}")
    for keyword, (holds, words) in BOUNDS.items():
        if keyword in schema and not holds(value, schema[keyword]):
            problems.add(path, f"must be {words} {schema[keyword]}, not {value!r}")
    if len(value if isinstance(value, str) else "?") < schema.get("minLength", 0):
        problems.add(path, "must not be empty")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        told = f": {schema['description']}" if "description" in schema else ""
        problems.add(path, f"{value!r} is not of the form {schema['pattern']}{told}")
    return value


def _typed(value: Any, kind: str) -> Any:
    """Return ``value`` as ``kind``: a command line gives texts, and YAML 1.1 reads 1e-5 as one."""
    if kind == "string":
        if isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise ValueError(f"must be text, and is read as {value!r}; put it in quotes")
    if kind == "boolean":
        words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in words:
            return words[value.lower()]
        raise ValueError()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError()
    try:
        if kind == "integer" and not isinstance(value, float):
            return int(value)
    except ValueError:
        pass  # "1e3", or no number at all
    try:
        number = float(value)
    except ValueError:
        raise ValueError() from None
    if not math.isfinite(number) or kind == "integer" and number != int(number):
        raise ValueError()
    return int(number) if kind == "integer" else number
