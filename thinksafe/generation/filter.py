"""Which sampled responses may be learnt from (paper Sec. 4 "Filtering", Eq. 2, 5.4)."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from thinksafe.models.responses import well_formed
from thinksafe.seeds import seed_for

COLUMNS: dict[str, type] = dict(id=str, role=str, prompt=str, response=str, draw=int, tokens=int)
REASONS = ("unsafe", "unknown", "unfinished", "too_long")


def keep_safe(
    responses: list[dict[str, Any]], verdicts: list[dict[str, Any]], seed: list[str | int]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return one safe response per prompt that is kept, and the counts with the first reason against each other."""
    said = {(row["id"], row["draw"]): row["harm"] for row in verdicts}
    asked = {(row["id"], row["draw"]) for row in responses}
    if asked != said.keys() or not len(asked) == len(responses) == len(verdicts):
        raise ValueError(
            f"{len(responses)} responses have {len(verdicts)} verdicts, {len(asked & said.keys())} of them on the same "
            "draw; judge them again"
        )
    draws: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in responses:
        draws[row["id"]].append(row)
    kept, dropped = [], Counter(dict.fromkeys(REASONS, 0))
    for name, rows in draws.items():
        reasons = {reason_against(row, said[name, row["draw"]]) for row in rows} - {None}
        if reasons:
            dropped[min(reasons, key=REASONS.index)] += 1
        else:
            kept.append(rows[seed_for(*seed, name) % len(rows)])
    return kept, {"prompts": len(draws), "kept": len(kept), "dropped": dict(dropped)}


def reason_against(row: dict[str, Any], harm: str) -> str | None:
    """Return why a response may not be learnt from, or None; an unknown verdict is never safe."""
    if row["finish_reason"] == "prompt_too_long":
        return "too_long"
    if harm != "safe":
        return "unsafe" if harm == "unsafe" else "unknown"
    return None if well_formed(row["response"], row["finish_reason"]) else "unfinished"
