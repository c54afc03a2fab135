"""What a result was made of, and what was made of a file: the graph that the identities of a run span.

Reads files only, and no more than the identities until asked for a file's own digest, so that it works beside a driver.
Names are as identities have them: from the run's folder, or from the project's for what no run makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, read_json
from thinksafe.provenance.digests import ROOT, digest_of

Identity = dict[str, Any]
SOURCES = ("hub", "url", "folder", "file")  # kinds of a `source` that no rule made


@dataclass(frozen=True)
class Step:
    """One place in the chain: a file, the digest by which it was used, and the identity of what made it."""

    name: str
    digest: str
    depth: int
    identity: str | None  # its name; None where no rule made the file
    again: bool = False  # what it was made of stands further up


class Lineage:
    """All identities of a run.

    Parameters
    ----------
    run : path
        The run's folder, ``results/<run>``.
    identities : names of the identities to read; all of the run's by default
    """

    def __init__(self, run: str | Path, identities: Iterable[str] | None = None) -> None:
        self.run = Path(run)
        if identities is None:
            identities = sorted(path.relative_to(self.run).as_posix() for path in self.run.rglob(f"*{IDENTITY}"))
        self.identities: dict[str, Identity] = {}
        for name in identities:
            try:
                found = read_json(self.run / name)
                found["content"], found["inputs"], found["code"]
            except (OSError, ValueError, KeyError, TypeError):
                continue  # just being made again, or none of ours
            self.identities[name] = found
        self.made = {file: name for name, told in self.identities.items() for file in told["content"]}

    def identity_of(self, name: str) -> str | None:
        """Return the name of the identity that tells of a file, an identity itself, or a file in a folder's inside."""
        if name in self.identities:
            return name
        place = Path(name)
        return next((self.made[str(path)] for path in (place, *place.parents) if str(path) in self.made), None)

    def artifact_of(self, identity: str) -> str:
        """Return what an identity is about, for a person: the first of its files."""
        return next(iter(self.identities[identity]["content"]))

    def path_of(self, name: str) -> Path:
        """Return where a file is: in the run's folder, or in the project's."""
        if name in self.made or name in self.identities:
            return self.run / name
        # The last: it comes with the workflow, which another one uses as a module.
        places = (self.run / name, self.project / name, ROOT / name)
        return next((path for path in places if path.exists()), places[1])

    @property
    def project(self) -> Path:
        """Return the folder that holds ``results/``."""
        return self.run.parent.parent

    def name_of(self, path: str | Path) -> str:
        """Return a path as identities name it."""
        absolute = (Path.cwd() / path).resolve()
        for folder in (self.run, self.project):
            if absolute.is_relative_to(folder.resolve()):
                return absolute.relative_to(folder.resolve()).as_posix()
        return str(path)

    # ------------------------------------------------------------ back
    def chain(self, name: str, only: Sequence[str] | None = None, seen: set[str] | None = None) -> list[Step]:
        """Return everything behind a file, depth first; ``only`` names the inputs to follow at its first step.

        ``seen``: identities that stand further up, which are not followed again; those of this chain are added.
        """
        seen = set() if seen is None else seen
        identity = self.identity_of(name)
        told = self.identities[identity]["content"] if identity else {}
        digest = told.get(name) or next(iter(told.values()), "")
        return list(self._steps(name, digest, 0, seen, only))

    def _steps(self, name: str, digest: str, depth: int, seen: set[str], only: Any = None) -> Iterator[Step]:
        identity = self.identity_of(name)
        yield Step(name, digest, depth, identity, again=identity in seen)
        if identity is None or identity in seen:
            return
        seen.add(identity)
        for used, of in sorted(self.identities[identity]["inputs"].items()):
            if only is None or used in only:
                yield from self._steps(used, of, depth + 1, seen)

    # ------------------------------------------------------------ and forth
    def users(self, name: str) -> list[str]:
        """Return the identities of what was made of a file by itself: an input, a module, a source on the hub."""
        about = self.identity_of(name)
        names = {name} | ({about} if about else set())
        if about and name == about:  # an identity stands for all that it tells of
            names |= set(self.identities[about]["content"])
        elif about and name not in self.identities[about]["content"]:  # in a folder
            names |= {str(place) for place in Path(name).parents}
        module = Path(name).stem if name.endswith(".py") else None
        return [
            identity
            for identity, told in self.identities.items()
            if names & told["inputs"].keys() or module in told["code"] or name in sources(told["spec"])
        ]

    def dependents(self, name: str) -> list[str]:
        """Return the identities of all that rests on a file, directly or not."""
        forth: dict[str, set[str]] = {}
        for identity, told in self.identities.items():
            for used in told["inputs"]:
                if maker := self.identity_of(used):
                    forth.setdefault(maker, set()).add(identity)
        found: set[str] = set()
        todo = self.users(name)
        while todo:
            identity = todo.pop()
            if identity not in found:
                found.add(identity)
                todo.extend(forth.get(identity, ()))
        return sorted(found)


def sources(spec: Any) -> dict[str, tuple[str, str]]:
    """Return what a spec takes from outside: its kind, and what fixes it (a commit, a digest, or nothing)."""
    found: dict[str, tuple[str, str]] = {}
    if isinstance(spec, dict):
        for kind in SOURCES:
            if isinstance(spec.get(kind), str):
                fixed = spec.get("revision") or spec.get("content") or spec.get("sha256") or ""
                found[spec[kind]] = kind, fixed if isinstance(fixed, str) else digest_of(fixed)  # a folder's files
        for value in spec.values():
            found |= sources(value)
    elif isinstance(spec, list):
        for value in spec:
            found |= sources(value)
    return found


def graph(lineage: Lineage, roots: Sequence[str]) -> dict[str, list[Any]]:
    """Return what stands behind some files as plain values, each file and each set of modules once.

    Returns
    -------
    dict
        ``steps``: ``[name, digest by which it was used, number of its maker or None, numbers of its inputs]``;
        ``makers``: ``[modules, versions]``; ``roots``: numbers of the steps of ``roots``, None for an unknown one.
    """
    steps: list[list[Any]] = []
    places: dict[str, int] = {}
    makers: dict[str, int] = {}

    def place(step: Step) -> int:
        if step.name not in places:
            places[step.name] = len(steps)
            steps.append([step.name, step.digest[:12], None, []])
        return places[step.name]

    done: set[str] = set()
    for root in roots:
        path: list[int] = []
        for step in lineage.chain(root, seen=done) if lineage.identity_of(root) else ():
            number = place(step)
            path[step.depth :] = [number]
            if step.depth and number not in (inputs := steps[path[-2]][3]):
                inputs.append(number)
            if step.identity and steps[number][2] is None:
                told = lineage.identities[step.identity]
                versions = ", ".join(f"{name} {version}" for name, version in told["environment"].items())
                steps[number][2] = makers.setdefault(f"{modules(told['code'])}\n{versions}", len(makers))
    by_maker: dict[str, int] = {}
    for name, number in places.items():  # several files of one job: what is behind one is behind the others
        identity = lineage.identity_of(name)
        if identity and (first := by_maker.setdefault(identity, number)) != number:
            steps[number][3] = steps[first][3] = steps[first][3] or steps[number][3]
    return {
        "steps": steps,
        "makers": [maker.split("\n") for maker in makers],
        "roots": [places.get(root) for root in roots],
    }


def device_of(record: Identity) -> str:
    """Return on what kind of device a job ran, by its record: the GPU's name, or the processor's where it held none."""
    return record["device"] if record["device"] != "cpu" else record.get("processor", "cpu")


def modules(code: dict[str, str]) -> str:
    """Return the names of a job's modules, its script first."""
    scripts = {path.stem for path in (ROOT / "scripts").rglob("*.py")}
    return ", ".join(sorted(code, key=lambda name: (name not in scripts, name)))
