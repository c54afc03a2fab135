"""Keep what the guard calls safe and merge both halves into one training set (paper Sec. 4 "Filtering", Eq. 2, 5.4)."""

from collections import Counter, defaultdict
from typing import Any

from thinksafe.files import read_rows, write_json, write_rows
from thinksafe.models.responses import well_formed
from thinksafe.seeds import seed_for

COLUMNS: dict[str, type] = dict(id=str, role=str, prompt=str, response=str, draw=int, tokens=int)
REASONS = ("unsafe", "unknown", "unfinished", "too_long")


def filter_responses(
    harmful_responses: list[str],
    benign_responses: list[str],
    harmful_verdicts: list[str],
    benign_verdicts: list[str],
    seed: list[str | int],
    dataset: str,
    statistics: str,
) -> None:
    """Write the training set, harmful rows first, and how many prompts were kept and why others were not.

    A prompt is kept if every one of its draws ended by itself, closed its think block, and was called safe; one of
    them is then taken at random.

    Parameters
    ----------
    harmful_responses, benign_responses : paths of the shards of the sampled responses
    harmful_verdicts, benign_verdicts : paths of the shards of the guard's verdicts on them
    """
    halves = {"harmful": (harmful_responses, harmful_verdicts), "benign": (benign_responses, benign_verdicts)}
    rows: list[dict[str, Any]] = []
    counts: dict[str, Any] = {}
    for role, (responses, verdicts) in halves.items():
        kept, counts[role] = keep_safe(read_rows(responses), read_rows(verdicts), [*seed, role])
        rows += [row | {"role": role} for row in kept]
    if not counts["harmful"]["kept"]:
        raise ValueError(
            f"no harmful row is left of {counts['harmful']['prompts']}: {counts['harmful']['dropped']}. The benign "
            "half alone teaches nothing about safety; look at the raw responses, the steering and the guard's verdicts"
        )
    write_rows(dataset, rows, COLUMNS)
    write_json(statistics, counts)


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


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
