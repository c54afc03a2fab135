"""Publish a run's training sets and adapters, each with its card: `make publish CONFIG=... TO=organisation`.

``TO`` is an organisation or user on the hub, or a folder (with a slash in its name) that gets the same layout. Nothing
is sent without ``CONFIRM=1``. What is there already with the same content is not sent again, so a push that was cut off
is started again.
"""

from __future__ import annotations

import argparse
import getpass
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from huggingface_hub.utils.sha import git_hash  # noqa: E402

from thinksafe.files import IDENTITY, Row, atomic, read_json, read_rows  # noqa: E402
from thinksafe.hub.client import human  # noqa: E402
from thinksafe.models import location  # noqa: E402 - runs as a script, too
from thinksafe.planning import dag  # noqa: E402
from thinksafe.provenance.lineage import Lineage  # noqa: E402
from thinksafe.release.archive import json_bytes  # noqa: E402
from thinksafe.release.cards import adapter_card, dataset_card  # noqa: E402

SETS = ("filter_responses", "derive_training_set")
TRAINED = ("train_student", "train_grpo")
SCORED = ("score_safety", "score_reasoning")
TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}\b")
FOLDER = {"dataset": "datasets", "model": "models"}
Content = Path | bytes


@dataclass
class Item:
    """One repository: ``kind`` is ``dataset`` or ``model``; ``files`` by their path in it."""

    kind: str
    name: str
    files: dict[str, Content] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(
            len(content) if isinstance(content, bytes) else content.stat().st_size for content in self.files.values()
        )


class PublishError(ValueError):
    """Something must not be published, or cannot be."""


def read(content: Content) -> bytes:
    """Return a content's bytes."""
    return content if isinstance(content, bytes) else content.read_bytes()


# ------------------------------------------------------------------------------------------------------------- what
def items_of(
    jobs: Sequence[dag.Job], config: Row, run: Path, namespace: str, own_prompts: bool = False
) -> tuple[list[Item], list[str]]:
    """Return the repositories that a run gives, and a line for each that is left out.

    Parameters
    ----------
    jobs : Snakemake's plan of all that the config selects
    run : the run's folder
    namespace : what stands before a repository's name in the cards
    own_prompts : whether sets of which the prompts are a file of the user's are published
    """
    lineage = Lineage(run)
    fresh = [job for job in jobs if not job.stale]
    scores = {key(job) + (job.wildcards["benchmark"],): job for job in fresh if job.rule in SCORED}
    benchmarks = {
        config["benchmarks"][job.wildcards["benchmark"]]["label"]: prompts_in(path)
        for job in fresh
        if job.rule == "prepare_benchmark"
        for path in job.outputs
        if path.endswith(".parquet")
    }
    private = sorted(role for role, entry in config["prompts"].items() if {"file", "folder"} & entry["source"].keys())
    items: list[Item] = []
    left: list[str] = []
    sets: dict[tuple[str, ...], str] = {}
    for job in sorted(jobs, key=lambda job: (job.rule not in SETS, job.title)):
        if job.rule not in (*SETS, *TRAINED):
            continue
        student, method, replicate = key(job)
        base = base_of(config["models"][student], student)
        name = "-".join([run.name, student, method, *([f"replicate-{replicate}"] if replicate != "0" else [])])
        told = config["methods"][method]
        if entry := config.get("sources", {}).get(student, {}).get(method):
            places = [
                value for part in entry.values() for kind, value in part["source"].items() if kind in ("hub", "url")
            ]
            told = told | {"data": {"released": list(dict.fromkeys(places))}}
        about = dict(base=base, method=told, steerings=config["steerings"])
        title = f"{base['label']}, {config['methods'][method]['label']}"
        if job.stale:
            left.append(f"{job.title}: is not there, or was made with another config or code (`make explain` tells)")
        elif base["folder"]:
            left.append(
                f"{job.title}: its base is a folder of yours; name the model on the hub (models.{student}.source.hub)"
            )
        elif job.rule in SETS:
            if private and not own_prompts:
                left.append(
                    f"{job.title}: its {' and '.join(private)} prompts are a file of yours (OWN_PROMPTS=1 sends them)"
                )
                continue
            items.append(dataset(job, lineage, config, f"{namespace}/{name}", title, about, benchmarks))
            sets[student, method, replicate] = f"{namespace}/{name}"
        else:
            items.append(adapter(job, lineage, config, f"{namespace}/{name}", title, about, scores, sets.get(key(job))))
    return items, left


def key(job: dag.Job) -> tuple[str, str, str]:
    """Return student, method and replicate of a job."""
    return job.wildcards["student"], job.wildcards["method"], job.wildcards["replicate"]


def base_of(model: Row, name: str) -> Row:
    """Return what the card says of a base model."""
    source = model["source"]
    told = location.base_of(source, name)
    return told | {"label": model["label"], "hub": "hub" in source, "folder": "folder" in source}


def prompts_of(config: Row) -> list[str]:
    """Return the ids of the sources of the prompts that others can look up."""
    sources = [entry["source"] for entry in config["prompts"].values()]
    return list(dict.fromkeys(source[kind] for source in sources for kind in ("hub", "url") if kind in source))


def prompts_in(path: str) -> set[str]:
    """Return the prompts of a file of rows."""
    return {row["prompt"] for row in read_rows(path)}


def dataset(
    job: dag.Job, lineage: Lineage, config: Row, name: str, title: str, about: Row, benchmarks: Mapping[str, set[str]]
) -> Item:
    """Return a training set as a repository; ``benchmarks`` are the prompts of each."""
    path = Path(next(path for path in job.outputs if path.endswith(".parquet")))
    rows = read_rows(path)
    statistics = next((path for path in job.outputs if path.endswith(".statistics.json")), None)
    prompts = {row["prompt"] for row in rows}
    card = dataset_card(
        name,
        title,
        prompts=prompts_of(config),
        statistics=read_json(statistics) if statistics else {},
        rows=len(rows),
        overlap={label: len(prompts & asked) for label, asked in benchmarks.items()},
        **about,
    )
    files: dict[str, Content] = {"README.md": card.encode(), "manifest.json": manifest(lineage, job)}
    return Item("dataset", name, files | {"data/train.parquet": path})


def adapter(
    job: dag.Job,
    lineage: Lineage,
    config: Row,
    name: str,
    title: str,
    about: Row,
    scores: Mapping[Any, dag.Job],
    data: str | None,
) -> Item:
    """Return an adapter as a repository."""
    student, method, replicate = key(job)
    found = {}
    for benchmark in config["select"]["benchmarks"]:
        if own := scores.get((student, method, replicate, benchmark)):
            initial = scores.get((student, "initial", replicate, benchmark))
            found[benchmark] = (score_of(own), score_of(initial) if initial else None)
    identity = next(path for path in job.outputs if path.endswith(IDENTITY))
    folder = Path(next(path for path in job.outputs if path != identity and Path(path).is_dir()))
    card = adapter_card(
        name,
        title,
        prompts=prompts_of(config),
        spec=read_json(identity)["spec"],
        scores=found,
        benchmarks=config["benchmarks"],
        confidence=config["scoring"]["confidence"],
        dataset=data,
        **about,
    )
    files: dict[str, Content] = {"README.md": card.encode(), "manifest.json": manifest(lineage, job)}
    return Item(
        "model",
        name,
        files | {path.name: path for path in sorted(folder.iterdir()) if path.suffix in (".json", ".safetensors")},
    )


def score_of(job: dag.Job) -> Row:
    """Return the score that a job has written."""
    return read_json(next(path for path in job.outputs if path.endswith(".json") and not path.endswith(IDENTITY)))


def manifest(lineage: Lineage, job: dag.Job) -> bytes:
    """Return the identities of everything behind a job's outputs, by what they tell of."""
    name = lineage.name_of(next(path for path in job.outputs if path.endswith(IDENTITY)))
    behind = dict.fromkeys(step.identity for step in lineage.chain(name) if step.identity)
    return json_bytes({identity: lineage.identities[identity] for identity in behind})


# ------------------------------------------------------------------------------------------------------------- private
def secrets(config: Row) -> dict[str, str]:
    """Return what must not leave this machine, by what it is: paths, and the names of the user and the machine."""
    found = {"the project's folder": str(ROOT), "your home folder": str(Path.home())}
    found |= {"your user name": getpass.getuser(), "this machine's name": platform.node().split(".")[0]}
    for path in _paths(config):
        found[f"a path in the config, {path}"] = path
    return {
        what: text
        for what, text in found.items()
        if len(text) > 3 and text not in ("root", "/root", "localhost", "user")
    }


def _paths(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for kind, value in node.items():
            if kind in ("file", "folder", "cache") and isinstance(value, str) and value.startswith(("/", "~")):
                yield value
            yield from _paths(value)


def check_private(item: Item, hidden: Mapping[str, str]) -> None:
    """Raise PublishError where a file of an item has something of ``hidden``, or a token of the hub."""
    for name, content in item.files.items():
        for text in texts_of(name, content):
            for what, secret in hidden.items():
                if re.search(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", text):
                    raise PublishError(f"{item.name}: {name} has {what} in it; it is not published")
            if TOKEN.search(text):
                raise PublishError(f"{item.name}: {name} has a token of the hub in it; it is not published")


def texts_of(name: str, content: Content) -> Iterable[str]:
    """Return the texts of a file, of a table every string."""
    if name.endswith(".parquet"):
        return (value for row in read_rows(content) for value in row.values() if isinstance(value, str))
    return () if name.endswith(".safetensors") else (read(content).decode("utf-8"),)


# ------------------------------------------------------------------------------------------------------------- where to
def push_to_folder(item: Item, folder: Path) -> list[str]:
    """Write an item into ``folder/datasets`` or ``folder/models``; return the files that were not there as they are."""
    sent = []
    for name, content in item.files.items():
        place = folder / FOLDER[item.kind] / item.name.split("/", 1)[1] / name
        data = read(content)
        if not place.exists() or place.read_bytes() != data:
            with atomic(place) as temporary:
                temporary.write_bytes(data)
            sent.append(name)
    return sent


def push_to_hub(item: Item, private: bool, endpoint: str | None = None) -> list[str]:
    """Make an item's repository if there is none, and commit the files that are not there as they are.

    One commit, so that a repository is never half of one version.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(endpoint=endpoint)
    api.create_repo(item.name, repo_type=item.kind, private=private, exist_ok=True)
    there = {}
    for file in api.list_repo_tree(item.name, repo_type=item.kind, recursive=True):
        if isinstance(file, RepoFile):
            there[file.path] = file.lfs.sha256 if file.lfs else file.blob_id
    new = {name: content for name, content in item.files.items() if there.get(name) not in digests(read(content))}
    if new:
        adds = [
            CommitOperationAdd(name, content if isinstance(content, bytes) else str(content))
            for name, content in new.items()
        ]
        api.create_commit(item.name, adds, commit_message="ThinkSafe-Flow: publish", repo_type=item.kind)
    return list(new)


def sent_to_hub(item: Item, private: bool) -> list[str]:
    """Do what `push_to_hub` does; end with the hub's own words and the way out where it refuses."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return push_to_hub(item, private)
    except HfHubHTTPError as error:
        words = error.server_message or str(error).splitlines()[0]
        sys.exit(
            f"publish: the hub refuses {item.name}: {words}. Log in with a token that may write there "
            "(.venv/bin/hf auth login); what was sent stays, and is not sent again"
        )


def digests(data: bytes) -> tuple[str, str]:
    """Return the two names that the hub may give a content: of a large file, and of one in git."""
    return sha256(data).hexdigest(), git_hash(data)


# ------------------------------------------------------------------------------------------------------------- command
def main(arguments: Sequence[str] | None = None) -> None:
    """Show what would be published, and publish it where that is confirmed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="config/config.yaml", help="the run's config")
    parser.add_argument("--to", required=True, help="an organisation or user on the hub, or a folder (with a slash)")
    parser.add_argument("--confirm", action="store_true", help="really send it")
    parser.add_argument("--private", action="store_true", help="make new repositories private")
    parser.add_argument("--own-prompts", action="store_true", help="also sets of which the prompts are a file of yours")
    given = parser.parse_args(arguments)
    config = dag.settings_of(given.config)
    run = Path("results") / config["run"]
    folder = Path(given.to) if "/" in given.to or given.to.startswith(".") else None
    if not (ROOT / run).is_dir():
        sys.exit(f"publish: there is no {run}; run `snakemake --configfile {given.config}` first")
    jobs = dag.planned(given.config)
    items, left = items_of(jobs, config, run, folder.name if folder else given.to, given.own_prompts)
    for line in left:
        print(f"left out: {line}")
    if not items:
        sys.exit("publish: there is nothing to publish")
    try:
        hidden = secrets(config)
        for item in items:
            check_private(item, hidden)
    except PublishError as error:
        sys.exit(f"publish: {error}")
    for item in items:
        if not given.confirm:
            print(f"would publish {item.kind:8} {item.name}: {', '.join(item.files)} ({human(item.size)})")
            continue
        sent = push_to_folder(item, folder) if folder else sent_to_hub(item, given.private)
        print(f"{item.kind:8} {item.name}: {', '.join(sent) + ' sent' if sent else 'there already'}", flush=True)
    if not given.confirm:
        print(f"publish: nothing was sent; CONFIRM=1 sends these {len(items)} to {folder or 'the hub, ' + given.to}")


if __name__ == "__main__":
    main()
