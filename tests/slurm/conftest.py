"""One SLURM cluster for all tests of this folder, and what they compare with: the same run made without it."""

import subprocess
from collections.abc import Iterator
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
def begun(cluster: slurm.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Driver]]:
    """Begin the smoke run twice, each in a fresh copy of this checkout: with the profile on SLURM, and without.

    Both go on in the background while tests run that need neither. Without SLURM as many processes train as the profile
    has GPUs, as dropout draws from a stream for each.
    """
    smoke = ("all", "--configfile", "config/smoke.yaml")
    folders = {name: copy_of_checkout(tmp_path_factory.mktemp(name) / "checkout") for name in ("slurm", "local")}
    drivers = {
        "local": Driver(folders["local"], None, *smoke, *TWO_DEVICES),
        "slurm": Driver(folders["slurm"], cluster, *smoke),
    }
    try:
        yield drivers
    finally:
        for driver in drivers.values():
            driver.end()


@pytest.fixture(scope="session")
def smoke(begun: dict[str, Driver]) -> Driver:
    """Return the finished smoke run on SLURM."""
    begun["slurm"].finish()
    return begun["slurm"]


@pytest.fixture(scope="session")
def local(begun: dict[str, Driver]) -> Driver:
    """Return the finished smoke run without SLURM."""
    begun["local"].finish()
    return begun["local"]


@pytest.fixture
def copy_of_run(local: Driver, tmp_path: Path) -> Path:
    """Return a copy of the folder in which the smoke run was finished without SLURM."""
    subprocess.run(["cp", "-a", str(local.folder), str(tmp_path / "checkout")], check=True)
    return tmp_path / "checkout"
