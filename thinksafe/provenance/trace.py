"""Trace a number back to all that it was made of, or a file to all that was made of it.

  thinksafe trace qwen3-mini/thinksafe/gsm8k                    # a cell
  thinksafe trace qwen3-mini/thinksafe/gsm8k/gsm8k-00003/2      # one answer: item and sample
  thinksafe trace qwen3-mini/thinksafe/harmful-000000           # one row of a training set
  thinksafe trace qwen3-mini/thinksafe                          # an adapter
  thinksafe trace results/miniature/tables/table1.csv           # a file of a run
  thinksafe trace --file config/guards/wildguard-mini.txt       # what was made of a file

Reads the identity beside each result, which names its inputs by path and digest
(docs/lineage.md), and runs nothing, so it is safe beside a running Snakemake. Exit code 1:
something is missing or is no longer what was used.
"""

import argparse
import csv
import difflib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thinksafe import layout
from thinksafe.errors import UserError
from thinksafe.files import IDENTITY, Row
from thinksafe.provenance.digests import ROOT, module_files, source_digest
from thinksafe.provenance.identity import content_digest, input_digest
from thinksafe.provenance.lineage import Lineage, Step, modules, sources
from thinksafe.suggest import nearest

SHARD = re.compile(r"part-\d+\.parquet")
AVERAGES = {"safety_avg": "safety", "harm_avg3": "safety", "reasoning_avg": "reasoning"}
TEXTS = ("prompt", "asked", "response", "output")
NO_RULE = "no rule made it"
SHOWN = 240  # characters of a text, and of a spec
LISTED = 16  # names in an error
ROWS = 8  # rows of one item that are shown of one file


@dataclass
class Query:
    """Where a chain begins, and the item that is followed through it."""

    roots: list[tuple[str, list[str] | None]]  # names, each with the inputs of it that matter (None: all)
    item: str | None = None
    sample: int | None = None  # only this sample of the item
    head: list[str] = field(default_factory=list)  # lines to print first


def unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    """Return an error that names what there is, the nearest first."""
    known, title = sorted(set(known)), "There is"
    hint = f"; did you mean {guess}?" if (guess := nearest(name, known)) else "."
    if len(known) > LISTED:
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.4)
        title = f"Of {len(known):,}, {'the nearest' if near else 'the first'}"
        known = near or known[:5]
    return UserError(f"no {what} {name!r} here{hint} {title}: {', '.join(known) or 'none yet'}")


def query_of(lineage: Lineage, text: str) -> Query:
    """Return what a cell, a row or a file means in a run; raise UserError if it names nothing that has been made."""
    name = lineage.name_of(text) if Path(text).exists() else text
    if lineage.identity_of(name):
        return Query([(name, None)])
    student, *rest = text.strip("/").split("/")
    if not rest:
        tables = {Path(n).name: n for n in lineage.made if n.startswith(("tables/", "figures/"))}
        for ending in ("", ".csv", ".png", ".md"):
            if student + ending in tables:
                return Query([(tables[student + ending], None)])
        raise unknown("table, figure or file", student, tables)
    method, *rest = rest
    made = [name for name in sorted(lineage.made) if not name.endswith(".parquet")]  # rows of scores and others
    cells = {name: cell for name in made if (cell := layout.SCORE.parse(name) or layout.ADAPTER.parse(name))}
    if student not in (students := {cell["student"] for cell in cells.values()}):
        raise unknown("student", student, students)
    if method not in (methods := {cell["method"] for cell in cells.values() if cell["student"] == student}):
        raise unknown(f"method of {student}", method, methods)
    scores: dict[str, list[str]] = defaultdict(list)
    adapters = []
    for name, cell in cells.items():
        if (cell["student"], cell["method"]) == (student, method):
            (scores[cell["benchmark"]] if "benchmark" in cell else adapters).append(name)
    if not rest:
        if not adapters:
            raise UserError(f"{student}/{method} has no adapter; name a cell, as in {student}/{method}/BENCHMARK")
        return Query([(adapter, None) for adapter in adapters])
    if len(rest) > 3:
        raise UserError(f"{text}: a cell has at most five parts, student/method/metric/item/sample")
    metric, item, sample = (*rest, "", "")[:3]
    # `harmbench:oracle` and `well_formed:harmbench` are read off the same score.
    benchmark = next((part for part in metric.split(":") if part in scores), None)
    if benchmark is None:
        return _row_or_metric(lineage, scores, adapters, student, method, metric)
    files = scores[benchmark]
    if item:
        ids = {i for file in files for i in ids_of(lineage, file.removesuffix(".json") + ".parquet")}
        if item not in ids:
            raise unknown(f"item of {benchmark}", item, ids)
    if sample and not sample.isdigit():
        raise UserError(f"a sample is a number, not {sample!r}: {student}/{method}/{metric}/{item}/0")
    return Query([(file, None) for file in files], item or None, int(sample) if sample else None)


def _row_or_metric(
    lineage: Lineage, scores: Iterable[str], adapters: Iterable[str], student: str, method: str, name: str
) -> Query:
    """Return what a row of a training set, a sampled row that was left out, or a metric of the tables means."""
    inputs = [path for adapter in adapters for path in lineage.identities[lineage.made[adapter]]["inputs"]]
    sets = list(dict.fromkeys(path for path in inputs if path.endswith(".parquet")))
    rows = {path: ids_of(lineage, path) for path in sets}
    if found := [path for path in sets if name in rows[path]]:
        return Query([(path, None) for path in found], name)
    metrics = _metrics(lineage, student, method)
    if name in metrics:
        return Query([(table, _inputs_about(lineage, table, student, method, name)) for table in metrics[name]])
    if found := [path for path in sets if any(name in ids_of(lineage, step.name) for step in lineage.chain(path))]:
        head = f"{name} was sampled and is not in this training set: see the verdicts on it, and how its samples ended"
        return Query([(path, None) for path in found], name, head=[head])
    if re.search(r"-\d{4,}$", name):
        raise unknown(f"training row of {student}/{method}", name, (row for ids in rows.values() for row in ids))
    raise unknown(f"metric or benchmark of {student}/{method}", name, {*scores, *metrics})


def ids_of(lineage: Lineage, name: str) -> set[str]:
    """Return the ids of a Parquet file's rows; none where there is no such file or its rows have none."""
    import pyarrow.parquet as pq

    path = lineage.path_of(name)
    if path.suffix != ".parquet" or not path.is_file() or "id" not in pq.read_schema(path).names:
        return set()
    return set(pq.read_table(path, columns=["id"])["id"].to_pylist())


def _metrics(lineage: Lineage, student: str, method: str) -> dict[str, list[str]]:
    """Return the tidy tables with each metric of a student and method, numbered tables first."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for name in sorted(lineage.made, key=lambda name: (not name.startswith("tables/table"), name)):
        if name.startswith("tables/") and name.endswith(".csv") and lineage.path_of(name).is_file():
            with open(lineage.path_of(name), encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    if (row.get("student"), row.get("method", method)) == (student, method) and row.get("metric"):
                        found[row["metric"]][name] = None
    return {metric: list(tables) for metric, tables in found.items()}


def _inputs_about(lineage: Lineage, table: str, student: str, method: str, metric: str) -> list[str] | None:
    """Return those of a table's inputs that a metric of a student and method is made of; None: all of them."""
    about = [name for name in lineage.identities[lineage.made[table]]["inputs"] if student in name.split("/")]
    about = [name for name in about if method in name.split("/")] or about
    if kind := AVERAGES.get(metric.partition(":")[0]):
        about = [name for name in about if name.startswith(f"scores/{kind}/")]
    return about or None


def state_of(lineage: Lineage, step: Step) -> str:
    """Return that a file is missing, or no longer what was used, or made by no rule; else nothing."""
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
    return "" if step.identity else NO_RULE


def rows_of(lineage: Lineage, name: str, query: Query) -> list[Row]:
    """Return the rows of a file about the item that is followed."""
    import pyarrow.parquet as pq

    if query.item is None:
        return []
    identity = lineage.identity_of(name)
    beside = lineage.identities[identity]["content"] if identity else {}
    names = [name] if name.endswith(".parquet") else beside  # a score's rows are in a file beside it
    files = [lineage.path_of(file) for file in names if query.item in ids_of(lineage, file)]
    rows = [row for file in files for row in pq.read_table(file, filters=[("id", "=", query.item)]).to_pylist()]
    return [row for row in rows if query.sample is None or row.get("draw", query.sample) == query.sample]


def back(lineage: Lineage, query: Query) -> dict[str, Any]:
    """Return everything behind a cell, a row or a file.

    The result has ``head`` (lines), ``steps`` (depth first: ``name``, ``digest`` by which it was used, ``depth``,
    ``again`` where it is further up already, ``state``, ``rows`` about the item, and ``made``, its identity),
    ``outside`` (the commit or digest of each source), ``code`` (``file``, ``digest`` and ``state`` of each module).
    """
    steps: list[dict[str, Any]] = []
    outside: dict[str, str] = {}
    code: set[tuple[str, str]] = set()
    seen: set[str] = set()
    for root, only in query.roots:
        for step in _without_other_shards(lineage, lineage.chain(root, only, seen), query):
            one = {"name": step.name, "digest": step.digest, "depth": step.depth, "again": step.again}
            if not step.again:
                made = lineage.identities[step.identity] if step.identity else None
                one |= {"state": state_of(lineage, step), "rows": rows_of(lineage, step.name, query), "made": made}
                code |= set(made["code"].items()) if made else set()
                outside |= {name: fixed for name, (_, fixed) in sources(made["spec"]).items()} if made else {}
            steps.append(one)
    return {"head": query.head, "steps": steps, "outside": outside, "code": [_module(*one) for one in sorted(code)]}


def _module(name: str, digest: str) -> dict[str, str]:
    """Return a module's file, and whether its code has changed since."""
    now = {path: source_digest((ROOT / path).read_text(encoding="utf-8")) for path in module_files(name)}
    same = [path for path, found in now.items() if found == digest]
    state = "" if same else "CHANGED since" if now else "no longer there"
    return {"file": (same or [*now, name])[0], "digest": digest, "state": state}


def _without_other_shards(lineage: Lineage, steps: list[Step], query: Query) -> list[Step]:
    """Leave out the shards without the item that is followed, where another shard beside them has it."""
    if query.item is None:
        return steps
    has = {step.name: bool(rows_of(lineage, step.name, query)) for step in steps if SHARD.search(step.name)}
    homes = {Path(name).parent for name, there in has.items() if there}
    kept, hidden = [], None  # hidden: the depth of a shard that is left out, with all behind it
    for step in steps:
        if hidden is None or step.depth <= hidden:
            hidden = step.depth if not has.get(step.name, True) and Path(step.name).parent in homes else None
            if hidden is None:
                kept.append(step)
    return kept


def render(found: Mapping[str, Any], full: bool = False) -> list[str]:
    """Return a chain as a tree, then the modules and sources that it names with their digests."""
    lines, steps = [*found["head"]], found["steps"]
    for step, (before, under) in zip(steps, _branches([step["depth"] for step in steps]), strict=True):
        note = "see above" if step["again"] else step["state"]
        lines.append(f"{before}{step['name']}  {step['digest'][:12]}" + (f"  ({note})" if note else ""))
        if made := step.get("made"):
            lines.append(f"{under}code: {modules(made['code'])}")
            if made["environment"]:
                lines.append(f"{under}with: " + ", ".join(f"{n} {v}" for n, v in made["environment"].items()))
            spec = json.dumps(made["spec"], ensure_ascii=False, sort_keys=True)
            lines.append(f"{under}spec: {spec if full else short(spec)}")
        rows = step.get("rows", [])
        for row in rows[:ROWS]:
            facts = {key: value for key, value in row.items() if key not in (*TEXTS, "meta") and value is not None}
            lines.append(f"{under}row {' '.join(f'{key}={value}' for key, value in facts.items())}")
            lines += [f"{under}    {key}: {short(str(row[key]))}" for key in TEXTS if row.get(key)]
        if len(rows) > ROWS:
            lines.append(f"{under}and {len(rows) - ROWS} rows more; name a sample to see one")
    if outside := found["outside"]:
        lines += ["", "From outside:"]
        lines += [f"  {name}  {fixed[:12] or 'at no commit'}" for name, fixed in outside.items()]
    if found["code"]:
        lines += ["", "Code, by what it means (comments and layout do not count):"]
    for one in found["code"]:
        lines.append(f"  {one['file']}  {one['digest']}" + (f"  ({one['state']})" if one["state"] else ""))
    return lines


def short(text: str) -> str:
    """Return a text on one line, cut where it is long."""
    line = text.replace("\n", "⏎")
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}… ({len(line):,} characters)"


def _branches(depths: Sequence[int]) -> list[tuple[str, str]]:
    """Return, for each step, the branches before its own line and before the lines under it."""
    found, goes_on, after = [], set(), 0  # goes_on: depths at which a later step is a sibling; after: the next depth
    for depth in reversed(depths):
        bars = "".join("│  " if level in goes_on else "   " for level in range(1, depth))
        below = "│  " if after == depth + 1 else "   "
        own, under = ("├─ ", "│  ") if depth in goes_on else ("└─ ", "   ")
        found.append((bars + own, bars + under + below) if depth else ("", below))
        goes_on = {level for level in goes_on if level < depth} | {depth}
        after = depth
    return found[::-1]


def forth(lineage: Lineage, text: str) -> dict[str, Any]:
    """Return what depends on a file, a module or a source on the hub.

    The result has ``file``; numbers of ``results`` in the run, ``dependents`` among them, ``users`` that read it and
    ``changed`` ones, which read another content; ``groups`` (names by kind) and ``others`` (counts by folder).
    """
    name = lineage.name_of(text) if Path(text).exists() else text
    made = lineage.identities.values()
    used = {path for one in made for path in one["inputs"]}
    code = {path for one in made for module in one["code"] for path in module_files(module)}
    known = {*lineage.made, *used, *code, *(source for one in made for source in sources(one["spec"]))}
    if name not in known and not lineage.identity_of(name):
        raise unknown("file", text, [one for one in known if Path(one).name == Path(text).name] or known)
    found = lineage.dependents(name)
    read = [lineage.identities[user]["inputs"].get(name) for user in lineage.users(name)]
    now = input_digest(lineage.path_of(name)) if name in used and lineage.path_of(name).exists() else None
    files = [lineage.artifact_of(identity) for identity in found]
    cells: dict[str, dict[str, None]] = defaultdict(dict)
    for cell in (layout.SCORE.parse(file) for identity in found for file in lineage.identities[identity]["content"]):
        if cell:
            cells[f"{cell['student']}/{cell['method']}"][cell["benchmark"]] = None
    groups = {
        "tables": [Path(file).stem for file in files if file.startswith("tables/")],
        "figures": [Path(file).stem for file in files if file.startswith("figures/")],
        "cells": [f"{variant}: {', '.join(names)}" for variant, names in sorted(cells.items())],
        "adapters": [file for file in files if file.startswith("adapters/")],
        "training sets": [file for file in files if file.startswith(("datasets/", "corpora/"))],
        "summaries and pages": [file for file in files if "/" not in file or file.startswith("report/")],
    }
    grouped = ("tables", "figures", "scores", "adapters", "datasets", "corpora", "report")
    folders = sorted(file.partition("/")[0] for file in files if "/" in file)
    return {
        "file": name,
        "results": len(lineage.identities),
        "dependents": len(found),
        "users": len(read),
        "changed": sum(digest not in (None, now) for digest in read) if now else 0,
        "groups": {title: list(dict.fromkeys(members)) for title, members in groups.items() if members},
        "others": Counter(folder for folder in folders if folder not in grouped),
    }


def render_forth(found: Mapping[str, Any]) -> list[str]:
    """Return the dependents of a file as lines for people."""
    if not found["dependents"]:
        return [f"{found['file']}: nothing that has been made depends on it"]
    lines = [f"{found['file']}: {found['dependents']:,} of {found['results']:,} results depend on it"]
    if found["changed"]:
        lines.append(f"CHANGED since {found['changed']} of {found['users']} that read it were made")
    for title, members in found["groups"].items():
        lines += [f"{title} ({len(members):,}):", *(f"  {member}" for member in members)]
    if found["others"]:
        lines.append("and " + ", ".join(f"{count:,} in {folder}/" for folder, count in found["others"].items()))
    return lines


def run_of(text: str, run: str | None) -> Path:
    """Return the run that is meant: the named one, the one that a path is in, or the only one there is."""
    runs = {path.name: path for path in sorted(Path("results").glob("*/")) if (path / "logs").is_dir()}
    parts = Path(text).parts
    name = run or (parts[parts.index("results") + 1] if "results" in parts[:-1] else None)
    if name is None and len(runs) > 1 and "miniature" not in runs:
        raise UserError(f"there are several runs; name one, as in --run {next(iter(runs))}: {', '.join(runs)}")
    if name is None and not runs:
        raise UserError("there is no run under results/ yet")
    name = name or ("miniature" if len(runs) > 1 else next(iter(runs)))
    if name not in runs:
        raise unknown("run", name, runs)
    return runs[name]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("cell", nargs="?", help="student/method/metric[/item[/sample]], student/method/row, or a file")
    what.add_argument("--file", help="show what was made of this file, module or source on the hub")
    parser.add_argument("--run", help="the run's name under results/, where there are several")
    parser.add_argument("--full", action="store_true", help="print whole specs")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the chain behind a cell, or what depends on a file."""
    lineage = Lineage(run_of(arguments.file or arguments.cell, arguments.run))
    if arguments.file:
        found = forth(lineage, arguments.file)
        lines, wrong = render_forth(found), found["changed"]
    else:
        found = back(lineage, query_of(lineage, arguments.cell))
        lines = render(found, arguments.full)
        wrong = any(one.get("state") not in (None, "", NO_RULE) for one in (*found["steps"], *found["code"]))
    print(json.dumps(found, indent=1, ensure_ascii=False) if arguments.json else "\n".join(lines))
    return int(bool(wrong))
