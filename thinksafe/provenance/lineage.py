"""What a result was made of, and what was made of a file: the graph of a run's identities.

Reads only the identities until a file's own digest is needed, so that it works while Snakemake runs. Names are as in
identities: from the run's folder, or from the project's for what no run makes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, read_json
from thinksafe.provenance.digests import ROOT, digest_of, module_files

Identity = dict[str, Any]
SOURCES = ("hub", "url", "folder", "file")  # kinds of a `source` that no rule made


@dataclass(frozen=True)
class Step:
    """One place in the chain: a file, the digest by which it was used, and the name of its identity."""

    name: str
    digest: str
    depth: int
    identity: str | None  # None where no rule made the file
    again: bool = False  # what it was made of is further up


class Lineage:
    """All identities of a run, whose folder is ``results/<run>``, or those with the names ``identities``."""

    def __init__(self, run: str | Path, identities: Iterable[str] | None = None) -> None:
        self.run = Path(run)
        self.project = self.run.parent.parent  # the folder that holds results/
        if identities is None:
            identities = sorted(path.relative_to(self.run).as_posix() for path in self.run.rglob(f"*{IDENTITY}"))
        self.identities: dict[str, Identity] = {}
        for name in identities:
            try:
                found = read_json(self.run / name)
                found["content"], found["inputs"], found["code"]
            except (OSError, ValueError, KeyError, TypeError):
                continue  # incomplete, or of another program
            self.identities[name] = found
        self.made = {file: name for name, identity in self.identities.items() for file in identity["content"]}

    def identity_of(self, name: str) -> str | None:
        """Return the name of the identity of a file, of an identity itself, or of a file inside a folder."""
        if name in self.identities:
            return name
        place = Path(name)
        return next((self.made[str(path)] for path in (place, *place.parents) if str(path) in self.made), None)

    def artifact_of(self, identity: str) -> str:
        """Return the first file that an identity describes."""
        return next(iter(self.identities[identity]["content"]))

    def path_of(self, name: str) -> Path:
        """Return where a file is: in the run's folder, in the project's, or in that of a workflow used as a module."""
        if name in self.made or name in self.identities:
            return self.run / name
        places = (self.run / name, self.project / name, ROOT / name)
        return next((path for path in places if path.exists()), places[1])

    def name_of(self, path: str | Path) -> str:
        """Return a path as identities name it."""
        absolute = (Path.cwd() / path).resolve()
        for folder in (self.run, self.project):
            if absolute.is_relative_to(folder.resolve()):
                return absolute.relative_to(folder.resolve()).as_posix()
        return str(path)

    def digest_of(self, name: str) -> str:
        """Return the digest of a made file by its identity, of an identity's first file; empty for other files."""
        identity = self.identity_of(name)
        content = self.identities[identity]["content"] if identity else {}
        return content.get(name) or next(iter(content.values()), "")

    def chain(self, name: str, only: Sequence[str] | None = None, seen: set[str] | None = None) -> list[Step]:
        """Return everything behind a file, depth first; ``only`` names the inputs to follow at its first step.

        ``seen``: identities that are further up, which are not followed again; those of this chain are added.
        """
        return list(self._steps(name, self.digest_of(name), 0, set() if seen is None else seen, only))

    def _steps(self, name: str, digest: str, depth: int, seen: set[str], only: Any = None) -> Iterator[Step]:
        identity = self.identity_of(name)
        yield Step(name, digest, depth, identity, again=identity in seen)
        if identity is None or identity in seen:
            return
        seen.add(identity)
        for used, of in sorted(self.identities[identity]["inputs"].items()):
            if only is None or used in only:
                yield from self._steps(used, of, depth + 1, seen)

    def users(self, name: str) -> list[str]:
        """Return the identities of what was made directly of an input, a module or a source on the hub."""
        about = self.identity_of(name)
        names = {name} | ({about} if about else set())
        if about and name == about:  # an identity stands for all that it describes
            names |= set(self.identities[about]["content"])
        elif about and name not in self.identities[about]["content"]:  # in a folder
            names |= {str(place) for place in Path(name).parents}
        module = Path(name).stem if name.endswith(".py") else None
        return [
            identity
            for identity, made in self.identities.items()
            if names & made["inputs"].keys() or module in made["code"] or name in sources(made["spec"])
        ]

    def dependents(self, name: str) -> list[str]:
        """Return the identities of all that depends on a file, directly or not."""
        users: dict[str, set[str]] = {}
        for identity, made in self.identities.items():
            for used in made["inputs"]:
                if maker := self.identity_of(used):
                    users.setdefault(maker, set()).add(identity)
        found: set[str] = set()
        todo = self.users(name)
        while todo:
            if (identity := todo.pop()) not in found:
                found.add(identity)
                todo.extend(users.get(identity, ()))
        return sorted(found)


def sources(spec: Any) -> dict[str, tuple[str, str]]:
    """Return what a spec takes from outside: its kind, and what fixes it (a commit, a digest, or nothing)."""
    found: dict[str, tuple[str, str]] = {}
    if isinstance(spec, dict):
        for kind in SOURCES:
            if isinstance(spec.get(kind), str):
                fixed = spec.get("revision") or spec.get("content") or spec.get("sha256") or ""
                found[spec[kind]] = kind, fixed if isinstance(fixed, str) else digest_of(fixed)  # a folder's files
    for value in spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ():
        found |= sources(value)
    return found


def graph(lineage: Lineage, roots: Sequence[str]) -> dict[str, list[Any]]:
    """Return everything behind some files as plain values, each file and each set of modules once.

    ``steps`` are ``[name, digest by which it was used, number of its maker or None, numbers of its inputs]``,
    ``makers`` are ``[modules, versions]``, and ``roots`` are numbers of steps, or None for an unknown one.
    """
    steps: list[list[Any]] = []
    numbers: dict[str, int] = {}
    makers: dict[str, int] = {}
    inputs: dict[str, list[int]] = {}  # by identity: the files of one job have the same inputs

    def place(name: str, digest: str) -> int:
        if name in numbers:
            return numbers[name]
        number = numbers[name] = len(steps)
        steps.append([name, digest[:12], None, []])
        if identity := lineage.identity_of(name):
            made = lineage.identities[identity]
            versions = ", ".join(f"{package} {version}" for package, version in made["environment"].items())
            steps[number][2] = makers.setdefault(f"{modules(made['code'])}\n{versions}", len(makers))
            if identity not in inputs:
                inputs[identity] = [place(used, of) for used, of in sorted(made["inputs"].items())]
            steps[number][3] = inputs[identity]
        return number

    for root in roots:
        if lineage.identity_of(root):
            place(root, lineage.digest_of(root))
    return {
        "steps": steps,
        "makers": [maker.split("\n") for maker in makers],
        "roots": [numbers.get(root) for root in roots],
    }


def device_of(record: Identity) -> str:
    """Return on what kind of device a job ran, by its record: the GPU's name, or the processor's where it held none."""
    return record["device"] if record["device"] != "cpu" else record.get("processor", "cpu")


def modules(code: dict[str, str]) -> str:
    """Return the names of a job's modules, its script first."""
    scripts = {name for name in code if any(path.startswith("scripts/") for path in module_files(name))}
    return ", ".join(sorted(code, key=lambda name: (name not in scripts, name)))
