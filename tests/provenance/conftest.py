"""The run of `tests/provenance/trial.py` as fixtures."""

import contextlib
import shutil

import pytest

from tests.provenance.trial import write_run


@pytest.fixture
def run(built, tmp_path, monkeypatch):
    """A copy of the run, as the current folder."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A run with one cell and all behind it, in two shards each."""
    folder = tmp_path_factory.mktemp("built")
    with contextlib.chdir(folder):
        write_run()
    return folder
