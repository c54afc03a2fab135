"""Suggest which name a misspelt one was meant to be."""

import difflib
from collections.abc import Iterable
from typing import Any


def nearest(name: Any, names: Iterable[str]) -> str | None:
    """Return the one of ``names`` that looks most like ``name``, if any does."""
    found = difflib.get_close_matches(str(name).lower(), list(names), n=1, cutoff=0.6)
    return found[0] if found else None
