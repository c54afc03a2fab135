"""Say what a run takes from the hub, how large it is, and what would stop its download (docs/running-the-paper.md)."""

from typing import Any


def check_hub(sources: list[dict[str, Any]], lock: str) -> int:
    """Print what there is to download, and return how many problems there are; nothing is downloaded or written."""
    from thinksafe.hub.client import inspect, table
    from thinksafe.hub.lock import read_lock
    from thinksafe.jobs.run import say

    found, wrong = inspect(sources, read_lock(lock), say)
    for line in table(found):
        say(line)
    for problem in wrong:
        say(f"error: {problem}")
    return len(wrong)


if __name__ == "__main__":
    from thinksafe.jobs.run import online

    online(snakemake, "check_hub")
