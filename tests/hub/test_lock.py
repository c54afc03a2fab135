"""The lock file is read whole or refused, and a job's spec names what has no commit."""

import json
from pathlib import Path

import pytest

from tests.hub.sources import EMPTY, A
from thinksafe.errors import UserError
from thinksafe.hub.lock import read_lock, unpinned


def test_a_broken_lock_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hub.lock.yaml"
    assert read_lock(path) == EMPTY
    for text in ("- a", "models: {a/b: {main: {commit: abc}}}", "modles: {}", "models: {a/b: main}", "{"):
        path.write_text(text)
        with pytest.raises(UserError, match="hub.lock.yaml: this is not a lock"):
            read_lock(path)


def test_a_spec_names_what_has_no_commit() -> None:
    assert unpinned(json.dumps({"model": {"hub": "b/b"}, "data": [{"hub": "a/a", "revision": "main"}]})) == [
        "a/a",
        "b/b",
    ]
    assert unpinned(json.dumps({"model": {"hub": "b/b", "revision": A}})) == []
