"""Write the commits of all models and data sets that the config takes from the hub (docs/running-the-paper.md)."""

from typing import Any


def lock_hub(sources: list[dict[str, Any]], lock: str, accept: list[str]) -> list[str]:
    """Add to the lock what it lacks, and return the problems.

    Parameters
    ----------
    sources : what the whole config takes from the hub, selected or not
    lock : path of the lock
    accept : ids whose commits may move
    """
    from thinksafe.hub.client import update_lock
    from thinksafe.jobs.log import say

    return update_lock(lock, sources, accept, say)


if __name__ == "__main__":
    from thinksafe.jobs.start import online

    online(snakemake, __file__)
