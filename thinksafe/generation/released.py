"""Training sets that others have released, in the form of our own (docs/running-the-paper.md)."""

from collections.abc import Sequence
from typing import Any

from thinksafe.data.published_sets import safechain, usable_rows
from thinksafe.files import Row
from thinksafe.models.chat import completion_tokens, opens_think


def released_rows(rows: Sequence[Row], spec: Row, role: str, tokenizer: Any) -> tuple[list[Row], Row]:
    """Return one role's rows of a released set in the form that `filter` gives our own, and how many were dropped.

    A row that does not open, close and end its reasoning as a student would is dropped and counted by its reason; none
    is repaired into something that the student did not write.

    Parameters
    ----------
    rows : rows of the source
    spec : dict
        ``student``, ``method``, ``seed`` and, under ``role``, the settings of the source.
    tokenizer : the student's, which counts the tokens

    Raises
    ------
    ValueError
        If the source has another form than its settings say, or no row, or fewer than ``take``, can be used.
    """
    # Paper: the authors' code keeps rows that never close their reasoning, which would teach not to answer.
    where = f"sources.{spec['student']}.{spec['method']}.{role}"
    kept, counts = usable_rows(rows, spec, role, safechain, where, f"released-{role}")
    opened = opens_think(tokenizer)
    for row in kept:
        row |= {"draw": 0, "tokens": len(completion_tokens(tokenizer, row["response"], opened))}
    return kept, {"released": counts.pop("source"), **counts}
