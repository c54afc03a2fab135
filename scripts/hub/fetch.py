"""Download what the selection takes from the hub, on the login node, and verify it (docs/running-the-paper.md)."""

from typing import Any


def fetch(sources: list[dict[str, Any]], lock: str) -> int:
    """Lock what is not locked yet, check everything, then download; return how many problems stopped it."""
    from scripts.hub.lock_hub import lock_hub
    from thinksafe.hub.client import fetch_all, inspect, table
    from thinksafe.hub.lock import SECTIONS, entry_of, read_lock
    from thinksafe.jobs.run import Progress, say

    known = read_lock(lock)
    new = [one for one in sources if one["kind"] in SECTIONS and not entry_of(known, one["kind"], one)]
    if new and (wrong := lock_hub(new, lock, [])):
        return wrong
    found, problems = inspect(sources, read_lock(lock), say)
    for line in table(found):
        say(line)
    for problem in problems:
        say(f"error: {problem}")
    if not problems:
        fetch_all(sources, found, Progress("fetch", "MB"), say)
    return len(problems)


if __name__ == "__main__":
    from thinksafe.jobs.run import online

    online(snakemake, "fetch")
