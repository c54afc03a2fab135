"""What happens when a run starts: environment, checks before submission, what jobs find (docs/jobs.md)."""

import atexit
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from thinksafe.errors import UserError
from thinksafe.files import write_json
from thinksafe.jobs.gpu_leases import devices_of
from thinksafe.jobs.run import check_environment
from thinksafe.jobs.start import title_of
from thinksafe.provenance.digests import ROOT, digest_of

ONLINE = ("lock_hub", "check_hub", "fetch")  # rules of the login node, which make no artifact
# A process uses one thread unless told otherwise; jobs never connect to the hub (rules/hub.smk downloads before).
DEFAULTS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
# Events of Snakemake's log that say no more than our one line per finished job does.
REPEATED = set("run_info job_info job_started job_finished progress shellcmd group_info resources_info".split())


def prepare() -> None:
    """Set the environment of this process, which its jobs inherit; they end when it ends."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ.update(OFFLINE, PYTHONPATH=str(ROOT), THINKSAFE_DRIVER=str(os.getpid()))


def shorten_log(workflow: Any) -> None:
    """Drop from Snakemake's log what each local job prints itself; jobs on a cluster print nothing here.

    Where jobs run is asked at each record: it is not known yet when rules are read.
    """

    def is_news(record: logging.LogRecord) -> bool:
        event = getattr(record, "event", None)
        repeated = getattr(event, "value", event) in REPEATED or str(record.msg).startswith("Select jobs to execute")
        return not (workflow.local_exec and repeated)

    logging.getLogger("snakemake.logging").addFilter(is_news)


def check_pins(jobs: Sequence[Any], unpinned: Callable[[str], list[str]], lock: str) -> None:
    """Raise UserError if a job uses a source on the hub without a fixed commit: later uploads would go unnoticed."""
    loose = sorted({name for job in jobs if job.params.get("spec") for name in unpinned(job.params.spec)})
    if loose:
        raise UserError(
            f"{', '.join(loose)}: taken from the hub at no fixed commit. Run `snakemake lock_hub` with this config, "
            f"which writes them to {lock}, or give each `source` a `revision` of 40 hex digits"
        )


def check_versions(jobs: Sequence[Any]) -> None:
    """Raise UserError before submission if an installed package differs from its pin; each job would refuse it."""
    for versions in sorted({str(job.params.environment) for job in jobs if job.params.get("environment")}):
        check_environment(json.loads(versions))


def write_plan(jobs: Sequence[Any], run: str, prefix: str, local: bool) -> None:
    """Write the list of what this run will do, for `thinksafe status`."""
    planned = [
        {
            "rule": job.rule.name.removeprefix(prefix),
            "title": title_of(job.rule.name, job.wildcards),
            "wildcards": dict(job.wildcards_dict),
            "identity": str(job.output.identity),
            "log": str(job.log[0]),
        }
        for job in jobs
        if "identity" in job.output.keys()
    ]
    facts = {"run": run, "began": time.time(), "driver": os.getpid(), "host": platform.node()}
    write_json(f".snakemake/thinksafe/{run}.json", facts | {"elsewhere": not local, "jobs": planned})


def start_warm_worker(jobs: Sequence[Any]) -> None:
    """Let this run's jobs count themselves, and start the process that imports torch once for all of them."""
    folder = tempfile.mkdtemp(prefix="thinksafe-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["THINKSAFE_TALLY"] = f"{folder}/tally:{sum(1 for job in jobs if job.is_script)}"
    uses_torch = any('"torch"' in str(job.params.get("environment")) for job in jobs)
    if os.environ.get("THINKSAFE_WARM") != "off" and uses_torch:
        os.environ["THINKSAFE_WARM"] = f"{folder}/warm"
        command = [sys.executable, "-m", "thinksafe.jobs.warm_worker", os.environ["THINKSAFE_WARM"]]
        subprocess.Popen(command, cwd=ROOT)


def on_start(workflow: Any, modifier: Any, study: Any, unpinned: Callable[[str], list[str]]) -> None:
    """Check what is about to run, and prepare what its jobs find; called by Snakemake's ``onstart``.

    ``modifier`` is Snakemake's at the time when the rules were read: as a module of another workflow (docs/module.md)
    paths and names may have a prefix. Raises UserError if the run must not start.
    """
    prefix, local, name = modifier.modify_rulename(""), workflow.local_exec, study.config.run
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name.removeprefix(prefix) not in ONLINE]
    check_pins(jobs, unpinned, study.config.hub.lock)
    if not workflow.deployment_settings.deployment_method:  # with conda or a container, jobs check for themselves
        check_versions(jobs)
    if not jobs:
        return
    write_plan(jobs, name, prefix, local)
    # The claims as they were when the run began: their summary says whether they were changed after.
    if not (fixed := Path(modifier.modify_path(f"results/{name}")) / "claims.fixed.json").exists():
        write_json(fixed, {"claims": study.claims.all, "digest": digest_of(study.claims.all)})
    gpus = workflow.global_resources.get("gpu")
    if local and gpus is not None and gpus.value:  # profiles/gpus
        os.environ["THINKSAFE_GPUS"] = ",".join(devices_of(gpus.value))
    if local:
        start_warm_worker(jobs)
