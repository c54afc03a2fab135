"""The study of the paper's config, of other selections, and of overlays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thinksafe.config import settings
from thinksafe.study.study import Study

CONFIG = Path(__file__).parents[2] / "config"


def study_of(*overlays: str, **changes: Any) -> Study:
    """Return the study of the paper's config under overlays of config/ and these changes."""
    config = settings.load([CONFIG / "config.yaml", *(CONFIG / name for name in overlays)], changes)
    return Study(config, settings.read(CONFIG / "claims.yaml"))


@pytest.fixture(scope="session")
def paper() -> Study:
    """Return the study of the paper's whole run."""
    return study_of()


@pytest.fixture(scope="session")
def miniature() -> Study:
    """Return the study of the miniature."""
    return study_of("miniature.yaml")


@pytest.fixture(scope="session")
def make() -> Callable[..., Study]:
    """Return `study_of`."""
    return study_of
