"""The workflow's jobs as Snakemake plans them, with what each depends on and why it would run; runs nothing.

Snakemake's own API does it in this process, whose environment and logging it changes: a command plans once.
"""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thinksafe.config import settings
from thinksafe.config.types import Config
from thinksafe.errors import UserError
from thinksafe.files import IDENTITY
from thinksafe.provenance.digests import ROOT

TRIGGERS = ("mtime", "params", "input")  # profiles/default/config.yaml
LARGEST = 1_000_000_000  # bytes of an input that counts by its content, as there
PARAMS = ("spec", "code", "environment")


@dataclass(frozen=True)
class Overlay:
    """What a run's config has over the paper's: files, and values over those, as Snakemake takes them.

    Attributes
    ----------
    files : the later over the earlier (``--configfile``)
    values : each ``key=value`` (``--config``)
    """

    files: Sequence[Path] = ()
    values: Sequence[str] = ()

    def options(self) -> list[str]:
        """Return it as options of Snakemake."""
        files = ["--configfile", *map(str, self.files)] if self.files else []
        return files + (["--config", *self.values] if self.values else [])


def add_arguments(parser: ArgumentParser, target: str | None = None) -> None:
    """Add the options that choose a config, and a target of Snakemake's, where ``target`` says what it is for."""
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


def _values(overlay: Overlay) -> dict[str, Any]:
    from snakemake.cli import parse_config

    try:
        return parse_config(overlay.values)
    except ValueError as error:
        raise UserError(f"--config: {error}") from None


def settings_of(overlay: Overlay) -> Config:
    """Return the merged, typed and checked config of a run.

    Raises
    ------
    UserError
        With what is wrong with it, as Snakemake prints it.
    """
    return settings.load([ROOT / "config/config.yaml", *overlay.files], _values(overlay) if overlay.values else None)


@dataclass(eq=False)
class Job:
    """One job of a plan.

    Attributes
    ----------
    gpus : how many it asks for
    params : its ``spec``, ``code`` and ``environment``, as canonical text
    stale : whether Snakemake would run it
    reason : why, in Snakemake's words
    recorded : what the params of its outputs were when they were made, where they have changed
    other_inputs : whether they were made from another set of files
    folders : which of its outputs are folders
    raw : Snakemake's own job
    needs : the jobs that make its inputs
    """

    rule: str
    wildcards: dict[str, str]
    gpus: int
    params: dict[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    stale: bool
    reason: str
    recorded: tuple[str, ...] = ()
    other_inputs: bool = False
    folders: tuple[str, ...] = ()
    raw: Any = None
    needs: list[Job] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Return rule and wildcards as they are logged."""
        return " ".join([self.rule, *self.wildcards.values()])

    @property
    def identity(self) -> str | None:
        """Return the path of the identity of what it makes; None for a target, which makes nothing."""
        return next((path for path in self.outputs if path.endswith(IDENTITY)), None)


def planned(overlay: Overlay, target: str = "all") -> list[Job]:
    """Return every job behind a target, each after those that it needs.

    Raises
    ------
    UserError
        Where the config or the target cannot be planned; Snakemake has printed why.
    """
    with graph(overlay, target) as found:
        return jobs_of(found)


@contextlib.contextmanager
def graph(overlay: Overlay, target: str = "all") -> Iterator[Any]:
    """Give Snakemake's own DAG of a target in the current folder, with what it has on record; see `planned`."""
    from snakemake.api import SnakemakeApi
    from snakemake.exceptions import print_exception
    from snakemake.settings.enums import RerunTrigger
    from snakemake.settings.types import (
        ConfigSettings,
        DAGSettings,
        OutputSettings,
        Quietness,
        ResourceSettings,
        StorageSettings,
        WorkflowSettings,
    )

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    dag_settings = DAGSettings(
        targets={target},
        rerun_triggers={RerunTrigger.parse_choice(t) for t in TRIGGERS},
        max_checksum_file_size=LARGEST,
    )
    with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
        try:
            with contextlib.redirect_stdout(sys.stderr):
                made = api.workflow(
                    resource_settings=ResourceSettings(cores=1),
                    config_settings=ConfigSettings(config=_values(overlay), configfiles=overlay.files),
                    storage_settings=StorageSettings(),
                    workflow_settings=WorkflowSettings(),
                    snakefile=ROOT / "Snakefile",
                )
                made.dag(dag_settings=dag_settings)
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
    # Asked here, as Snakemake no longer does once an input is made again.
    changed = records.params_changed(job) if stale else None
    return Job(
        rule=job.rule.name,
        wildcards=dict(job.wildcards_dict),
        gpus=int(job.resources.get("gpu", 0)),
        params={name: str(job.params.get(name)) for name in PARAMS} if job.params.get("spec") else {},
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
    waiting: dict[Job, int] = {}
    users: dict[Job, list[Job]] = defaultdict(list)
    for job in jobs:
        job.needs = list(dict.fromkeys(makers[path] for path in job.inputs if path in makers))
        waiting[job] = len(job.needs)
        for need in job.needs:
            users[need].append(job)
    found = [job for job in jobs if not waiting[job]]
    for job in found:  # grows while it is walked
        for user in users[job]:
            waiting[user] -= 1
            if not waiting[user]:
                found.append(user)
    return found


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
