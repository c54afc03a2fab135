"""The types of the config: values as they are read, and the schema for editors."""

import copy
import subprocess
import sys
from datetime import date
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from tests.config.overlays import PAPER, ROOT, nested, paths, problems
from thinksafe.config import settings
from thinksafe.config.problems import problems_of
from thinksafe.config.settings import merge, read, validate
from thinksafe.config.types import Chat, Config, plain

SCHEMA = read(ROOT / "config/config.schema.yaml")


def test_paper_holds_every_key_but_the_worlds(paper: dict[str, Any]) -> None:
    assert set(SCHEMA["properties"]) - set(paper) == {"world"}


def test_schema_is_that_of_the_types() -> None:
    command = [sys.executable, "-m", "thinksafe.config.types"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / "config/config.schema.yaml").read_text(), "make it again: its first line says how"


def test_schema_is_a_schema_and_closed_and_described() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    definitions = SCHEMA["$defs"]

    def walk(part: dict[str, Any], path: str) -> None:
        target = definitions[part["$ref"].removeprefix("#/$defs/")] if "$ref" in part else {}
        whole = {**target, **part}
        if whole.get("type") == "object":
            assert "additionalProperties" in whole, f"{path} is open"
        for key, child in whole.get("properties", {}).items():
            described = "description" in {**definitions.get(child.get("$ref", "")[8:], {}), **child}
            assert described, f"{path}.{key} is not described"
            walk(child, f"{path}.{key}")
        for keyword in ("additionalProperties", "items"):
            if isinstance(whole.get(keyword), dict):
                walk(whole[keyword], f"{path}[]")

    walk(SCHEMA, "")


@pytest.mark.parametrize(
    ("path", "given", "typed"),
    [
        ("training/learning_rate", "1e-5", 1e-5),
        ("training/learning_rate", 1, 1.0),
        ("training/batch_size", "16", 16),
        ("training/batch_size", 16.0, 16),
        ("training/max_tokens", "1e3", 1000),
        ("replicates", ["1", "0"], [0, 1]),
        ("run", 7, "7"),
        ("benchmarks/aime24/contains", {"url": 2024}, {"url": "2024"}),
    ],
)
def test_values_take_the_schemas_type(path: str, given: Any, typed: Any, paper: dict[str, Any]) -> None:
    value: Any = plain(validate(merge([paper, nested(path, given)])))
    for key in path.split("/"):
        value = value[key]
    assert (value, type(value)) == (typed, type(typed))


def test_words_become_booleans_and_nothing_else_does(paper: dict[str, Any]) -> None:
    for given, typed in (("true", True), ("False", False), ("on", True), (True, True)):
        assert validate(merge([paper, nested("report/public", given)])).report.public is typed
    found = problems(paper, nested("report/public", "perhaps"))
    assert found == ["config: report.public: must be true or false, not 'perhaps'"]


def test_the_order_of_sets_and_keys_means_nothing(paper: dict[str, Any]) -> None:
    def backwards(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: backwards(value[key]) for key in reversed(value)}
        return value

    turned = backwards(paper)
    turned["training"]["lora"]["targets"].reverse()
    turned["prompts"]["harmful"]["where"]["label"].reverse()
    assert validate(turned) == validate(paper)


@pytest.mark.slow
def test_the_types_agree_with_the_schema(paper: dict[str, Any]) -> None:
    """Every key set to every odd value: what we take must satisfy jsonschema, what we refuse must not."""
    keep = {
        "models": ["qwen3-0.6b"],
        "guards": ["wildguard"],
        "methods": ["initial", "rejection"],
        "corpora": ["safekey"],
        "benchmarks": ["harmbench", "gpqa"],
    }
    small = {**paper, **{key: {name: paper[key][name] for name in names} for key, names in keep.items()}}
    numbers: list[Any] = [-1, 0, 1, 1.5, 10**6]
    odd = [None, True, "x", "3", "1e-5", "UPPER CASE", *numbers, [], [1, 1], ["a", "a"], ["a"], {}, {"a": 1}]
    oracle = jsonschema.Draft202012Validator(SCHEMA)
    accepted = refused = 0
    for path in paths(small):
        for value in odd:
            changed = copy.deepcopy(small)
            *parents, last = path
            part = changed
            for key in parents:
                part = part[key]
            part[last] = value
            given = settings.without_nulls(changed)
            try:
                result = plain(Config.model_validate(given))
            except ValidationError as error:
                refused += 1
                found, _ = problems_of(error, given)
                assert found and not oracle.is_valid(given), f"{path} = {value!r}: {found}"
            else:
                accepted += 1
                assert oracle.is_valid(result), f"{path} = {value!r}"
    assert accepted > 100 and refused > 1000


@pytest.mark.parametrize(
    ("size", "billions"),
    [("0.6B", 0.6), ("350m", 0.35), ("30B-A3B", 30.0), (" 8 B", 8.0), ("mini", None), ("1.5", None)],
)
def test_a_models_size_is_its_total_number_of_parameters(size: str, billions: float | None) -> None:
    config = settings.load([PAPER], {"models": {"qwen3-4b": {"size": size}}})
    assert config.models["qwen3-4b"].billions == billions


@pytest.mark.parametrize("day", ["2026-01-01", date(2026, 1, 1)])  # YAML reads a bare day as a date
def test_the_clock_of_a_template_is_a_day(day):
    assert plain(Chat(date=day)) == {"date": "2026-01-01"} and plain(Chat(think="none")) == {"think": "none"}
    for wrong in ("2026-02-30", "today", 20260101):
        with pytest.raises(ValueError, match="must be a day such as 2026-01-31"):
            Chat(date=wrong)
