"""Back from a number to everything behind it (`make trace CELL=…`), and forth from a file to every number (`FILE=…`).

A CELL is ``student/method/metric`` of a table, ``student/method/benchmark/item[/draw]`` for one answer,
``student/method/row`` for one training row, ``student/method`` for an adapter, or a file of a run. Walks identities:
each names its inputs by path and digest. Content that is no longer what was used is marked, so that a number can be
audited without running anything. Reads files only, so it is safe beside the driver.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from thinksafe.config.schema import nearest  # noqa: E402
from thinksafe.files import IDENTITY  # noqa: E402 - runs as a script, too
from thinksafe.provenance.digests import module_files, source_digest  # noqa: E402
from thinksafe.provenance.identity import content_digest, input_digest  # noqa: E402
from thinksafe.provenance.lineage import Lineage, Step, modules, sources  # noqa: E402

SCORE = re.compile(r"scores/\w+/([^/]+)/trained-with/([^/]+)/replicate-\d+/on/([^/]+)\.json")
ADAPTER = re.compile(r"adapters/([^/]+)/trained-with/([^/]+)/replicate-\d+")
PART = re.compile(r"part-\d+\.parquet")
AVERAGES = {"safety_avg": "safety", "harm_avg3": "safety", "reasoning_avg": "reasoning"}
TEXTS = ("prompt", "asked", "response", "output")
SHOWN = 240  # characters of a text, and of a spec
LISTED = 16  # names in an error
DRAWS = 8  # rows of one item that are shown of one file


class TraceError(Exception):
    """What could not be found, and what there is instead."""


@dataclass
class Asked:
    """Where a chain begins, and the item that is followed through it."""

    roots: list[tuple[str, list[str] | None]]  # a name, and which of its inputs matter; None: all
    item: str | None = None
    draw: int | None = None
    head: list[str] = field(default_factory=list)


# ---------------------------------------------------------------- what is asked for
def unknown(what: str, name: str, known: Iterable[str]) -> TraceError:
    """Return an error that names what there is, the nearest first."""
    known = sorted(set(known))
    guess = nearest(name, known)
    told = f"; did you mean {guess}?" if guess else "."
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.4)
    some = known if len(known) <= LISTED else near or known[:5]
    title = "There is" if some == known else f"Of {len(known):,}, {'the nearest' if near else 'the first'}"
    return TraceError(f"no {what} {name!r} here{told} {title}: {', '.join(some) or 'none yet'}")


def cells_of(lineage: Lineage) -> dict[tuple[str, str, str], list[str]]:
    """Return the score files of each student, method and benchmark, by replicate."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for name in sorted(lineage.made):
        if match := SCORE.fullmatch(name):
            found[match.groups()].append(name)
    return found


def variants_of(lineage: Lineage) -> dict[tuple[str, str], list[str]]:
    """Return the adapters of each student and method; none for a method that trains nothing."""
    found: dict[tuple[str, str], list[str]] = {(student, method): [] for student, method, _ in cells_of(lineage)}
    for name in sorted(lineage.made):
        if match := ADAPTER.fullmatch(name):
            found.setdefault(match.groups(), []).append(name)
    return found


def asked(lineage: Lineage, text: str) -> Asked:
    """Return what a CELL means in a run.

    Raises
    ------
    TraceError
        Where it names nothing that has been made; it names the nearest that has.
    """
    name = lineage.name_of(text) if Path(text).exists() else text
    if lineage.identity_of(name):
        return Asked([(name, None)])
    student, *rest = text.strip("/").split("/")
    if not rest:
        tables = {Path(n).name: n for n in lineage.made if n.startswith(("tables/", "figures/"))}
        for ending in ("", ".csv", ".png", ".md"):
            if student + ending in tables:
                return Asked([(tables[student + ending], None)])
        raise unknown("table, figure or file", student, tables)
    method, *rest = rest
    variants = variants_of(lineage)
    if student not in {s for s, _ in variants}:
        raise unknown("student", student, (s for s, _ in variants))
    if (student, method) not in variants:
        raise unknown(f"method of {student}", method, (m for s, m in variants if s == student))
    if not rest:
        if not variants[student, method]:
            raise TraceError(f"{student}/{method} has no adapter; name a cell, as in {student}/{method}/BENCHMARK")
        return Asked([(adapter, None) for adapter in variants[student, method]])
    return _cell(lineage, student, method, *rest)


def _cell(lineage: Lineage, student: str, method: str, metric: str, item: str = "", draw: str = "") -> Asked:
    scores = cells_of(lineage)
    # `harmbench:oracle` and `well_formed:harmbench` are read off the same score.
    benchmark = next((part for part in metric.split(":") if (student, method, part) in scores), metric)
    if files := scores.get((student, method, benchmark)):
        if item:
            ids = {i for file in files for i in ids_of(lineage, file.removesuffix(".json") + ".parquet")}
            if item not in ids:
                raise unknown(f"item of {benchmark}", item, ids)
        if draw and not draw.isdigit():
            raise TraceError(f"a draw is a number, not {draw!r}: {student}/{method}/{metric}/{item}/0")
        return Asked([(file, None) for file in files], item or None, int(draw) if draw else None)
    if found := _training_row(lineage, student, method, metric):
        return Asked([(name, None) for name in found], metric)
    if found := _tables(lineage, student, method, metric):
        return Asked(found)
    if found := _left_out(lineage, student, method, metric):
        told = f"{metric} was sampled and is not in this training set: see the verdicts on it, and how its draws ended"
        return Asked([(name, None) for name in found], metric, head=[told])
    known = {benchmark for s, m, benchmark in scores if (s, m) == (student, method)}
    known |= {row["metric"] for _, row in _rows_about(lineage, student, method) if "metric" in row}
    if re.search(r"-\d{4,}$", metric):
        raise unknown(f"training row of {student}/{method}", metric, _training_ids(lineage, student, method))
    raise unknown(f"metric or benchmark of {student}/{method}", metric, known)


def ids_of(lineage: Lineage, name: str) -> set[str]:
    """Return the ids of a Parquet file's rows, none where it is not there or its rows have none."""
    import pyarrow.parquet as pq

    path = lineage.path_of(name)
    if path.suffix != ".parquet" or not path.is_file() or "id" not in pq.read_schema(path).names:
        return set()
    return set(pq.read_table(path, columns=["id"])["id"].to_pylist())


def _sets(lineage: Lineage, student: str, method: str) -> list[str]:
    """Return the files of rows that a method's adapters were trained on."""
    found = []
    for adapter in variants_of(lineage)[student, method]:
        inputs = lineage.identities[lineage.made[adapter]]["inputs"]
        found += [name for name in inputs if name.endswith(".parquet")]
    return list(dict.fromkeys(found))


def _training_ids(lineage: Lineage, student: str, method: str) -> list[str]:
    return [row for name in _sets(lineage, student, method) for row in ids_of(lineage, name)]


def _training_row(lineage: Lineage, student: str, method: str, row: str) -> list[str]:
    return [name for name in _sets(lineage, student, method) if row in ids_of(lineage, name)]


def _left_out(lineage: Lineage, student: str, method: str, row: str) -> list[str]:
    """Return the training sets for which a row was sampled, though the filter has left it out."""
    return [
        name
        for name in _sets(lineage, student, method)
        if any(row in ids_of(lineage, step.name) for step in lineage.chain(name))
    ]


def _rows_about(lineage: Lineage, student: str, method: str) -> list[tuple[str, dict[str, str]]]:
    """Return the rows of all tidy tables about a student and method, each with its table."""
    import csv

    found = []
    for name in sorted(lineage.made):
        if name.startswith("tables/") and name.endswith(".csv") and lineage.path_of(name).is_file():
            with open(lineage.path_of(name), encoding="utf-8", newline="") as file:
                rows = csv.DictReader(file)
                found += [(name, r) for r in rows if (r.get("student"), r.get("method", method)) == (student, method)]
    return found


def _tables(lineage: Lineage, student: str, method: str, metric: str) -> list[tuple[str, list[str] | None]]:
    """Return the tables that print a metric, each with those of its inputs that are about this student and method."""
    tables = {n for n, row in _rows_about(lineage, student, method) if row.get("metric") == metric}
    found: list[tuple[str, list[str] | None]] = []
    for table in sorted(tables, key=lambda name: (not name.startswith("tables/table"), name)):
        inputs = lineage.identities[lineage.made[table]]["inputs"]
        about = [name for name in inputs if student in name.split("/")]
        about = [name for name in about if method in name.split("/")] or about
        if kind := AVERAGES.get(metric.partition(":")[0]):
            about = [name for name in about if name.startswith(f"scores/{kind}/")]
        found.append((table, about or None))
    return found


# ---------------------------------------------------------------- back
def state_of(lineage: Lineage, step: Step) -> str:
    """Return what is to be said of a file: that it is missing or no longer what was used, or nothing."""
    path = lineage.path_of(step.name)
    try:
        if not path.exists():
            return "MISSING"
        if step.depth and input_digest(path) != step.digest:
            return "CHANGED since it was used"
        for file, digest in lineage.identities[step.identity]["content"].items() if step.identity else ():
            if file == step.name or step.name.endswith(IDENTITY):
                if not lineage.path_of(file).exists():
                    return f"{file} is MISSING"
                if content_digest(lineage.path_of(file)) != digest:
                    return "CHANGED since it was made"
    except (OSError, ValueError):
        return "cannot be read now; is it being made?"
    return "" if step.identity else "no rule made it"


def found_in(lineage: Lineage, name: str, item: str | None, draw: int | None) -> list[dict[str, Any]]:
    """Return the rows of a file about one item, of all draws or of one."""
    import pyarrow.parquet as pq

    if item is None:
        return []
    identity = lineage.identity_of(name)
    beside = lineage.identities[identity]["content"] if identity else {}
    names = [name] if name.endswith(".parquet") else beside  # a score's rows lie beside it
    files = [lineage.path_of(file) for file in names if item in ids_of(lineage, file)]
    rows = [row for file in files for row in pq.read_table(file, filters=[("id", "=", item)]).to_pylist()]
    return [row for row in rows if draw is None or row.get("draw", draw) == draw]


def said_of(row: dict[str, Any]) -> list[str]:
    """Return one row as lines: its facts on one, each of its texts on another."""
    facts = [f"{key}={value}" for key, value in row.items() if key not in (*TEXTS, "meta") and value is not None]
    texts = [f"{key}: {short(str(row[key]))}" for key in TEXTS if row.get(key)]
    return ["row " + " ".join(facts), *[f"    {text}" for text in texts]]


def short(text: str) -> str:
    """Return a text on one line, its end left out where it is long."""
    line = text.replace("\n", "⏎")
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}… ({len(line):,} characters)"


def tree(lineage: Lineage, what: Asked, full: bool = False) -> list[str]:
    """Return the chain as a tree, then the modules and sources that it names with their digests."""
    lines, code, outside, seen = [*what.head], {}, {}, set()
    for root, only in what.roots:
        steps = _without_other_parts(lineage, lineage.chain(root, only, seen), what)
        for step, (before, under) in zip(steps, _branches(steps), strict=True):
            state = state_of(lineage, step)
            told = f"  ({state})" if state else ""
            lines.append(f"{before}{step.name}  {step.digest[:12]}{'  (see above)' if step.again else told}")
            rows = [] if step.again else found_in(lineage, step.name, what.item, what.draw)
            if step.identity and not step.again:
                made = lineage.identities[step.identity]
                code |= {(path, digest): None for path, digest in made["code"].items()}
                outside |= sources(made["spec"])
                lines.append(f"{under}code: {modules(made['code'])}")
                if made["environment"]:
                    lines.append(f"{under}with: " + ", ".join(f"{n} {v}" for n, v in made["environment"].items()))
                spec = json.dumps(made["spec"], ensure_ascii=False, sort_keys=True)
                lines.append(f"{under}spec: {spec if full else short(spec)}")
            for row in rows[:DRAWS]:
                lines += [f"{under}{line}" for line in said_of(row)]
            if len(rows) > DRAWS:
                lines.append(f"{under}and {len(rows) - DRAWS} rows more; name a draw to see one")
    if outside:
        lines += [
            "",
            "From outside:",
            *(f"  {name}  {fixed[:12] or 'at no commit'}" for name, (_, fixed) in outside.items()),
        ]
    return lines + _code(code)


def _branches(steps: Sequence[Step]) -> list[tuple[str, str]]:
    """Return, for each step, what stands before its own line and before the lines under it."""
    drawn, goes_on, after = [], set(), 0  # goes_on: depths at which a later step is a sibling; after: the next depth
    for step in reversed(steps):
        bars = "".join("│  " if level in goes_on else "   " for level in range(1, step.depth))
        below = "│  " if after == step.depth + 1 else "   "
        own, under = ("├─ ", "│  ") if step.depth in goes_on else ("└─ ", "   ")
        drawn.append((bars + own, bars + under + below) if step.depth else ("", below))
        goes_on = {level for level in goes_on if level < step.depth} | {step.depth}
        after = step.depth
    return drawn[::-1]


def _without_other_parts(lineage: Lineage, steps: list[Step], what: Asked) -> list[Step]:
    """Leave out the shards that a followed item is not in, where another shard beside them has it."""
    if what.item is None:
        return steps
    has = {
        step.name: bool(found_in(lineage, step.name, what.item, what.draw)) for step in steps if PART.search(step.name)
    }
    homes = {Path(name).parent for name, there in has.items() if there}
    kept, hidden = [], None
    for step in steps:
        if hidden is not None and step.depth > hidden:
            continue
        hidden = step.depth if not has.get(step.name, True) and Path(step.name).parent in homes else None
        if hidden is None:
            kept.append(step)
    return kept


def _code(code: Iterable[tuple[str, str]]) -> list[str]:
    """Return the modules of a chain with their digests, and which of them mean something else by now."""
    lines = ["", "Code, by what it means (comments and layout do not count):"]
    for name, digest in sorted(code):
        now = {path: source_digest((ROOT / path).read_text(encoding="utf-8")) for path in module_files(name)}
        same = [path for path, found in now.items() if found == digest]
        state = "" if same else "  (CHANGED since)" if now else "  (no longer there)"
        lines.append(f"  {(same or [*now, name])[0]}  {digest}{state}")
    return lines if len(lines) > 2 else []


# ---------------------------------------------------------------- and forth
def dependents(lineage: Lineage, text: str) -> list[str]:
    """Return what rests on a file, a module or a source on the hub: tables, figures, cells, adapters, the rest.

    Raises
    ------
    TraceError
        Where the run does not know the file.
    """
    name = lineage.name_of(text) if Path(text).exists() else text
    used = {n: d for told in lineage.identities.values() for n, d in told["inputs"].items()}
    code = {path for told in lineage.identities.values() for name in told["code"] for path in module_files(name)}
    outside = {n for told in lineage.identities.values() for n in sources(told["spec"])}
    if not (lineage.identity_of(name) or name in used or name in code or name in outside):
        where = [name for name in (*lineage.made, *used, *code, *outside) if Path(name).name == Path(text).name]
        raise unknown("file", text, where or [*lineage.made, *used, *code, *outside])
    found = lineage.dependents(name)
    if not found:
        return [f"{name}: nothing that has been made rests on it"]
    lines = [f"{name}: {len(found):,} of {len(lineage.identities):,} results rest on it"]
    if name in used and lineage.path_of(name).exists():
        users = [lineage.identities[user]["inputs"] for user in lineage.users(name)]
        now = input_digest(lineage.path_of(name))
        if changed := sum(inputs.get(name, now) != now for inputs in users):
            lines.append(f"CHANGED since {changed} of {len(users)} that read it were made")
    files = [lineage.artifact_of(identity) for identity in found]
    groups: dict[str, list[str]] = {}
    for title, folder in (("tables", "tables/"), ("figures", "figures/")):
        groups[title] = [Path(file).stem for file in files if file.startswith(folder)]
    groups["boards and pages"] = [file for file in files if "/" not in file or file.startswith("report/")]
    cells: dict[str, list[str]] = defaultdict(list)
    for file in (content for identity in found for content in lineage.identities[identity]["content"]):
        if match := SCORE.fullmatch(file):
            cells["/".join(match.groups()[:2])].append(match[3])
    groups["cells"] = [f"{variant}: {', '.join(dict.fromkeys(names))}" for variant, names in sorted(cells.items())]
    groups["adapters"] = [file for file in files if file.startswith("adapters/")]
    groups["training sets"] = [file for file in files if file.startswith(("datasets/", "corpora/"))]
    for title, members in groups.items():
        if members:
            lines += [f"{title} ({len(members):,}):", *(f"  {member}" for member in dict.fromkeys(members))]
    rest: dict[str, int] = defaultdict(int)
    for file in files:
        if "/" in file and not file.startswith(
            ("tables/", "figures/", "report/", "adapters/", "datasets/", "corpora/")
        ):
            rest[file.partition("/")[0]] += 1
    rest.pop("scores", None)
    if rest:
        lines.append("and " + ", ".join(f"{count:,} in {folder}/" for folder, count in sorted(rest.items())))
    return lines


def run_of(text: str, run: str | None, folder: Path) -> Path:
    """Return the run that is meant: the one named, the one that a path lies in, or the only one there is."""
    runs = {path.name: path for path in sorted((folder / "results").glob("*/")) if (path / "logs").is_dir()}
    parts = Path(text).parts
    inside = parts[parts.index("results") + 1] if "results" in parts[:-1] else None
    name = run or inside or ("miniature" if "miniature" in runs and len(runs) > 1 else next(iter(runs), "miniature"))
    if run is None and inside is None and len(runs) > 1 and "miniature" not in runs:
        raise TraceError(f"there are several runs; name one, as in RUN={name}: {', '.join(runs)}")
    if name not in runs:
        raise unknown("run", name, runs)
    return runs[name]


def main() -> None:
    """Print the chain behind a cell, or what rests on a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cell", nargs="?", help="student/method/metric[/item[/draw]], student/method/row, or a file")
    parser.add_argument("--file", help="what rests on this file, module or hub source")
    parser.add_argument("--run", help="the run's name under results/")
    parser.add_argument("--folder", type=Path, default=ROOT, help="where results/ is")
    parser.add_argument("--full", action="store_true", help="whole specs")
    arguments = parser.parse_args()
    text = arguments.file or arguments.cell
    if not text:
        parser.error("name a cell, or a file after --file")
    try:
        lineage = Lineage(run_of(text, arguments.run, arguments.folder))
        lines = dependents(lineage, text) if arguments.file else tree(lineage, asked(lineage, text), arguments.full)
    except TraceError as error:
        sys.exit(f"trace: {error}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
