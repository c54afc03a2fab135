"""Configs that the tests of this folder start from."""

from typing import Any

import pytest

from tests.config.overlays import MINIATURE, PAPER, ROOT
from thinksafe.config.settings import merge, read


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the paper's config as it is written."""
    monkeypatch.chdir(ROOT)
    return read(PAPER)


@pytest.fixture
def miniature(paper: dict[str, Any]) -> dict[str, Any]:
    """Return the paper's config under the miniature's."""
    return merge([paper, read(MINIATURE)])
