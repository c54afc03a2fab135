"""A project of its own for tests of how jobs run."""

import shutil

import pytest

from tests.jobs.jobs import SCRIPT
from thinksafe.provenance.digests import ROOT


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with this project's library and one script, which is for tests."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "thinksafe", root / "thinksafe", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "scripts/stage").mkdir(parents=True)
    for folder in ("scripts", "scripts/stage"):
        (root / folder / "__init__.py").touch()
    (root / "scripts/stage/testing.py").write_text(SCRIPT.format(name="testing"))
    (root / "in.txt").write_text("input")
    return root
