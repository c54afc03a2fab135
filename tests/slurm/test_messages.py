"""A site's refusal is reported at once, with what to change; and a site without accounting."""

import pytest

from tests.slurm import cluster as slurm
from tests.slurm.driver import Driver, copy_of_checkout, site

# Beside the smoke runs in the background, which it does not need.
pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900), pytest.mark.usefixtures("begun")]

TABLE = ("--configfile", "config/smoke.yaml", "--", "results/smoke/tables/table5.csv")  # one job, which needs nothing


@pytest.mark.parametrize(
    "facts, told",
    [
        ({"cpu_partition": "nowhere"}, "invalid partition specified: nowhere"),
        ({"account": "others"}, "The given account others appears to be invalid. Available"),
        ({"cpu_partition": "closed"}, "Invalid account or account/partition combination specified"),
    ],
    ids=["no such partition", "account of others", "partition of others"],
)
def test_a_refusal_is_told_at_once(cluster, tmp_path, facts, told):
    folder = copy_of_checkout(tmp_path / "checkout")
    site(folder, **facts)
    driver = Driver(folder, cluster, *TABLE)
    assert told in driver.finish(1, 240)
    assert not driver.job()


def test_without_accounting_squeue_tells_what_jobs_do(tmp_path):
    folder = copy_of_checkout(tmp_path / "checkout")
    with slurm.running(accounting=False) as bare:
        driver = Driver(folder, bare, "--slurm-status-command", "squeue", *TABLE)
        try:
            assert "1 of 1 steps (100%) done" in driver.finish() and driver.job()
        finally:
            driver.end()
