"""Which rows are used where config asks for some: drawn once by the hashes of their ids, so that more contain fewer."""

from collections.abc import Sequence

from thinksafe.files import Row
from thinksafe.seeds import seed_for


def take_prompts(rows: Sequence[Row], take: int | None, where: str = "prompts.*") -> list[Row]:
    """Return ``take`` random prompts in their order, the same for all students; ``where`` names the setting."""
    if take is None:
        return list(rows)
    if take > len(rows):
        raise ValueError(f"{where}.take: {take} are asked for and there are {len(rows)}; lower it, or take: null")
    kept = set(sorted((row["id"] for row in rows), key=lambda name: (seed_for("take", name), name))[:take])
    return [row for row in rows if row["id"] in kept]
