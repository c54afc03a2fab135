"""Keep the prompts whose responses the guard calls safe (paper Sec. 4 "Filtering", Eq. 2, 5.4)."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from thinksafe.files import Row
from thinksafe.models.responses import thinks, well_formed
from thinksafe.seeds import seed_for

COLUMNS: dict[str, type] = dict(id=str, role=str, prompt=str, response=str, draw=int, tokens=int)  # of a training set
REASONS = ("unsafe", "unknown", "unfinished", "too_long")


def keep_safe(responses: Sequence[Row], verdicts: Sequence[Row], seed: Sequence[str | int]) -> tuple[list[Row], Row]:
    """Return one safe response per prompt that is kept, and the counts with the first reason against each other prompt.

    A prompt is kept if every one of its samples ended by itself, is well-formed, and was called safe; one of them is
    then picked at random.
    """
    harm = {(row["id"], row["draw"]): row["harm"] for row in verdicts}
    sampled = {(row["id"], row["draw"]) for row in responses}
    if sampled != harm.keys() or not len(sampled) == len(responses) == len(verdicts):
        raise ValueError(
            f"{len(responses)} responses have {len(verdicts)} verdicts, {len(sampled & harm.keys())} of them on the "
            "same draw; judge them again"
        )
    by_prompt: dict[str, list[Row]] = defaultdict(list)
    for row in responses:
        by_prompt[row["id"]].append(row)
    kept, dropped = [], Counter(dict.fromkeys(REASONS, 0))
    for name, rows in by_prompt.items():
        reasons = {reason_against(row, harm[name, row["draw"]]) for row in rows} - {None}
        if reasons:
            dropped[min(reasons, key=REASONS.index)] += 1
        else:
            kept.append(rows[seed_for(*seed, name) % len(rows)])
    return kept, {"prompts": len(by_prompt), "kept": len(kept), "dropped": dict(dropped)}


def reason_against(row: Row, harm: str) -> str | None:
    """Return why a response may not be learnt from, or None; an unknown verdict is never safe."""
    if row["finish_reason"] == "prompt_too_long":
        return "too_long"
    if harm != "safe":
        return "unsafe" if harm == "unsafe" else "unknown"
    return None if well_formed(row["response"], row["finish_reason"], thinks(row)) else "unfinished"
