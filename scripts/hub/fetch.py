"""Download what the selection takes from the hub, on the login node, and verify it (docs/running-the-paper.md)."""

from typing import Any


def fetch(sources: list[dict[str, Any]], lock: str) -> int:
    """Lock what is not locked yet, check everything, then download; return how many problems stopped it."""
    from scripts.lib.hub import fetch_all, inspect, table
    from scripts.lib.hub_lock import SECTIONS, entry_of, read_lock
    from scripts.lib.running import Progress, say
    from scripts.lock_hub import lock_hub

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
    from scripts.lib.running import online

    online(snakemake, "fetch")
