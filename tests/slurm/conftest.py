"""One SLURM cluster for all tests of this folder, and what they compare with: the same run made without it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.slurm import cluster as slurm
from tests.slurm.driver import TWO_DEVICES, Driver, copy_of_checkout


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Fail where there is no SLURM: `make slurm-check` has installed it where that can be done."""
    if lacking := slurm.missing():
        pytest.fail(f"no SLURM on this machine: {', '.join(lacking)} not found. Run `make setup-slurm` as root")


@pytest.fixture(scope="session")
def cluster(installed: None) -> Iterator[slurm.Cluster]:
    """Return the running cluster."""
    with slurm.running() as running:
        yield running


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """Return the smoke run, begun on this machine in a folder of its own; ``finish`` waits for it.

    Two processes train, as with the profile: dropout draws from a stream for each.
    """
    if given := os.environ.get("LOCAL_RUN"):  # DEV
        return type("L", (), {"folder": Path(given), "finish": lambda self: None})()  # DEV
    folder = copy_of_checkout(tmp_path_factory.mktemp("local") / "checkout")
    return Driver(folder, None, "all", "--configfile", "config/smoke.yaml", *TWO_DEVICES)


@pytest.fixture
def copy_of_run(local: Driver, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that copies the folder of the finished smoke run."""

    def copy() -> Path:
        local.finish()
        target = tmp_path / "checkout"
        subprocess.run(["cp", "-a", str(local.folder), str(target)], check=True)
        return target

    return copy
