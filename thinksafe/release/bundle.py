"""Pack a finished run, or a part of it, into one archive: `make bundle CONFIG= TIER= [TARGET=] [PUBLIC=1]`.

The last line that it prints is the archive's path. docs/reproducing.md tells what each tier holds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from thinksafe.files import IDENTITY, RECORD, read_json, read_rows  # noqa: E402
from thinksafe.hub.lock import remote_sources, used  # noqa: E402
from thinksafe.planning import dag  # noqa: E402
from thinksafe.provenance.digests import canonical  # noqa: E402
from thinksafe.provenance.identity import SNAKEMAKES, content_digest, file_digest  # noqa: E402
from thinksafe.release import archive, snakemake_records  # noqa: E402
from thinksafe.release.archive import TIERS, BundleError  # noqa: E402
from thinksafe.release.snakemake_records import Node  # noqa: E402
from thinksafe.study.stages import LEVELS, stage_of  # noqa: E402

TABLES = LEVELS.index("tables")
WORKFLOW = ("Snakefile", "LICENSE", "CITATION.cff", "requirements/*.txt", "envs/*.yaml", "envs/*.sh")
PRIVATE = ("host", "slurm_job")  # of a record, which a public bundle does not tell

README = """# {run}: a bundle of ThinkSafe-Flow

The run {run}, {reach} ({target}){public}. In a clone of the workflow:

    make restore CONFIG=... BUNDLE=this-file.tar.gz
    make reproduce CONFIG=... BUNDLE=this-file.tar.gz TIER={deepest}

`bundle.json` has size and digest of every file, `provenance.json` how each was made, `config.json` the config as it was
read, `workflow/` the versions that made it, `ro-crate-metadata.json` the same for machines (Workflow Run RO-Crate).
"""
LICENCES = """# Licences

The workflow is under Apache-2.0 (`workflow/LICENSE`). What it takes from elsewhere is under its own licence; what is
made with a model or a data set may be bound by its terms. As the pages said when the workflow was written; they decide:

{sources}
"""


def selected(graph: Any, target: str, config: Mapping[str, Any]) -> list[Node]:
    """Return the jobs of a DAG that a target means: all of them, or those of one student with all behind them."""
    nodes = [node for node in snakemake_records.nodes_of(graph) if node.rule != "write_report"]  # it shows raw answers
    if target not in config["models"]:
        return nodes
    own = [node for node in nodes if node.job.wildcards_dict.get("student") == target]
    if not own:
        raise BundleError(f"{target}: this student is not among those that {config['run']} selects")
    wanted: set[Node] = set()
    todo = list(own)
    while todo:
        if (node := todo.pop()) not in wanted:
            wanted.add(node)
            todo += node.needs
    return [node for node in nodes if node in wanted]


def chosen(nodes: Sequence[Node], tier: str) -> set[str]:
    """Return the outputs that a bundle of a tier holds.

    All that is made from the tier's level on, what that takes from below it, and every identity. A folder comes with
    its identity or not at all: jobs take the identity for a sign that the folder is there.
    """
    least = TIERS[tier]
    makers = {output: node for node in nodes for output in node.outputs}
    found: set[str] = set()
    for node in nodes:
        if node.level >= least:
            found.update(node.outputs)
        elif not node.folders:
            found.add(node.identity)
        for path in node.inputs if node.level > least else ():
            maker = makers.get(path)
            if maker is None or not maker.folders:
                found.update([path] if maker else ())
            elif node.level < TABLES:  # tables look at a folder's identity alone, and are in the bundle themselves
                found.update(maker.outputs)
    return found


def with_text(nodes: Iterable[Node]) -> set[str]:
    """Return the outputs that show prompts or responses, as far as nobody has looked and said otherwise."""
    found: set[str] = set()
    for node in nodes:  # each after what it needs
        if stage_of(node.rule).shows_text and (node.level < TABLES or found & set(node.inputs)):
            found.update(output for output in node.outputs if not output.endswith(archive.COUNTS))
    return found


def files_of(
    nodes: Sequence[Node], outputs: set[str], root: Path, public: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the files behind outputs by name, with what stands beside them; and the digests of those held back."""
    members: dict[str, Any] = {}
    withheld: dict[str, str] = {}
    texts = with_text(nodes) if public else set()
    for node in nodes:
        mine = [output for output in node.outputs if output in outputs]
        for output in mine:
            if not (root / output).exists():
                raise BundleError(
                    f"{output}: is not here, though all is up to date (a restored run?); take a lesser TIER"
                )
            if output in texts or (public and node.rule.startswith("judge_") and says_more(root / output)):
                withheld[output] = content_digest(root / output)
            elif output in node.folders:
                files = sorted(path for path in (root / output).rglob("*") if path.is_file())
                members |= {str(path.relative_to(root)): path for path in files if path.name != SNAKEMAKES}
            else:
                members[output] = root / output
        for ending in archive.COMPANIONS if node.identity in mine else ():
            beside = node.identity.removesuffix(IDENTITY) + ending
            if (root / beside).is_file():
                members[beside] = _record(root / beside) if public and ending == RECORD else root / beside
    return members, withheld


def says_more(path: Path) -> bool:
    """Tell whether a file of verdicts has a guard's own words that are no verdict."""
    if path.suffix != ".parquet":
        return False
    return not all(archive.VERDICT.fullmatch(row.get("output") or "") for row in read_rows(path))


def _record(path: Path) -> bytes:
    """Return a job's record without the names of machines."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cleaned(part) for key, part in value.items() if key not in PRIVATE}
        return [cleaned(part) for part in value] if isinstance(value, list) else value

    return archive.json_bytes(cleaned(read_json(path)))


def private_places(config: Any) -> dict[str, str]:
    """Return where a config looks outside the workflow's folder, and what a public bundle says instead.

    A path inside the folder tells nothing of the machine. A text that only looks like a path, such as `/no_think`, is
    none: what is no `file` or `folder` must be there.
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
                found[value] = f"{archive.ELSEWHERE}/{Path(value).name}"
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


def hide_places(members: dict[str, Any], jobs: list[dict[str, Any]], places: Mapping[str, str]) -> list[dict[str, Any]]:
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
                    "workflow's folder in the config, or pack TIER=scores"
                )
    return [
        without_places(job, places)
        | {
            "params": [
                repr(canonical(without_places(json.loads(archive.unquoted(text)), places))) for text in job["params"]
            ],
            "input_checksums": {
                without_places(name, places): changed.get(name, checksum)
                for name, checksum in job["input_checksums"].items()
            },
        }
        for job in jobs
    ]


def licences(config: Mapping[str, Any]) -> str:
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


def make_bundle(config: str, tier: str, target: str = "all", public: bool = False, root: Path = ROOT) -> Path:
    """Write a bundle and return its path.

    Raises
    ------
    BundleError
        Where something that belongs into it is stale, missing or without provenance.
    """
    version = snakemake_records.check_format()
    planned = "all" if target in dag.settings_of(config)["models"] else target
    with dag.graph(config, [planned], root) as graph:
        settings = json.loads(json.dumps(graph.workflow.globals["config"]))
        nodes = selected(graph, target, settings)
        if not nodes:
            raise BundleError(f"{target}: makes nothing that could be packed")
        if stale := [node for node in nodes if node.stale]:
            raise BundleError(
                f"{len(stale)} jobs of {settings['run']} are stale or not made yet, {stale[0].title} among them: run "
                f"`snakemake {target}` with this config first (`make explain` tells why)"
            )
        jobs = [snakemake_records.recorded(graph, node) for node in nodes]
        members, withheld = files_of(nodes, chosen(nodes, tier), root, public)
    if public:
        places = private_places(settings)
        settings, jobs = without_places(settings, places), hide_places(members, jobs, places)
    manifest = {
        "run": settings["run"],
        "tier": tier,
        "public": public,
        "target": target,
        "planned": planned,
        "snakemake": version,
        "record_format": snakemake_records.RECORD_FORMAT,
        "withheld": withheld,
    }
    members |= {
        archive.PROVENANCE: archive.json_bytes(jobs),
        "config.json": archive.json_bytes(settings),
        "LICENCES.md": licences(settings).encode(),
        "README.md": README.format(
            run=settings["run"],
            reach=archive.reach(tier),
            deepest="datasets" if tier == "all" else tier,
            target=target,
            public=", without prompts and responses" if public else "",
        ).encode(),
    }
    members |= {
        f"workflow/{path.relative_to(ROOT)}": path for pattern in WORKFLOW for path in sorted(ROOT.glob(pattern))
    }
    for name in members:
        archive.checked_name(Path(settings["run"]), name)
    from thinksafe.release import crate

    facts = {name: archive.facts(members[name]) for name in sorted(members)}
    times = min(job["started"] for job in jobs), max(job["ended"] for job in jobs)
    members["ro-crate-metadata.json"] = crate.describe(manifest, facts, times, _version())
    name = "-".join([tier, *([] if target == "all" else [target]), *(["public"] if public else [])])
    path = root / "results" / settings["run"] / "bundles" / f"{name.replace('/', '-')}.tar.gz"
    archive.write_bundle(path, manifest, members)
    return path


def _version() -> str:
    import yaml

    return str(yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"])


def main() -> None:
    """Pack what the command line names, and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/config.yaml")
    parser.add_argument("--tier", choices=TIERS, default="scores")
    parser.add_argument("--target", default="all", help="a target of Snakemake's, such as table1, or a student")
    parser.add_argument("--public", action="store_true", help="leave out prompts and responses, keep their digests")
    parser.add_argument("--folder", type=Path, default=ROOT, help="where results/ and .snakemake/ are")
    arguments = parser.parse_args()
    try:
        path = make_bundle(arguments.config, arguments.tier, arguments.target, arguments.public, arguments.folder)
        found = archive.open_bundle(path)  # as a stranger would
    except (BundleError, OSError) as error:  # a full disk, too
        sys.exit(f"bundle: {error}")
    held = [name for name in found.manifest["files"] if name.startswith("results/")]
    print(f"{len(held):,} files of {len(set(found.owner.values())):,} jobs, how {len(found.jobs):,} jobs were made")
    if withheld := found.manifest["withheld"]:
        print(f"held back, with their digests told: {len(withheld):,} files with prompts or responses")
    print(f"sha256 {file_digest(path)}")
    print(path.relative_to(arguments.folder) if path.is_relative_to(arguments.folder) else path)


if __name__ == "__main__":
    main()
