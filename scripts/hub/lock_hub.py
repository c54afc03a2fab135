"""Write the commits of all models and data sets that the config takes from the hub (docs/running-the-paper.md)."""

from typing import Any


def lock_hub(sources: list[dict[str, Any]], lock: str, accept: list[str]) -> list[str]:
    """Add to the file ``lock`` what it lacks, and return the problems; commits of the ids in ``accept`` may move."""
    from thinksafe.hub.client import update_lock
    from thinksafe.jobs.log import say

    return update_lock(lock, sources, accept, say)


if __name__ == "__main__":
    from thinksafe.jobs.start import online

    online(snakemake, __file__)
