"""The workflow's jobs as Snakemake plans them, with what each depends on and why it would run; nothing is run.

Snakemake's API does this in the present process and changes its environment and logging: a command plans once.
"""

import contextlib
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thinksafe.errors import UserError
from thinksafe.files import IDENTITY
from thinksafe.provenance.digests import ROOT

if TYPE_CHECKING:  # pydantic takes too long for `--help`
    from thinksafe.config.types import Config

# As in profiles/default/config.yaml: what makes a job stale, and up to which size (bytes) an input counts by content.
TRIGGERS = ("mtime", "params", "input")
LARGEST = 1_000_000_000


@dataclass(frozen=True)
class Overlay:
    """What a command line sets over config/config.yaml: files (later ones win), and ``key=value`` over those."""

    files: Sequence[Path] = ()
    values: Sequence[str] = ()

    def options(self) -> list[str]:
        """Return the overlay as options of Snakemake."""
        files = ["--configfile", *map(str, self.files)] if self.files else []
        return files + (["--config", *self.values] if self.values else [])

    def parsed_values(self) -> dict[str, Any]:
        """Return the values as Snakemake reads them; raise UserError where it cannot."""
        from snakemake.cli import parse_config

        try:
            return parse_config(self.values)
        except ValueError as error:
            raise UserError(f"--config: {error}") from None


def add_arguments(parser: ArgumentParser, target: str | None = None) -> None:
    """Add the options that choose a config, and a target of Snakemake's if ``target`` describes its use."""
    if target:
        parser.add_argument("target", nargs="?", default="all", help=f"{target} (default: all)")
    parser.add_argument(
        "--configfile", "--configfiles", nargs="+", type=Path, default=[], metavar="FILE",
        help="as for Snakemake: files over config/config.yaml, which is the paper's run",
    )  # fmt: skip
    parser.add_argument("--config", "-C", nargs="*", default=[], metavar="KEY=VALUE", help="as for Snakemake")


def overlay_of(arguments: Namespace) -> Overlay:
    """Return the overlay that a command line chooses."""
    return Overlay(arguments.configfile, arguments.config)


def settings_of(overlay: Overlay) -> "Config":
    """Return the merged and checked config of a run; raise UserError with all its problems."""
    from thinksafe.config import settings

    files = [ROOT / "config/config.yaml", *overlay.files]
    return settings.load(files, overlay.parsed_values() if overlay.values else None)


@dataclass(eq=False)
class Job:
    """One job of a plan."""

    rule: str
    wildcards: dict[str, str]
    gpus: int  # that it asks for
    params: dict[str, str]  # `spec`, `code` and `environment`, as canonical text
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    stale: bool  # whether Snakemake would run it
    reason: str  # why, in Snakemake's words
    recorded: tuple[str, ...] = ()  # params that its outputs were made with, if they have changed since
    other_inputs: bool = False  # whether its outputs were made from another set of files
    folders: tuple[str, ...] = ()  # which of its outputs are folders
    raw: Any = None  # Snakemake's own job
    needs: list["Job"] = field(default_factory=list)  # the jobs that make its inputs

    @property
    def title(self) -> str:
        """Return rule and wildcards."""
        return " ".join([self.rule, *self.wildcards.values()])

    @property
    def identity(self) -> str | None:
        """Return the path of its identity; None for a target, which makes nothing."""
        return next((path for path in self.outputs if path.endswith(IDENTITY)), None)


def planned(overlay: Overlay, target: str = "all") -> list[Job]:
    """Return every job behind a target, each after those that it needs; raise UserError if it cannot be planned."""
    with graph(overlay, target) as dag:
        return jobs_of(dag)


@contextlib.contextmanager
def graph(overlay: Overlay, target: str = "all") -> Iterator[Any]:
    """Yield Snakemake's own DAG of a target in the current folder, with its records; see `planned`."""
    from snakemake.api import SnakemakeApi
    from snakemake.exceptions import print_exception
    from snakemake.settings import enums, types

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    triggers = {enums.RerunTrigger.parse_choice(name) for name in TRIGGERS}
    with SnakemakeApi(types.OutputSettings(dryrun=True, quiet={enums.Quietness.ALL})) as api:
        try:
            with contextlib.redirect_stdout(sys.stderr):
                made = api.workflow(
                    resource_settings=types.ResourceSettings(cores=1),
                    config_settings=types.ConfigSettings(config=overlay.parsed_values(), configfiles=overlay.files),
                    storage_settings=types.StorageSettings(),
                    workflow_settings=types.WorkflowSettings(),
                    snakefile=ROOT / "Snakefile",
                )
                made.dag(
                    dag_settings=types.DAGSettings(
                        targets={target}, rerun_triggers=triggers, max_checksum_file_size=LARGEST
                    )
                )
                workflow = made._workflow
                workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
                workflow._build_dag()
        except Exception as error:
            print_exception(error)
            raise UserError(f"{target}: cannot be planned ({type(error).__name__})") from None
        yield workflow.dag


def jobs_of(dag: Any) -> list[Job]:
    """Return the jobs of Snakemake's DAG, each after those that it needs."""
    return ordered(_job(dag, job) for job in dag.jobs)


def _job(dag: Any, job: Any) -> Job:
    stale, records = dag.needrun(job), dag.workflow.persistence
    # Asked here: Snakemake itself no longer compares params once an input is made again.
    changed = records.params_changed(job) if stale else None
    names = ("spec", "code", "environment")
    return Job(
        rule=job.rule.name,
        wildcards=dict(job.wildcards_dict),
        gpus=int(job.resources.get("gpu", 0)),
        params={name: str(job.params.get(name)) for name in names} if job.params.get("spec") else {},
        inputs=tuple(sorted(set(map(str, job.input)))),
        outputs=tuple(sorted(map(str, job.output))),
        stale=stale,
        reason=str(dag.reason(job)) if stale else "",
        recorded=tuple(sorted(changed.only_old)) if changed else (),
        other_inputs=stale and any(records.input_changed(job, file=output) for output in job.output),
        folders=tuple(sorted(str(output) for output in job.output if output.is_directory)),
        raw=job,
    )


def ordered(jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs with their ``needs`` filled in, each after all that it needs."""
    jobs = list(jobs)
    makers = {path: job for job in jobs for path in job.outputs}
    sorter = TopologicalSorter(dict.fromkeys(jobs, ()))
    for job in jobs:
        job.needs = list(dict.fromkeys(makers[path] for path in job.inputs if path in makers))
        sorter.add(job, *job.needs)
    return list(sorter.static_order())


def behind(jobs: Iterable[Job]) -> set[Job]:
    """Return jobs and all that they are made from."""
    found: set[Job] = set()
    todo = list(jobs)
    while todo:
        if (job := todo.pop()) not in found:
            found.add(job)
            todo += job.needs
    return found


def reached(jobs: Sequence[Job], start: Iterable[Job]) -> set[Job]:
    """Return the jobs of ``start`` and all that follow from them; ``jobs`` in the order of `planned`."""
    found = set(start)
    for job in jobs:
        if not found.isdisjoint(job.needs):
            found.add(job)
    return found
