"""Pack a finished run, or a part of it, into one archive.

  thinksafe bundle --tier responses --public                  # the paper's run, without prompts and responses
  thinksafe bundle table1 --configfile config/miniature.yaml  # what one target is made of
  thinksafe bundle qwen3-mini --tier adapters --configfile config/miniature.yaml  # one student

The last line is the archive's path. A bundle of a tier holds all that is made from there on
(docs/reproducing.md). Exit code 1: something is stale, missing or must not be public.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from thinksafe.config.types import Config, plain
from thinksafe.files import IDENTITY, RECORD, read_json, read_rows
from thinksafe.hub.needed import remote_sources, used
from thinksafe.planning import dag
from thinksafe.provenance.digests import ROOT, canonical
from thinksafe.provenance.identity import SNAKEMAKES, content_digest
from thinksafe.release import archive, snakemake_records
from thinksafe.release.archive import TABLES, TIERS, BundleError
from thinksafe.study.stages import stage_of

WORKFLOW = ("Snakefile", "LICENSE", "CITATION.cff", "requirements/*.txt", "envs/*.yaml", "envs/*.sh")
PRIVATE = ("host", "slurm_job")  # keys of a record that a public bundle leaves out
ELSEWHERE = "elsewhere"  # in a public bundle, the folder of what is outside the workflow's
# What a guard, or the miniature's oracle, writes as a verdict; other text may repeat what it judged.
VERDICT = re.compile(
    r"|(un)?safe[\sS\d,]*|(\s*(Harmful request|Response refusal|Harmful response): (yes|no|N/A)\s*)+"
    r"|refused( in other words)?|answered a question|not a sentence of the world"
    r"|no single think block with an answer after it|gave steps for an? \w+ deed with [a-z ]{1,20}, [a-z ]{1,30}",
    re.ASCII,
)
COUNTS = (IDENTITY, ".statistics.json")  # outputs of any rule that have no text
Content = Path | bytes

README = """# {run}: a bundle of ThinkSafe-Flow

The run {run}, {reach} ({target}){public}. In a clone of the workflow, after `make setup`:

    .venv/bin/thinksafe restore this-file.tar.gz --configfile ...
    .venv/bin/thinksafe reproduce this-file.tar.gz --tier {deepest} --configfile ...

`bundle.json` has size and digest of every file, `provenance.json` how each was made, `config.json` the config as it was
read, `workflow/` the versions that made it, `ro-crate-metadata.json` the same for machines (Workflow Run RO-Crate).
"""
LICENCES = """# Licences

The workflow is under Apache-2.0 (`workflow/LICENSE`). What it takes from elsewhere is under its own licence; what is
made with a model or a data set may be bound by its terms. As the pages said when the workflow was written; they decide:

{sources}
"""


def selected(jobs: Iterable[dag.Job], target: str, config: Mapping[str, Any]) -> list[dag.Job]:
    """Return the jobs that a target means: all of a DAG's, or those of one student with all behind them."""
    jobs = [job for job in jobs if job.identity and job.rule != "write_report"]  # the report shows raw answers
    if target not in config["models"]:
        return jobs
    own = [job for job in jobs if job.wildcards.get("student") == target]
    if not own:
        raise BundleError(f"{target}: this student is not among those that {config['run']} selects")
    wanted = dag.behind(own)
    return [job for job in jobs if job in wanted]


def chosen(jobs: Sequence[dag.Job], tier: str) -> set[str]:
    """Return the outputs that a bundle of a tier holds.

    All that is made from the tier's level on, what that takes from below it, and every identity. A folder comes with
    its identity or not at all: jobs take the identity for a sign that the folder is there.
    """
    lowest = TIERS[tier]
    makers = {output: job for job in jobs for output in job.outputs}
    found: set[str] = set()
    for job in jobs:
        level = stage_of(job.rule).depth
        if level >= lowest:
            found.update(job.outputs)
        elif not job.folders:
            found.add(job.identity)
        for path in job.inputs if level > lowest else ():
            maker = makers.get(path)
            if maker is None or not maker.folders:
                found.update([path] if maker else ())
            elif level < TABLES:  # tables look at a folder's identity alone, and are in the bundle themselves
                found.update(maker.outputs)
    return found


def with_text(jobs: Iterable[dag.Job]) -> set[str]:
    """Return the outputs that may show prompts or responses; ``jobs`` come each after what it needs."""
    found: set[str] = set()
    for job in jobs:
        if stage_of(job.rule).shows_text and (stage_of(job.rule).depth < TABLES or not found.isdisjoint(job.inputs)):
            found.update(output for output in job.outputs if not output.endswith(COUNTS))
    return found


def files_of(jobs: Sequence[dag.Job], outputs: set[str], public: bool) -> tuple[dict[str, Content], dict[str, str]]:
    """Return the files behind outputs by name, with those beside them; and the digests of those held back."""
    members: dict[str, Content] = {}
    withheld: dict[str, str] = {}
    texts = with_text(jobs) if public else set()
    for job in jobs:
        for output in (output for output in job.outputs if output in outputs):
            if not Path(output).exists():
                raise BundleError(
                    f"{output}: is not here, though all is up to date (a restored run?); take --tier scores"
                )
            if output in texts or (public and job.rule.startswith("judge_") and says_more(Path(output))):
                withheld[output] = content_digest(output)
            elif output in job.folders:
                files = sorted(path for path in Path(output).rglob("*") if path.is_file())
                members |= {str(path): path for path in files if path.name != SNAKEMAKES}
            else:
                members[output] = Path(output)
        for ending in archive.COMPANIONS if job.identity in outputs else ():
            beside = job.identity.removesuffix(IDENTITY) + ending
            if Path(beside).is_file():
                members[beside] = _record(beside) if public and ending == RECORD else Path(beside)
    return members, withheld


def says_more(path: Path) -> bool:
    """Tell whether a file of verdicts has a guard's own words that are no verdict."""
    if path.suffix != ".parquet":
        return False
    return not all(VERDICT.fullmatch(row.get("output") or "") for row in read_rows(path))


def _record(path: str) -> bytes:
    """Return a job's record without the names of machines."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cleaned(part) for key, part in value.items() if key not in PRIVATE}
        return [cleaned(part) for part in value] if isinstance(value, list) else value

    return archive.json_bytes(cleaned(read_json(path)))


def private_places(config: Any) -> dict[str, str]:
    """Return where a config looks outside the workflow's folder, and what a public bundle says instead.

    A path inside the folder says nothing of the machine. A text that only looks like a path, such as `/no_think`, is
    none: what is no `file` or `folder` must exist.
    """
    found: dict[str, str] = {}
    todo = [("", config)]
    while todo:
        key, value = todo.pop()
        if isinstance(value, Mapping):
            todo += value.items()
        elif isinstance(value, list):
            todo += [(key, part) for part in value]
        elif isinstance(value, str) and value.startswith(("/", "~", "..")) and Path(value).name:
            if key in ("file", "folder") or Path(value).expanduser().exists():
                found[value] = f"{ELSEWHERE}/{Path(value).name}"
    return found


def without_places(value: Any, places: Mapping[str, str]) -> Any:
    """Return a JSON-like value that says something else instead of places, and of what is in them."""
    if isinstance(value, Mapping):
        return {without_places(key, places): without_places(part, places) for key, part in value.items()}
    if isinstance(value, list):
        return [without_places(part, places) for part in value]
    if isinstance(value, str):
        for place, instead in places.items():
            if value == place or value.startswith(place.rstrip("/") + "/"):
                return instead + value[len(place.rstrip("/")) :]
    return value


def hide_places(
    members: dict[str, Content], jobs: list[dict[str, Any]], places: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Take places out of identities, and return the jobs without them; their checksums are of the identities as packed.

    Raises
    ------
    BundleError
        Where a file that counts by its bytes tells one, such as an adapter of a model that is in a folder.
    """
    changed: dict[str, str] = {}
    for name in members if places else ():
        if name.endswith(IDENTITY):
            before = read_json(members[name])
            if (after := without_places(before, places)) != before:
                members[name] = archive.json_bytes(after)
                changed[name] = "sha256:" + archive.facts(members[name])["sha256"]
    for name, content in members.items() if places else ():
        if name.endswith(archive.TEXT):
            data = content if isinstance(content, bytes) else content.read_bytes()
            if told := next((place for place in places if place.encode() in data), None):
                raise BundleError(
                    f"{name}: tells the path {told}, so that it cannot be public; name a link to it inside the "
                    "workflow's folder in the config, or pack --tier scores"
                )
    return [
        without_places(job, places)
        | {
            "params": [
                repr(canonical(without_places(json.loads(archive.unquote(text)), places))) for text in job["params"]
            ],
            "input_checksums": {
                without_places(name, places): changed.get(name, checksum)
                for name, checksum in job["input_checksums"].items()
            },
        }
        for job in jobs
    ]


def licences(config: Config) -> str:
    """Return the licence notes of all that a run of this config takes from elsewhere (config/licences/assets.yaml)."""
    from thinksafe.hub.client import page

    assets = yaml.safe_load((ROOT / "config/licences/assets.yaml").read_text(encoding="utf-8"))
    found = set()
    for source in remote_sources(used(config)):
        name = source.get("hub") or source["url"]
        known = assets.get(name, {})
        terms = f"; to be accepted: {known['terms']}" if "terms" in known else ""
        place = page(source["kind"], name) if "hub" in source else name
        found.add(f"- {place}: {known.get('licence', 'see its page')}{terms}")
    return LICENCES.format(sources="\n".join(sorted(found)) or "- nothing")


def make_bundle(
    overlay: dag.Overlay, tier: str, target: str = "all", public: bool = False, dry_run: bool = False
) -> dict[str, Any]:
    """Write a bundle of the current folder's run.

    Returns
    -------
    dict
        ``path``, ``files`` and ``jobs`` (counts of results and of the jobs that made them), ``provenance`` (count of
        jobs of which it says how they were made), ``bytes`` (of its files), ``withheld``, and ``sha256`` where it has
        been written

    Raises
    ------
    BundleError
        Where something that belongs into it is stale, missing or without provenance.
    """
    version = snakemake_records.check_format()
    typed = dag.settings_of(overlay)
    planned = "all" if target in typed.models else target
    with dag.graph(overlay, planned) as graph:
        config = plain(graph.workflow.globals["study"].config)
        jobs = selected(dag.jobs_of(graph), target, config)
        if not jobs:
            raise BundleError(f"{target}: makes nothing that could be packed")
        if stale := [job for job in jobs if job.stale]:
            raise BundleError(
                f"{len(stale)} jobs of {config['run']} are stale or not made yet, {stale[0].title} among them: run "
                f"`snakemake {target}` with this config first (`thinksafe explain` says why)"
            )
        records = [snakemake_records.recorded(graph, job) for job in jobs]
        members, withheld = files_of(jobs, chosen(jobs, tier), public)
    if public:
        places = private_places(config)
        config, records = without_places(config, places), hide_places(members, records, places)
    name = "-".join([tier, *([] if target == "all" else [target]), *(["public"] if public else [])])
    path = Path("results") / config["run"] / "bundles" / f"{name.replace('/', '-')}.tar.gz"
    found = {
        "path": str(path),
        "files": sum(name.startswith("results/") for name in members),
        "jobs": len({job.identity for job in jobs} & members.keys()),
        "provenance": len(jobs),
        "bytes": sum(archive.size_of(content) for content in members.values()),
        "withheld": len(withheld),
    }
    if dry_run:
        return found
    manifest = {
        "run": config["run"],
        "tier": tier,
        "public": public,
        "target": target,
        "planned": planned,
        "snakemake": version,
        "record_format": snakemake_records.RECORD_FORMAT,
        "withheld": withheld,
    }
    readme = README.format(
        run=config["run"],
        reach=archive.reach(tier),
        deepest="datasets" if tier == "all" else tier,
        target=target,
        public=", without prompts and responses" if public else "",
    )
    members |= {
        archive.PROVENANCE: archive.json_bytes(records),
        "config.json": archive.json_bytes(config),
        "LICENCES.md": licences(typed).encode(),
        "README.md": readme.encode(),
    }
    members |= {
        f"workflow/{path.relative_to(ROOT)}": path for pattern in WORKFLOW for path in sorted(ROOT.glob(pattern))
    }
    for name in members:
        archive.check_name(name, config["run"])
    from thinksafe.release import crate

    facts = {name: archive.facts(members[name]) for name in sorted(members)}
    times = min(record["started"] for record in records), max(record["ended"] for record in records)
    workflow = str(yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"])
    members["ro-crate-metadata.json"] = crate.describe(manifest, facts, times, workflow)
    archive.write_bundle(path, manifest, members)
    archive.open_bundle(path)  # as somebody else would
    return found | {"sha256": archive.facts(path)["sha256"]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    dag.add_arguments(parser, target="what to pack: a student, or a target of Snakemake's, such as table1")
    parser.add_argument("--tier", choices=TIERS, default="scores", help="the deepest results in it (default: scores)")
    parser.add_argument("--public", action="store_true", help="leave out prompts and responses, keep their digests")
    parser.add_argument("--dry-run", action="store_true", help="say what would be packed, and write nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Pack what the command line names, and print where it is."""
    overlay = dag.overlay_of(arguments)
    found = make_bundle(overlay, arguments.tier, arguments.target, arguments.public, arguments.dry_run)
    if arguments.json:
        print(json.dumps(found, indent=1))
        return 0
    print(f"{found['files']:,} files of {found['jobs']:,} jobs, how {found['provenance']:,} jobs were made")
    if found["withheld"]:
        print(f"held back, with their digests: {found['withheld']:,} files with prompts or responses")
    print(f"sha256 {found['sha256']}" if "sha256" in found else f"would be packed: {found['bytes'] / 1e6:,.1f} MB")
    print(found["path"])
    return 0
