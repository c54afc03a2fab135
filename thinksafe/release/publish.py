"""Publish a run's training sets and adapters, each with its card.

  thinksafe publish my-lab --dry-run                                       # what would be sent, and its size
  thinksafe publish my-lab --private
  thinksafe publish out/published --configfile config/miniature.yaml       # the same layout in a folder

Files that are there already with the same content are not sent again, so an interrupted command
can be repeated (docs/publishing.md). Nothing is sent if a file contains the name of this machine,
a path of yours or a token. Exit code 1: something must not be published, or was refused.
"""

import argparse
import getpass
import json
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from thinksafe.errors import UserError
from thinksafe.files import Row, read_json, read_rows, write_bytes
from thinksafe.models import location
from thinksafe.planning import dag
from thinksafe.provenance.digests import ROOT
from thinksafe.provenance.lineage import Lineage
from thinksafe.release.archive import Content, ReleaseError, bytes_of, json_bytes, size_of
from thinksafe.release.bundle import private_places
from thinksafe.release.cards import adapter_card, dataset_card

SETS = ("filter_responses", "derive_training_set")
TRAINED = ("train_student", "train_grpo")
SCORED = ("score_safety", "score_reasoning")
TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}\b")


class Item(NamedTuple):
    """One repository: ``kind`` is ``dataset`` or ``model``; ``files`` by their path in it."""

    kind: str
    name: str
    files: dict[str, Content]


def items_of(
    jobs: Sequence[dag.Job], config: Row, run: Path, namespace: str, own_prompts: bool = False
) -> tuple[list[Item], list[str]]:
    """Return a run's repositories, and a line for each set or adapter that is left out.

    ``jobs`` are all that the config selects. With ``own_prompts``, sets whose prompts are a file of the user's count.
    """
    lineage = Lineage(run)
    fresh = [job for job in jobs if not job.stale]
    scored = [job for job in fresh if job.rule in SCORED]
    scores = {(*key(job), job.wildcards["benchmark"]): read_json(output_of(job, ".json")) for job in scored}
    benchmarks = {
        config["benchmarks"][job.wildcards["benchmark"]]["label"]: set(prompts_of(job))
        for job in fresh
        if job.rule == "prepare_benchmark"
    }
    private = sorted(role for role, entry in config["prompts"].items() if {"file", "folder"} & entry["source"].keys())
    items: list[Item] = []
    left: list[str] = []
    sets: dict[tuple[str, ...], str] = {}
    made = [job for job in jobs if job.rule in (*SETS, *TRAINED)]
    for job in sorted(made, key=lambda job: (job.rule not in SETS, job.title)):
        student, method, replicate = key(job)
        model, entry = config["models"][student], config["methods"][method]
        base = location.base_of(model["source"], student)
        why = None
        if job.stale:
            why = "is missing, or was made with another config or code (see `thinksafe explain`)"
        elif "folder" in model["source"]:
            why = f"its base is a folder of yours; name the model on the hub (models.{student}.source.hub)"
        elif job.rule in SETS and private and not own_prompts:
            why = f"its {' and '.join(private)} prompts are a file of yours (--own-prompts sends them)"
        if why:
            left.append(f"{job.title}: {why}")
            continue
        replicated = [f"replicate-{replicate}"] if replicate != "0" else []
        name = f"{namespace}/{'-'.join([run.name, student, method, *replicated])}"
        if released := config.get("sources", {}).get(student, {}).get(method):
            entry = entry | {"data": {"released": places_of(released.values())}}
        about = dict(
            repository=name,
            title=f"{model['label']}, {entry['label']}",
            base=base | {"label": model["label"], "hub": "hub" in model["source"]},
            method=entry,
            prompts=places_of(config["prompts"].values()),
            steerings=config["steerings"],
        )
        if job.rule in SETS:
            items.append(dataset(job, lineage, about, benchmarks))
            sets[key(job)] = name
        else:
            items.append(adapter(job, lineage, config, about, scores, sets.get(key(job))))
    return items, left


def key(job: dag.Job) -> tuple[str, str, str]:
    """Return student, method and replicate of a job."""
    return job.wildcards["student"], job.wildcards["method"], job.wildcards["replicate"]


def output_of(job: dag.Job, ending: str) -> Path | None:
    """Return the first output of a job with an ending, besides its identity."""
    return next((Path(path) for path in job.outputs if path.endswith(ending) and path != job.identity), None)


def prompts_of(job: dag.Job) -> list[str]:
    """Return the prompts in a job's file of rows."""
    return [row["prompt"] for row in read_rows(output_of(job, ".parquet"))]


def places_of(entries: Iterable[Row]) -> list[str]:
    """Return the public sources of prompts or sets: ids on the hub and addresses."""
    sources = [entry["source"] for entry in entries]
    return list(dict.fromkeys(source[kind] for source in sources for kind in ("hub", "url") if kind in source))


def dataset(job: dag.Job, lineage: Lineage, about: Row, benchmarks: Mapping[str, set[str]]) -> Item:
    """Return a training set as a repository; ``benchmarks`` has the prompts of each."""
    statistics, prompts = output_of(job, ".statistics.json"), prompts_of(job)
    overlap = {label: len(asked.intersection(prompts)) for label, asked in benchmarks.items()}
    card = dataset_card(about, read_json(statistics) if statistics else {}, len(prompts), overlap)
    rows = {"data/train.parquet": output_of(job, ".parquet")}
    return repository("dataset", about["repository"], card, lineage, job, rows)


def adapter(
    job: dag.Job, lineage: Lineage, config: Row, about: Row, scores: Mapping[Any, Row], data: str | None
) -> Item:
    """Return an adapter as a repository; ``data`` is the repository of its training set, if that is published."""
    student, method, replicate = key(job)
    found = {}
    for benchmark in config["select"]["benchmarks"]:
        if own := scores.get((student, method, replicate, benchmark)):
            found[benchmark] = own, scores.get((student, "initial", replicate, benchmark))
    spec, confidence = read_json(job.identity)["spec"], config["scoring"]["confidence"]
    card = adapter_card(about, spec, found, config["benchmarks"], confidence, data)
    folder = Path(next(path for path in job.outputs if Path(path).is_dir()))
    weights = {path.name: path for path in sorted(folder.iterdir()) if path.suffix in (".json", ".safetensors")}
    return repository("model", about["repository"], card, lineage, job, weights)


def repository(kind: str, name: str, card: str, lineage: Lineage, job: dag.Job, files: Mapping[str, Content]) -> Item:
    """Return a repository with its card, and the identities of everything behind a job's outputs."""
    behind = [step.identity for step in lineage.chain(lineage.name_of(job.identity)) if step.identity]
    manifest = json_bytes({identity: lineage.identities[identity] for identity in behind})
    return Item(kind, name, {"README.md": card.encode(), "manifest.json": manifest, **files})


def secrets(config: Row) -> dict[str, str]:
    """Return what must not leave this machine, with what it is: paths, and the names of the user and the machine."""
    found = {"the project's folder": str(ROOT), "your home folder": str(Path.home())}
    found |= {"your user name": getpass.getuser(), "this machine's name": platform.node().split(".")[0]}
    found |= {f"a path in the config, {path}": path for path in private_places(config)}
    public = ("root", "/root", "localhost", "user")
    return {what: text for what, text in found.items() if len(text) > 3 and text not in public}


def check_private(item: Item, hidden: Mapping[str, str]) -> None:
    """Raise ReleaseError if a file of an item contains something of ``hidden``, or a token of the hub."""
    patterns = {what: re.compile(rf"(?<![\w-]){re.escape(text)}(?![\w-])") for what, text in hidden.items()}
    patterns["a token of the hub"] = TOKEN
    for name, content in item.files.items():
        for text in texts_of(name, content):
            if what := next((what for what, pattern in patterns.items() if pattern.search(text)), None):
                raise ReleaseError(f"{item.name}: {name} has {what} in it; it is not published")


def texts_of(name: str, content: Content) -> Iterable[str]:
    """Return the texts of a file, of a table every string."""
    if name.endswith(".parquet"):
        return (value for row in read_rows(content) for value in row.values() if isinstance(value, str))
    return () if name.endswith(".safetensors") else (bytes_of(content).decode(),)


def push_to_folder(item: Item, folder: Path) -> list[str]:
    """Write an item into ``folder/datasets`` or ``folder/models``; return the files that are new or have changed."""
    sent = []
    for name, content in item.files.items():
        place = folder / f"{item.kind}s" / item.name.split("/", 1)[1] / name
        data = bytes_of(content)
        if not place.exists() or place.read_bytes() != data:
            write_bytes(place, data)
            sent.append(name)
    return sent


def push_to_hub(item: Item, private: bool) -> list[str]:
    """Create an item's repository if necessary, and commit and return the files that are new or have changed.

    One commit, so that a repository is never half of one version. Raises ReleaseError if the hub refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.hf_api import RepoFile
    from huggingface_hub.utils.sha import git_hash

    api = HfApi()
    try:
        api.create_repo(item.name, repo_type=item.kind, private=private, exist_ok=True)
        tree = api.list_repo_tree(item.name, repo_type=item.kind, recursive=True)
        files = (entry for entry in tree if isinstance(entry, RepoFile))
        there = {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}
        new = [
            CommitOperationAdd(name, content if isinstance(content, bytes) else str(content))
            for name, content in item.files.items()
            # The hub names a large file by its sha256, and one in git by its blob.
            if there.get(name) not in (sha256(data := bytes_of(content)).hexdigest(), git_hash(data))
        ]
        if new:
            api.create_commit(item.name, new, commit_message="ThinkSafe-Flow: publish", repo_type=item.kind)
    except HfHubHTTPError as error:
        words = error.server_message or str(error).splitlines()[0]
        raise ReleaseError(
            f"the hub refuses {item.name}: {words}. Log in with a token that may write there (.venv/bin/hf auth "
            "login); files that were sent stay, and are not sent again"
        ) from None
    return [operation.path_in_repo for operation in new]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("to", metavar="TO", help="an organisation or user on the hub, or a folder (with a slash)")
    dag.add_arguments(parser)
    parser.add_argument("--private", action="store_true", help="make new repositories private")
    parser.add_argument("--own-prompts", action="store_true", help="also send sets whose prompts are a file of yours")
    parser.add_argument("--dry-run", action="store_true", help="print what would be sent, and send nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Publish what one config has made."""
    from thinksafe.config.types import plain
    from thinksafe.hub.client import human

    overlay = dag.overlay_of(arguments)
    config = plain(dag.settings_of(overlay))
    folder = Path(arguments.to) if "/" in arguments.to or arguments.to.startswith(".") else None
    results = Path("results") / config["run"]
    if not results.is_dir():
        raise UserError(f"there is no {results}; run `snakemake` with this config first")
    namespace = folder.name if folder else arguments.to
    items, left = items_of(dag.planned(overlay), config, results, namespace, arguments.own_prompts)
    for item in items:
        check_private(item, secrets(config))
    found: dict[str, Any] = {"left_out": left, "repositories": []}
    say = (lambda line: None) if arguments.json else partial(print, flush=True)
    for line in left:
        say(f"left out: {line}")
    if not items:
        raise ReleaseError("there is nothing to publish")
    for item in items:
        size = sum(map(size_of, item.files.values()))
        entry = {"kind": item.kind, "name": item.name, "files": list(item.files), "bytes": size}
        if arguments.dry_run:
            line = f"would publish {item.kind:8} {item.name}: {', '.join(item.files)} ({human(size)})"
        else:
            sent = push_to_folder(item, folder) if folder else push_to_hub(item, arguments.private)
            entry["sent"] = sent
            line = f"{item.kind:8} {item.name}: {', '.join(sent) + ' sent' if sent else 'there already'}"
        found["repositories"].append(entry)
        say(line)
    if arguments.json:
        print(json.dumps(found, indent=1))
    return 0
