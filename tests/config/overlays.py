"""Overlays for tests, and the problems that a config has under them."""

from pathlib import Path
from typing import Any

from thinksafe.config.settings import SettingsError, merge, validate

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "config/config.yaml"
MINIATURE = ROOT / "config/miniature.yaml"


def problems(config: dict[str, Any], *overlays: dict[str, Any]) -> list[str]:
    """Return what is wrong with ``config`` under ``overlays``, a line each."""
    try:
        validate(merge([config, *overlays]))
    except SettingsError as error:
        return str(error).splitlines()
    return []


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return an overlay that sets one key."""
    for key in reversed(path.split("/")):
        value = {key: value}
    return value


def paths(value: Any) -> list[tuple]:
    """Return the path of every key of a config."""
    if not isinstance(value, dict):
        return []
    return [path for key in value for path in [(key,), *((key, *rest) for rest in paths(value[key]))]]
