"""Pack a finished run, or a part of it, into one archive.

  thinksafe bundle --tier responses --public                  # the paper's run, without prompts and responses
  thinksafe bundle table1 --configfile config/miniature.yaml  # what one target is made of
  thinksafe bundle qwen3-mini --tier adapters --configfile config/miniature.yaml  # one student

The last line is the archive's path. A bundle of a tier holds the results of that tier and of all
later ones (docs/reproducing.md). Exit code 1: a result is stale, missing or must not be public.
"""

import argparse
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from thinksafe.files import IDENTITY, RECORD, read_json, read_rows
from thinksafe.planning import dag
from thinksafe.provenance.digests import ROOT, canonical
from thinksafe.provenance.identity import SNAKEMAKES, content_digest
from thinksafe.release import archive, crate, snakemake_records
from thinksafe.release.archive import TABLES, TIERS, Content, ReleaseError
from thinksafe.release.cards import LICENCES
from thinksafe.reporting.templates import fill
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


def jobs_of_target(jobs: Iterable[dag.Job], target: str, config: Mapping[str, Any]) -> list[dag.Job]:
    """Return the jobs that a target means: all of a DAG, or those of one student and all behind them."""
    jobs = [job for job in jobs if job.identity and job.rule != "write_report"]  # the report shows raw answers
    if target not in config["models"]:
        return jobs
    wanted = dag.behind(job for job in jobs if job.wildcards.get("student") == target)
    if not wanted:
        raise ReleaseError(f"{target}: {config['run']} does not select this student")
    return [job for job in jobs if job in wanted]


def outputs_of_tier(jobs: Sequence[dag.Job], tier: str) -> set[str]:
    """Return the outputs that a bundle of a tier holds.

    These are all outputs from the tier's level on, their inputs from below it, and every identity. A folder comes only
    with its identity: jobs take the identity as a sign that the folder is there.
    """
    makers = {output: job for job in jobs for output in job.outputs}
    found: set[str] = set()
    for job in jobs:
        level = stage_of(job.rule).depth
        if level >= TIERS[tier]:
            found.update(job.outputs)
        elif not job.folders:
            found.add(job.identity)
        for maker, path in ((makers.get(path), path) for path in job.inputs if level > TIERS[tier]):
            if maker and not maker.folders:
                found.add(path)
            elif maker and level < TABLES:  # tables read only a folder's identity, and are in the bundle themselves
                found.update(maker.outputs)
    return found


def outputs_with_text(jobs: Iterable[dag.Job]) -> set[str]:
    """Return the outputs that may show prompts or responses; each of ``jobs`` comes after those that it needs."""
    found: set[str] = set()
    for job in jobs:
        stage = stage_of(job.rule)
        if stage.shows_text and (stage.depth < TABLES or not found.isdisjoint(job.inputs)):
            found.update(output for output in job.outputs if not output.endswith(COUNTS))
    return found


def files_of(jobs: Sequence[dag.Job], outputs: set[str], public: bool) -> tuple[dict[str, Content], dict[str, str]]:
    """Return the files of outputs and their companions by name, and the digests of the files that are withheld."""
    members: dict[str, Content] = {}
    withheld: dict[str, str] = {}
    texts = outputs_with_text(jobs) if public else set()
    for job in jobs:
        for output in filter(outputs.__contains__, job.outputs):
            if not Path(output).exists():
                raise ReleaseError(f"{output}: is missing, though up to date (a restored run?); use --tier scores")
            if output in texts or (public and job.rule.startswith("judge_") and has_other_text(Path(output))):
                withheld[output] = content_digest(output)
            elif output in job.folders:
                files = (path for path in Path(output).rglob("*") if path.is_file() and path.name != SNAKEMAKES)
                members |= {str(path): path for path in files}
            else:
                members[output] = Path(output)
        for ending in archive.COMPANIONS if job.identity in outputs else ():
            beside = job.identity.removesuffix(IDENTITY) + ending
            if Path(beside).is_file():
                members[beside] = Path(beside)
                if public and ending == RECORD:
                    members[beside] = archive.json_bytes(json.loads(members[beside].read_bytes(), object_hook=_public))
    return members, withheld


def _public(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in PRIVATE}


def has_other_text(path: Path) -> bool:
    """Return whether a guard wrote anything other than a verdict into a file of verdicts."""
    return path.suffix == ".parquet" and not all(VERDICT.fullmatch(row.get("output") or "") for row in read_rows(path))


def private_places(config: Any) -> dict[str, str]:
    """Return the paths of a config outside the workflow's folder, and what a public bundle has in their place.

    A path inside the folder reveals nothing about the machine. Text that only looks like a path, such as `/no_think`,
    is not one: unless its key is `file` or `folder`, a path must exist.
    """
    found: dict[str, str] = {}
    todo = [("", config)]
    while todo:
        key, value = todo.pop()
        if isinstance(value, Mapping):
            todo += value.items()
        elif isinstance(value, list):
            todo += [(key, entry) for entry in value]
        elif isinstance(value, str) and value.startswith(("/", "~", "..")) and Path(value).name:
            if key in ("file", "folder") or Path(value).expanduser().exists():
                found[value] = f"{ELSEWHERE}/{Path(value).name}"
    return found


def replace_places(value: Any, places: Mapping[str, str]) -> Any:
    """Return a JSON-like value with each of ``places``, and the paths inside them, replaced."""
    if isinstance(value, Mapping):
        return {replace_places(key, places): replace_places(entry, places) for key, entry in value.items()}
    if isinstance(value, list):
        return [replace_places(entry, places) for entry in value]
    if isinstance(value, str):
        for place, instead in places.items():
            if value == place or value.startswith(place.rstrip("/") + "/"):
                return instead + value[len(place.rstrip("/")) :]
    return value


def hide_places(
    members: dict[str, Content], jobs: list[dict[str, Any]], places: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Replace places in identities, and return the jobs with them replaced; checksums are of the new identities.

    Raises ReleaseError if a file that counts by its bytes names a place, such as an adapter of a model in a folder.
    """
    changed: dict[str, str] = {}
    for name, content in members.items() if places else ():
        if name.endswith(IDENTITY) and (after := replace_places(before := read_json(content), places)) != before:
            members[name] = content = archive.json_bytes(after)
            changed[name] = "sha256:" + archive.facts(content)["sha256"]
        if name.endswith(archive.TEXT):
            data = archive.bytes_of(content)
            if named := next((place for place in places if place.encode() in data), None):
                raise ReleaseError(
                    f"{name}: names the path {named}, so it cannot be public; in the config, name a link to it inside "
                    "the workflow's folder, or pack --tier scores"
                )
    hidden = []
    for job in replace_places(jobs, places):
        params = (canonical(replace_places(json.loads(archive.unquote(text)), places)) for text in job["params"])
        checksums = {name: changed.get(name, checksum) for name, checksum in job["input_checksums"].items()}
        hidden.append(job | {"params": list(map(repr, params)), "input_checksums": checksums})
    return hidden


def licences(config: Any) -> str:
    """Return the licence notes of all sources of a run of this config (config/licences/assets.yaml)."""
    from thinksafe.hub.client import page
    from thinksafe.hub.needed import remote_sources, used

    found = set()
    for source in remote_sources(used(config)):
        name = source.get("hub") or source["url"]
        known = LICENCES.get(name, {})
        terms = f"; to be accepted: {known['terms']}" if "terms" in known else ""
        place = page(source["kind"], name) if "hub" in source else name
        found.add(f"{place}: {known.get('licence', 'see its page')}{terms}")
    return fill("bundle/LICENCES.md", sources=sorted(found))


def make_bundle(
    overlay: dag.Overlay, tier: str, target: str = "all", public: bool = False, dry_run: bool = False
) -> dict[str, Any]:
    """Write a bundle of the current folder's run; raise ReleaseError if a part of it is stale, missing or unrecorded.

    Returns its ``path``; counts of ``files`` (results), of the ``jobs`` that made them, of jobs with ``provenance`` and
    of ``withheld`` files; the ``bytes`` of its files; and, once it is written, its ``sha256``.
    """
    from thinksafe.config.types import plain

    version = snakemake_records.check_format()
    typed = dag.settings_of(overlay)
    planned = "all" if target in typed.models else target
    with dag.graph(overlay, planned) as graph:
        config = plain(graph.workflow.globals["study"].config)
        jobs = jobs_of_target(dag.jobs_of(graph), target, config)
        if not jobs:
            raise ReleaseError(f"{target}: has no results to pack")
        if stale := [job for job in jobs if job.stale]:
            raise ReleaseError(
                f"{len(stale)} jobs of {config['run']} are stale or have not run yet, {stale[0].title} among them: run "
                f"`snakemake {target}` with this config first (`thinksafe explain` says why)"
            )
        records = [snakemake_records.recorded(graph, job) for job in jobs]
        members, withheld = files_of(jobs, outputs_of_tier(jobs, tier), public)
    if public:
        places = private_places(config)
        config, records = replace_places(config, places), hide_places(members, records, places)
    name = "-".join([tier, *([] if target == "all" else [target]), *(["public"] if public else [])])
    path = Path("results") / config["run"] / "bundles" / f"{name.replace('/', '-')}.tar.gz"
    found = {
        "path": str(path),
        "files": len(members),
        "jobs": len({job.identity for job in jobs} & members.keys()),
        "provenance": len(jobs),
        "bytes": sum(map(archive.size_of, members.values())),
        "withheld": len(withheld),
    }
    if dry_run:
        return found
    manifest = dict(run=config["run"], tier=tier, public=public, target=target, planned=planned, withheld=withheld)
    manifest |= dict(snakemake=version, record_format=snakemake_records.RECORD_FORMAT)
    members |= {
        archive.PROVENANCE: archive.json_bytes(records),
        "config.json": archive.json_bytes(config),
        "LICENCES.md": licences(typed).encode(),
        "README.md": fill("bundle/README.md", **manifest, scope=archive.scope_of(manifest)).encode(),
    }
    members |= {f"workflow/{path.relative_to(ROOT)}": path for pattern in WORKFLOW for path in ROOT.glob(pattern)}
    for name in members:
        archive.check_name(name, config["run"])
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
    parser.add_argument("--dry-run", action="store_true", help="print what would be packed, and write nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Pack what the command line names, and print where it is."""
    overlay = dag.overlay_of(arguments)
    found = make_bundle(overlay, arguments.tier, arguments.target, arguments.public, arguments.dry_run)
    lines = [f"{found['files']:,} files of {found['jobs']:,} jobs, provenance of {found['provenance']:,} jobs"]
    if found["withheld"]:
        lines.append(f"withheld, with their digests: {found['withheld']:,} files with prompts or responses")
    lines.append(f"sha256 {found['sha256']}" if "sha256" in found else f"would pack {found['bytes'] / 1e6:,.1f} MB")
    print(json.dumps(found, indent=1) if arguments.json else "\n".join([*lines, found["path"]]))
    return 0
