"""What Snakemake has on record of each output, taken out for a bundle and put back from one.

The records decide what `snakemake -n` finds stale (docs/staleness.md). Their form is Snakemake's private one, pinned
here; they are read and written by its own class. They are kept for every job behind a result, also where its files are
not in the bundle: without the record of a missing file no edit upstream would make anything stale.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, read_json
from thinksafe.planning.explain import difference, kind_of
from thinksafe.provenance.digests import canonical
from thinksafe.provenance.identity import file_digest
from thinksafe.release.archive import (
    Bundle,
    BundleError,
    content_in,
    identity_among,
    name_anywhere,
    name_in_run,
    unquoted,
)
from thinksafe.study.stages import stage_of

RECORD_FORMAT = 6


def check_format() -> str:
    """Return Snakemake's version, whose records are of the form that is known here."""
    from snakemake import __version__
    from snakemake.persistence import RECORD_FORMAT_VERSION

    if RECORD_FORMAT_VERSION != RECORD_FORMAT:
        raise BundleError(
            f"Snakemake {__version__} keeps its records in format {RECORD_FORMAT_VERSION}, and bundles are made for "
            f"format {RECORD_FORMAT}: take the Snakemake of requirements/cpu.txt (`make setup`)"
        )
    return __version__


@dataclass(eq=False)
class Node:
    """A job of Snakemake's DAG, as far as bundles look at it; ``folders`` are those among its outputs."""

    job: Any
    outputs: list[str]
    inputs: list[str]
    folders: list[str]
    stale: bool
    needs: list[Node] = field(default_factory=list)

    @property
    def rule(self) -> str:
        """Return the rule's name."""
        return self.job.rule.name

    @property
    def level(self) -> int:
        """Return the place of its level in `LEVELS`."""
        return stage_of(self.rule).depth

    @property
    def identity(self) -> str:
        """Return the path of its identity."""
        return identity_among(self.outputs)

    @property
    def title(self) -> str:
        """Return rule and wildcards as they are logged."""
        return " ".join([self.rule, *self.job.wildcards_dict.values()])


def nodes_of(graph: Any) -> list[Node]:
    """Return the jobs of a DAG that make something, each after those that it needs."""
    found = {
        job: Node(
            job,
            outputs=sorted(map(str, job.output)),
            inputs=sorted(set(map(str, job.input))),
            folders=sorted(str(output) for output in job.output if output.is_directory),
            stale=graph.needrun(job),
        )
        for level in graph.toposorted()
        for job in level
        if any(str(output).endswith(IDENTITY) for output in job.output)
    }
    for job, node in found.items():
        node.needs = [found[need] for need in graph.dependencies[job] if need in found]
    return list(found.values())


def recorded(graph: Any, node: Node) -> dict[str, Any]:
    """Return what a bundle keeps of the records of a job's outputs, which are alike."""
    records = [graph.workflow.persistence.metadata(output) for output in node.job.output]
    if not all(records):
        raise BundleError(f"{node.title}: Snakemake has no record of how its outputs were made; make them again first")
    return {
        "rule": node.rule,
        "outputs": node.outputs,
        "input": records[0].input,
        "params": records[0].params,
        "input_checksums": records[0].input_checksums,
        "started": min(record.starttime for record in records),
        "ended": max(record.endtime for record in records),
    }


def place(graph: Any, node: Node, told: dict[str, Any]) -> None:
    """Write the records of a job's outputs, which are what Snakemake would write now but for times and checksums."""
    from snakemake.persistence import MetadataRecord

    job, records = node.job, graph.workflow.persistence
    here = {name_anywhere(path): path for path in node.inputs}
    checksums = {here.get(name_anywhere(path), path): value for path, value in told["input_checksums"].items()}
    for output in job.output:
        records._write_record(
            str(output),
            MetadataRecord(
                rule=node.rule,
                input=records._input(job),
                log=records._log(job),
                shellcmd=job.shellcmd,
                params=records._params(job),
                code=records._code(job.rule),
                record_format_version=RECORD_FORMAT,
                conda_env=records._conda_env(job),
                container_img_url=job.container_img_url,
                software_stack_hash=records._software_stack_hash(job),
                job_hash=hash(job),
                starttime=told["started"],
                endtime=told["ended"],
                incomplete=False,
                input_checksums=checksums,
            ),
        )
        records._unmark_incomplete(str(output))  # of a run that was killed here


# --------------------------------------------------------------------------------------------------------- what fits
@dataclass
class Fit:
    """What of a bundle fits: its jobs among those of the DAG, and why others do not, by the job's first output."""

    nodes: dict[int, Node] = field(default_factory=dict)
    reasons: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))


def fit(graph: Any, bundle: Bundle, root: Path, ignore: Sequence[str] = ()) -> Fit:
    """Hold each job of a bundle against the job that would make the same now.

    A job fits if Snakemake would record it as the bundle has it, if nothing else stands in its place, if what it was
    made of is what is here, and if all behind it fits.

    Parameters
    ----------
    root : the folder that results/ is in
    ignore : outputs that may stand there with other content, as they are not going to be placed
    """
    by_output = {output: number for number, job in enumerate(bundle.jobs) for output in job["outputs"]}
    found, numbers = Fit(), {}
    for node in nodes_of(graph):
        number = by_output.get(node.identity)
        if number is None:
            continue
        numbers[id(node)] = number
        found.nodes[number] = node
        why = [
            *_differences(graph, node, bundle.jobs[number]),
            *_strangers(bundle, node, bundle.jobs[number], root, ignore),
        ]
        for need in node.needs:
            before = numbers.get(id(need))
            if before is None:
                why.append(f"the bundle does not tell how {need.title} was made")
            elif before in found.reasons:
                why.append(f"made from {need.title}, which does not fit")
        if why:
            found.reasons[number] = why
    for number in set(range(len(bundle.jobs))) - set(found.nodes):
        found.reasons[number] = ["no job of this config makes it"]
    return found


def _differences(graph: Any, node: Node, told: dict[str, Any]) -> list[str]:
    """Return in what the record that Snakemake would write now differs."""
    lines = []
    if (node.rule, node.outputs) != (told["rule"], told["outputs"]):
        lines.append(f"made by {told['rule']} with other outputs")
    records = graph.workflow.persistence
    theirs, ours = (
        [_placeless(json.loads(unquoted(text))) for text in params]
        for params in (told["params"], records._params(node.job))
    )
    before, after = ({kind_of(value): value for value in values} for values in (theirs, ours))
    for kind in sorted({*before, *after}):
        lines += difference(kind, before.get(kind, {}), after.get(kind, {}))
    if not lines and sorted(map(canonical, theirs)) != sorted(map(canonical, ours)):
        lines.append("recorded in another form")
    if missing := sorted(set(map(name_anywhere, told["input"])) ^ set(map(name_anywhere, node.inputs))):
        lines.append(f"made from another set of files: {', '.join(missing[:3])}")
    return lines


def _placeless(value: Any) -> Any:
    """Return a share of a config without the folders of one's own sources, which count by name and content."""
    if isinstance(value, list):
        return [_placeless(part) for part in value]
    if not isinstance(value, dict):
        return value
    found = {key: _placeless(part) for key, part in value.items()}
    for key in {"file", "folder"} & set(found) if "content" in found else ():
        if isinstance(found[key], str):
            found[key] = Path(found[key]).name
    return found


def _strangers(bundle: Bundle, node: Node, told: dict[str, Any], root: Path, ignore: Sequence[str]) -> list[str]:
    """Return what stands here with another content than the bundle's job made or was made of."""
    lines = []
    checksums = {name_anywhere(path): value for path, value in told["input_checksums"].items()}
    for output in node.outputs:
        if (root / output).is_file() and output not in ignore and output not in node.folders:
            digest = bundle.digest(output)
            if digest and digest != file_digest(root / output):
                lines.append(f"{output} is here already, with other content; move it away or keep it")
    for folder in node.folders:
        made = content_in(bundle, folder)
        if made and (root / folder).is_dir() and identity_of(root, node) != made:
            lines.append(f"{folder} is here already, with other content; move it away or keep it")
    for path in node.inputs:
        checksum = checksums.get(name_anywhere(path))
        if checksum and bundle.digest(path) is None and (root / path).is_file() and path not in ignore:
            if checksum.removeprefix("sha256:") != file_digest(root / path):
                lines.append(f"{path} is another one here")
    return lines


def identity_of(root: Path, node: Node) -> str | None:
    """Return the digest of a folder that stands here, as its identity has it; "none" where it has no identity."""
    try:
        return read_json(root / node.identity)["content"].get(name_in_run(node.folders[0]), "none")
    except (OSError, ValueError, KeyError):
        return "none"
