"""Snakemake's records of each output, packed into a bundle and placed from one.

The records decide what `snakemake -n` reports as stale (docs/staleness.md). Their format is private to Snakemake and
pinned here; its own class reads and writes them. A bundle has them for every job behind a result, even if it lacks the
job's files: without the record of a missing file no edit upstream would make anything stale.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thinksafe.planning import dag
from thinksafe.planning.explain import difference, kind_of
from thinksafe.provenance.digests import canonical
from thinksafe.provenance.identity import content_digest, file_digest
from thinksafe.release.archive import Bundle, ReleaseError, content_in, name_anywhere, unquote

RECORD_FORMAT = 6


def check_format() -> str:
    """Return Snakemake's version; raise ReleaseError unless its records have the format known here."""
    from snakemake import __version__
    from snakemake.persistence import RECORD_FORMAT_VERSION

    if RECORD_FORMAT_VERSION != RECORD_FORMAT:
        raise ReleaseError(
            f"Snakemake {__version__} keeps its records in format {RECORD_FORMAT_VERSION}, but bundles need format "
            f"{RECORD_FORMAT}: install the Snakemake of requirements/cpu.txt (`make setup`)"
        )
    return __version__


def recorded(graph: Any, job: dag.Job) -> dict[str, Any]:
    """Return a bundle's entry for a job, from the records of its outputs, which are alike."""
    records = [graph.workflow.persistence.metadata(output) for output in job.raw.output]
    if not all(records):
        raise ReleaseError(f"{job.title}: Snakemake has no record of how its outputs were made; make them again first")
    return {
        "rule": job.rule,
        "outputs": list(job.outputs),
        "input": records[0].input,
        "params": records[0].params,
        "input_checksums": records[0].input_checksums,
        "started": min(record.starttime for record in records),
        "ended": max(record.endtime for record in records),
    }


def place(graph: Any, job: dag.Job, known: dict[str, Any]) -> None:
    """Write the records of a job's outputs as Snakemake would now, except for times and checksums."""
    from snakemake.persistence import MetadataRecord

    raw, records = job.raw, graph.workflow.persistence
    here = {name_anywhere(path): path for path in job.inputs}
    checksums = {here.get(name_anywhere(path), path): value for path, value in known["input_checksums"].items()}
    for output in job.outputs:
        records._write_record(
            output,
            MetadataRecord(
                rule=job.rule,
                input=records._input(raw),
                log=records._log(raw),
                shellcmd=raw.shellcmd,
                params=records._params(raw),
                code=records._code(raw.rule),
                record_format_version=RECORD_FORMAT,
                conda_env=records._conda_env(raw),
                container_img_url=raw.container_img_url,
                software_stack_hash=records._software_stack_hash(raw),
                job_hash=hash(raw),
                starttime=known["started"],
                endtime=known["ended"],
                incomplete=False,
                input_checksums=checksums,
            ),
        )
        records._unmark_incomplete(output)  # of a run that was killed here


@dataclass
class Fit:
    """By a job's number in a bundle: the same job of the DAG, and why it does not fit.

    A job with an empty list of reasons needs another job that does not fit.
    """

    jobs: dict[int, dag.Job] = field(default_factory=dict)
    reasons: dict[int, list[str]] = field(default_factory=dict)

    @property
    def fitting(self) -> dict[int, dag.Job]:
        """Return the jobs that fit."""
        return {number: job for number, job in self.jobs.items() if number not in self.reasons}


def fit(graph: Any, bundle: Bundle, ignore: Sequence[str] = ()) -> Fit:
    """Compare each job of a bundle with the job that would make the same outputs now.

    A job fits if Snakemake would record it as the bundle does, no other file is in its place, its inputs are those
    here, and all jobs behind it fit. Outputs to ``ignore``, which will not be placed, may be here with other content.
    """
    by_output = {output: number for number, job in enumerate(bundle.jobs) for output in job["outputs"]}
    found, numbers = Fit(), {}
    for job in dag.jobs_of(graph):
        number = by_output.get(job.identity)
        if number is None:
            continue
        numbers[job], found.jobs[number] = number, job
        why = [*_differences(graph, job, bundle.jobs[number]), *_others(bundle, job, bundle.jobs[number], ignore)]
        why += [f"the bundle does not say how {need.title} was made" for need in job.needs if need not in numbers]
        if why or any(numbers.get(need) in found.reasons for need in job.needs):
            found.reasons[number] = why
    others = set(range(len(bundle.jobs))) - set(found.jobs)
    found.reasons |= {number: ["no job of this config makes it"] for number in others}
    return found


def _differences(graph: Any, job: dag.Job, known: dict[str, Any]) -> list[str]:
    """Return the differences between a job's entry and the record that Snakemake would write now."""
    lines = []
    if (job.rule, list(job.outputs)) != (known["rule"], known["outputs"]):
        lines.append(f"made by {known['rule']} with other outputs")
    theirs, ours = (
        [json.loads(unquote(text), object_hook=_without_folder) for text in params]
        for params in (known["params"], graph.workflow.persistence._params(job.raw))
    )
    before, after = ({kind_of(value): value for value in values} for values in (theirs, ours))
    for kind in sorted({*before, *after}):
        lines += difference(kind, before.get(kind, {}), after.get(kind, {}))
    if not lines and sorted(map(canonical, theirs)) != sorted(map(canonical, ours)):
        lines.append("recorded in another format")
    if missing := sorted(set(map(name_anywhere, known["input"])) ^ set(map(name_anywhere, job.inputs))):
        lines.append(f"made from another set of files: {', '.join(missing[:3])}")
    return lines


def _without_folder(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping of a config without the folder of a user's own file, which counts by name and content."""
    own = ("file", "folder") if "content" in entry else ()
    return {key: Path(value).name if key in own and isinstance(value, str) else value for key, value in entry.items()}


def _others(bundle: Bundle, job: dag.Job, known: dict[str, Any], ignore: Sequence[str]) -> list[str]:
    """Return the outputs and inputs here whose content differs from that of the bundle's job."""
    lines = []
    for output in job.outputs:
        made = content_in(bundle, output)
        if made and output not in ignore and Path(output).exists() and content_digest(output) != made:
            lines.append(f"{output} is here already, with other content; move it away or keep it")
    checksums = {name_anywhere(path): value for path, value in known["input_checksums"].items()}
    for path in job.inputs:
        checksum = checksums.get(name_anywhere(path))
        if checksum and bundle.digest(path) is None and Path(path).is_file() and path not in ignore:
            if checksum.removeprefix("sha256:") != file_digest(path):
                lines.append(f"{path} has other content here")
    return lines
