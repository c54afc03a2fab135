"""Download what the selection takes from the hub, on the login node, and verify it (docs/running-the-paper.md)."""

from typing import Any


def fetch(sources: list[dict[str, Any]], lock: str) -> list[str]:
    """Lock what is not locked yet, check everything, then download; return the problems that prevented it."""
    from thinksafe.hub.client import fetch_all, inspect, update_lock
    from thinksafe.hub.lock import SECTIONS, entry_of, read_lock
    from thinksafe.jobs.log import Progress, say

    known = read_lock(lock)
    new = [one for one in sources if one["kind"] in SECTIONS and not entry_of(known, one["kind"], one)]
    if new and (problems := update_lock(lock, new, [], say)):
        return problems
    found, problems = inspect(sources, read_lock(lock), say)
    if not problems:
        fetch_all(sources, found, Progress("fetch", "MB"), say)
    return problems


if __name__ == "__main__":
    from thinksafe.jobs.start import online

    online(snakemake, __file__)
