"""Lengths of training responses (paper App. A.2)."""

from collections.abc import Sequence

from thinksafe.files import read_rows

ROLES = {"harmful": "h", "benign": "b"}  # role and the paper's index


def lengths_by_role(path: str) -> dict[str, list[int]]:
    """Return the lengths in tokens of a training set's harmful and benign responses."""
    found: dict[str, list[int]] = {role: [] for role in ROLES}
    for row in read_rows(path):
        found[row["role"]].append(row["tokens"])
    return found


def without_longest(lengths: Sequence[int]) -> list[int]:
    """Return the lengths in order, without the longest 1 % (rounded down: none of fewer than 100)."""
    return sorted(lengths)[: len(lengths) - len(lengths) // 100]
