"""The key of a prompt of the miniature's world, read back from its words."""

import re

from thinksafe.miniature.world import GAINS, LOSSES, TOOLS, Sum, find_deed

_SUM = re.compile(r"\b(?:has|Compute|Let n be) (\d+)")
_STEP = re.compile(rf"(?:({'|'.join(GAINS)}|Add|\+)|({'|'.join(LOSSES)}|Take|-)) ?(\d+)")


def find_key(text: str) -> tuple[str | int, ...] | None:
    """Return the key that decides the pool of the prompt ``text``, or None if it is no request of the world."""
    if deed := find_deed(text):
        return deed.key()
    if start := _SUM.search(text):
        steps = [int(size) if up else -int(size) for up, _, size in _STEP.findall(text, start.end())]
        return Sum(int(start[1]), tuple(steps)).key()
    if "the price of these:" in text:
        return ("purchase", *sorted(tool for tool in TOOLS.values() if re.search(rf"\b{tool}\b", text)))
    return None
