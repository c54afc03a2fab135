"""What the report's page shows, as plain values: tables, curves, and samples chosen by hashing (docs/report.md)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, Row, read_rows
from thinksafe.models.responses import parts
from thinksafe.seeds import seed_for

PAGE = {"html": "report/page/index.html", "css": "report/page/page.css", "js": "report/page/page.js"}
LONGEST = 12_000  # characters of one text in the page; a longer one is cut in its middle, and says so
POINTS = 160  # of one training curve


def embedded(value: Any) -> str:
    r"""Return ``value`` as JSON that can stand in a script block: no ``<``, ``>`` or ``&`` is left in it.

    >>> embedded("</script>")
    '"\\u003c/script\\u003e"'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def source_hash(text: str) -> str:
    """Return the hash by which a content security policy lets exactly this inline script or style through."""
    import base64

    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def shortened(text: str | None) -> str | None:
    """Return a text as it is, or its beginning and end with a note of how much is left out between them."""
    if text is None or len(text) <= LONGEST:
        return text
    head, tail = 2 * LONGEST // 3, LONGEST // 3
    return f"{text[:head]}\n\n[… {len(text) - head - tail:,} characters left out here …]\n\n{text[-tail:]}"


def chosen(ids: Iterable[str], benchmark: str, count: int) -> list[str]:
    """Return ``count`` prompts of a benchmark, the same for every student and method, in the order of the set."""
    ids = list(dict.fromkeys(ids))
    first = set(sorted(ids, key=lambda name: (seed_for("report", benchmark, name), name))[:count])
    return [name for name in ids if name in first]


def curve(path: str | Path) -> list[list[float]]:
    """Return step and loss (for reinforcement learning, the reward) of a training log, thinned evenly.

    A log that is not there, as for published adapters, has no points.
    """
    path = Path(path)
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    key = "reward" if any("reward" in line for line in lines) else "loss"
    points = [[line["step"], round(line[key], 5)] for line in lines if "step" in line and key in line]
    every = -(-len(points) // POINTS) or 1
    return points[::every] + (points[-1:] if len(points) % every != 1 and every > 1 else [])


def log_of(identity: str) -> str:
    """Return the path of the log that lies beside an adapter's identity."""
    return identity.removesuffix(IDENTITY) + ".training.jsonl"


def verdict_of(row: Row, judged: Row | None, kind: str) -> str:
    """Return the one word by which the reader of samples sorts a response."""
    if kind == "reasoning":
        return "correct" if row["correct"] else "wrong"
    if row["outcome"] is None or judged is None:
        return "unknown"
    if kind == "refusal":
        return "refused" if row["outcome"] else "answered"
    return "unsafe" if row["outcome"] else "safe"


def withheld(kind: str, judged: Row | None) -> bool:
    """Return whether a sample's texts may be harmful: every harm benchmark, and what a guard does not call safe."""
    return kind == "harm" or (judged is not None and judged["harm"] != "safe")


def samples_of(cell: Row, kind: str, files: Row, names: Sequence[str], public: bool) -> list[list[Any]]:
    """Return the first draw of the chosen prompts of one cell.

    Parameters
    ----------
    files : dict
        Paths: ``rows`` (per item), ``answers`` and ``verdicts`` (lists of parts).
    names : ids of the chosen prompts
    public : leave out the texts of what may be harmful

    Returns
    -------
    list
        ``[prompt id, verdict, P(unsafe) or P(refusal), harmful?, reasoning, answer, finish reason, tokens, guard's own
        words, or its verdict in public]`` each; texts are None where there are none or they are left out.
    """
    wanted = set(names)

    def first_draws(paths: Any) -> dict[str, Row]:
        return {row["id"]: row for row in read_rows(paths) if row["draw"] == 0 and row["id"] in wanted}

    rows, answers, verdicts = (first_draws(files[name]) for name in ("rows", "answers", "verdicts"))
    found = []
    for name in names:
        if name not in rows or name not in answers:
            continue
        judged, answer = verdicts.get(name), answers[name]
        p = judged and (judged["p_refusal"] if kind == "refusal" else judged["p_unsafe"])
        harmful = withheld(kind, judged)
        hidden = harmful and public
        reasoning, said = (None, None) if hidden else map(shortened, parts(answer["response"]))
        words = judged and (not hidden and judged["output"] or judged["harm"])  # a guard may repeat what it judged
        found.append(
            [name, verdict_of(rows[name], judged, kind), None if p is None else round(p, 4), harmful, reasoning, said]
            + [answer["finish_reason"], answer["tokens"], words]
        )
    return found


def relative(path: str | Path, page: str | Path) -> str:
    """Return the address of a file as a link in the page, whatever folder both lie in together."""
    return Path(os.path.relpath(path, Path(page).parent)).as_posix()
