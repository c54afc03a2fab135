"""Print what a run takes from the hub, its size, and what would stop its download (docs/running-the-paper.md)."""

from typing import Any


def check_hub(sources: list[dict[str, Any]], lock: str) -> list[str]:
    """Print what there is to download, and return the problems; nothing is downloaded or written."""
    from thinksafe.hub.client import inspect
    from thinksafe.hub.lock import read_lock
    from thinksafe.jobs.log import say

    return inspect(sources, read_lock(lock), say)[1]


if __name__ == "__main__":
    from thinksafe.jobs.start import online

    online(snakemake, __file__)
