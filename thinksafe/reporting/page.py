"""What the report's page shows, as plain values: curves, samples chosen by hashing, links (docs/report.md)."""

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, Row, read_rows
from thinksafe.models.responses import parts, thinks
from thinksafe.provenance.digests import ROOT
from thinksafe.seeds import seed_for

LONGEST = 12_000  # characters of one text in the page; the middle of a longer one is left out
POINTS = 160  # of one training curve


def render(data: Row) -> str:
    """Return the page with its data, style and script in it."""
    import jinja2
    import markupsafe

    files = (ROOT / "report/page" / name for name in ("page.css", "page.js", "index.html"))
    style, script, html = (file.read_text(encoding="utf-8") for file in files)
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return page.from_string(html).render(
        run=data["run"],
        public=data["public"],
        # Only our own files and JSON without a "<" go in unescaped.
        style=markupsafe.Markup(style),
        script=markupsafe.Markup(script),
        data=markupsafe.Markup(script_json(data)),
        policy=f"default-src 'none'; style-src '{source_hash(style)}'; script-src '{source_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
    )


def script_json(value: Any) -> str:
    r"""Return ``value`` as JSON for a script block, with ``<``, ``>`` and ``&`` escaped.

    >>> script_json("</script>")
    '"\\u003c/script\\u003e"'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def source_hash(text: str) -> str:
    """Return the hash with which a content security policy allows this inline script or style only."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def shorten(text: str | None) -> str | None:
    """Return a text, with the middle of one longer than `LONGEST` replaced by a note of how much is left out."""
    if text is None or len(text) <= LONGEST:
        return text
    head, tail = 2 * LONGEST // 3, LONGEST // 3
    return f"{text[:head]}\n\n[… {len(text) - head - tail:,} characters left out here …]\n\n{text[-tail:]}"


def choose(ids: Iterable[str], benchmark: str, count: int) -> list[str]:
    """Return ``count`` prompts of a benchmark in its order, the same for every student and method."""
    ids = list(dict.fromkeys(ids))
    first = set(sorted(ids, key=lambda name: (seed_for("report", benchmark, name), name))[:count])
    return [name for name in ids if name in first]


def curve(path: str) -> list[list[float]]:
    """Return step and loss (for reinforcement learning, the reward) of a training log, thinned evenly."""
    if not Path(path).exists():
        return []  # a published adapter has no log
    lines = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    key = "reward" if any("reward" in line for line in lines) else "loss"
    points = [[line["step"], round(line[key], 5)] for line in lines if "step" in line and key in line]
    every = -(-len(points) // POINTS) or 1
    return points[::every] + (points[-1:] if len(points) % every != 1 and every > 1 else [])


def log_of(identity: str) -> str:
    """Return the path of the training log beside an adapter's identity."""
    return identity.removesuffix(IDENTITY) + ".training.jsonl"


def verdict_of(row: Row, judged: Row | None, kind: str) -> str:
    """Return the one word by which the reader of samples filters a response."""
    if kind == "reasoning":
        return "correct" if row["correct"] else "wrong"
    if row["outcome"] is None or judged is None:
        return "unknown"
    if kind == "refusal":
        return "refused" if row["outcome"] else "answered"
    return "unsafe" if row["outcome"] else "safe"


def samples_of(cell: Row, kind: str, names: Sequence[str], public: bool) -> list[list[Any]]:
    """Return the first sample of the chosen prompts of one cell.

    A sample may be harmful if its benchmark is of harm, or if a guard does not call it safe.
    ``cell`` has the paths of its ``rows`` per item and of its shards of ``answers`` and ``verdicts``; ``public`` leaves
    out the texts of samples that may be harmful.

    Returns
    -------
    list
        ``[prompt id, verdict, P(unsafe) or P(refusal), harmful?, reasoning, answer, finish reason, tokens, guard's own
        words, or its verdict in public]`` each; texts are None if there are none or they are left out.
    """
    wanted = set(names)

    def first_samples(paths: Any) -> dict[str, Row]:
        return {row["id"]: row for row in read_rows(paths) if row["draw"] == 0 and row["id"] in wanted}

    rows, answers, verdicts = (first_samples(cell[name]) for name in ("rows", "answers", "verdicts"))
    found = []
    for name in (name for name in names if name in rows and name in answers):
        judged, answer = verdicts.get(name), answers[name]
        p = judged and judged["p_refusal" if kind == "refusal" else "p_unsafe"]
        harmful = kind == "harm" or (judged is not None and judged["harm"] != "safe")
        hidden = harmful and public
        reasoning, reply = (None, None) if hidden else map(shorten, parts(answer["response"], thinks(answer)))
        words = judged and (not hidden and judged["output"] or judged["harm"])  # a guard may repeat what it judged
        found.append(
            [name, verdict_of(rows[name], judged, kind), None if p is None else round(p, 4), harmful, reasoning, reply]
            + [answer["finish_reason"], answer["tokens"], words]
        )
    return found


def link(path: str | Path, page: str | Path) -> str:
    """Return a file's address as a link in the page, which works wherever the run's folder is moved."""
    return Path(os.path.relpath(path, Path(page).parent)).as_posix()
