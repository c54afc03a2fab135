"""One SLURM cluster for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.slurm import cluster as slurm


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
