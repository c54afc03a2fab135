"""Write the commits of all models and data sets that the config takes from the hub (docs/running-the-paper.md)."""

from typing import Any


def lock_hub(sources: list[dict[str, Any]], lock: str, accept: list[str]) -> int:
    """Add to the lock what it lacks, and return how many problems there were; they are printed.

    Parameters
    ----------
    sources : what the whole config takes from the hub, selected or not
    lock : path of the lock
    accept : ids whose commits may move
    """
    from thinksafe.hub.client import lock_sources
    from thinksafe.hub.lock import changing, read_lock, write_lock
    from thinksafe.jobs.run import say

    with changing(lock):
        before = read_lock(lock)
        after, wrong = lock_sources(sources, before, accept, say)
        if after != before:
            write_lock(lock, after)
    count = sum(len(asked) for section in after.values() for asked in section.values())
    say(f"{lock}: {count} commits" + ("" if after != before else ", as before"))
    for problem in wrong:
        say(f"error: {problem}")
    return len(wrong)


if __name__ == "__main__":
    from thinksafe.jobs.run import online

    online(snakemake, "lock_hub")
