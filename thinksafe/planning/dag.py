"""The workflow's jobs as Snakemake plans them, with what each depends on and why it would run; runs nothing.

Asked of Snakemake's own API in this process, whose environment and logging it changes: a tool asks once, and ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAPER = "config/config.yaml"
TRIGGERS = ("mtime", "params", "input")  # profiles/default/config.yaml
LARGEST = 1_000_000_000  # bytes of an input that counts by its content, as there
PARAMS = ("spec", "code", "environment")


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
    needs: list[Job] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Return rule and wildcards as they are logged."""
        return " ".join([self.rule, *self.wildcards.values()])


def overlays(config: str) -> list[Path]:
    """Return what a tool's ``--config`` adds to the paper's config: its file, or nothing where it is the paper's."""
    return [] if config == PAPER else [(ROOT / config).resolve()]


def settings_of(config: str) -> dict[str, Any]:
    """Return the merged and checked config that a tool's ``--config`` names.

    Raises
    ------
    SystemExit
        With what is wrong with it, as Snakemake tells it.
    """
    from thinksafe.config import settings

    try:
        return settings.load([ROOT / PAPER, *overlays(config)])
    except settings.SettingsError as error:
        sys.exit(str(error))


def planned(config: str, target: str = "all", folder: Path | None = None) -> list[Job]:
    """Return every job behind a target, each after those that it needs.

    Parameters
    ----------
    config : path of the config from the root; ``config/config.yaml`` is the paper's
    folder : where results are; the root unless told

    Raises
    ------
    SystemExit
        With Snakemake's message, where the config or the target cannot be planned.
    """
    with graph(config, [target], folder) as found:
        return ordered(_jobs(found))


@contextlib.contextmanager
def graph(config: str, targets: Sequence[str] = ("all",), folder: Path | None = None) -> Iterator[Any]:
    """Give Snakemake's own DAG of the targets, with what it has on record; see `planned`."""
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
        targets=set(targets),
        rerun_triggers={RerunTrigger.parse_choice(t) for t in TRIGGERS},
        max_checksum_file_size=LARGEST,
    )
    with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
        try:
            with contextlib.redirect_stdout(sys.stderr):
                made = api.workflow(
                    resource_settings=ResourceSettings(cores=1),
                    config_settings=ConfigSettings(configfiles=overlays(config)),
                    storage_settings=StorageSettings(),
                    workflow_settings=WorkflowSettings(),
                    snakefile=ROOT / "Snakefile",
                    workdir=folder or ROOT,
                )
                made.dag(dag_settings=dag_settings)
                workflow = made._workflow
                workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
                workflow._build_dag()
        except Exception as error:
            print_exception(error)
            sys.exit(f"{config}, {', '.join(targets)}: cannot be planned ({type(error).__name__})")
        yield workflow.dag


def _jobs(dag: Any) -> Iterator[Job]:
    for job in dag.jobs:
        reason, stale, records = dag.reason(job), dag.needrun(job), dag.workflow.persistence
        # Asked here, as Snakemake no longer does once an input is made again.
        changed = records.params_changed(job) if stale else None
        others = stale and any(records.input_changed(job, file=output) for output in job.output)
        yield Job(
            rule=job.rule.name,
            wildcards=dict(job.wildcards_dict),
            gpus=int(job.resources.get("gpu", 0)),
            params={name: str(job.params.get(name)) for name in PARAMS} if job.params.get("spec") else {},
            inputs=tuple(sorted(map(str, job.input))),
            outputs=tuple(sorted(map(str, job.output))),
            stale=stale,
            reason=str(reason) if stale else "",
            recorded=tuple(sorted(changed.only_old)) if changed else (),
            other_inputs=others,
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


def behind(job: Job) -> set[Job]:
    """Return a job and all that it is made from."""
    found: set[Job] = set()
    todo = [job]
    while todo:
        if (one := todo.pop()) not in found:
            found.add(one)
            todo.extend(one.needs)
    return found


def reached(jobs: Sequence[Job], start: Iterable[Job]) -> set[Job]:
    """Return the jobs of ``start`` and all that follow from them; ``jobs`` in the order of `planned`."""
    found = set(start)
    for job in jobs:
        if any(need in found for need in job.needs):
            found.add(job)
    return found
