# What every rule uses: the study (thinksafe/study), what a job depends on, and what happens when a run starts.

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
from pathlib import Path

from thinksafe.analysis.claims import ClaimError
from thinksafe.files import write_json
from thinksafe.hub.lock import HubError, read_lock, unpinned
from thinksafe.jobs.gpu_leases import devices_of
from thinksafe.jobs.run import check_environment, title_of
from thinksafe.layout import CELL, RAW, SHARD
from thinksafe.provenance.digests import ROOT, digest_of
from thinksafe.study.selection import Cell
from thinksafe.study.study import Study, one_of

try:
    claims = settings.read(ROOT / "config/claims.yaml")
    study = Study(typed, claims, read_lock(typed.hub.lock), local)
except (ClaimError, HubError, settings.SettingsError) as error:
    raise WorkflowError(str(error)) from None
paths, depends = study.paths, study.depends


# As a module of another workflow (docs/module.md) the working directory is that one's, paths and names may have a prefix.
MAIN = workflow.modifier.is_main_snakefile()
PREFIX = workflow.modifier.modify_rulename("")
RUN = str(workflow.modifier.modify_path(f"results/{study.config.run}"))


# ---------------------------------------------------------------- the machine
# One process uses one thread unless told otherwise; jobs end with the workflow that started them; importing torch is
# paid once per local run (docs/jobs.md).
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
# Jobs never reach for the hub: what they need is fetched before (rules/hub.smk).
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
os.environ["PYTHONPATH"] = str(ROOT)
os.environ["THINKSAFE_DRIVER"] = str(os.getpid())


TOLD = {"run_info", "job_info", "job_started", "job_finished", "progress", "shellcmd", "group_info", "resources_info"}


def is_news(record):
    """Return whether a line of Snakemake's log tells more than our one line per finished job does."""
    if not workflow.local_exec:  # jobs elsewhere print nothing here
        return True
    event = getattr(record, "event", None)
    return getattr(event, "value", event) not in TOLD and not str(record.msg).startswith("Select jobs to execute")


# A dry run lists every job with its reason; while jobs run, each says itself how far it is (`--verbose` shows both).
if MAIN and not (workflow.output_settings.dryrun or workflow.output_settings.verbose):
    logging.getLogger("snakemake.logging").addFilter(is_news)


def check_versions(jobs):
    """Refuse before anything is queued what each job would refuse: another version, or none, of what it runs with.

    With conda or a container the environments are not this one; there the jobs look for themselves.
    """
    if workflow.deployment_settings.deployment_method:
        return
    try:
        for versions in sorted({str(job.params.environment) for job in jobs if job.params.get("environment")}):
            check_environment(json.loads(versions))
    except RuntimeError as error:
        raise WorkflowError(
            f"{error}. vLLM for GPUs comes with `--sdm conda` or an image (docs/environments.md)"
        ) from None


ONLINE = ("lock_hub", "check_hub", "fetch")


def check_pins(jobs):
    """Refuse to make what could not be told apart from the same made with another upload to the hub."""
    loose = sorted({name for job in jobs if job.params.get("spec") for name in unpinned(job.params.spec)})
    if loose:
        raise WorkflowError(
            f"{', '.join(loose)}: taken from the hub at no fixed commit. Run `snakemake lock_hub` with this config, which "
            f"writes them to {study.config.hub.lock}, or give each `source` a `revision` of 40 figures"
        )


def tell_status(jobs):
    """Leave the list of what this run means to do, for `make status`."""
    told = [
        {
            "rule": job.rule.name.removeprefix(PREFIX),
            "title": title_of(job.rule.name, job.wildcards),
            "wildcards": dict(job.wildcards_dict),
            "identity": str(job.output.identity),
            "log": str(job.log[0]),
        }
        for job in jobs
        if "identity" in job.output.keys()
    ]
    facts = dict(run=config["run"], began=time.time(), driver=os.getpid(), host=platform.node())
    facts |= dict(elsewhere=not workflow.local_exec, jobs=told)
    write_json(f".snakemake/thinksafe/{study.config.run}.json", facts)


def fix_claims():
    """Keep the claims as they are when a run begins: its board tells whether they were changed after (docs/claims.md)."""
    path = Path(RUN) / "claims.fixed.json"
    if not path.exists():
        write_json(path, {"claims": claims, "digest": digest_of(claims)})


onstart:
    planned = [job for job in workflow.dag.needrun_jobs() if job.rule.name.removeprefix(PREFIX) not in ONLINE]
    check_pins(planned)
    check_versions(planned)
    if planned:
        tell_status(planned)
        fix_claims()
    gpus = workflow.global_resources.get("gpu")
    if workflow.local_exec and gpus is not None and gpus.value:  # profiles/gpus
        os.environ["THINKSAFE_GPUS"] = ",".join(devices_of(gpus.value))
    if workflow.local_exec and planned:
        folder = tempfile.mkdtemp(prefix="thinksafe-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        jobs = sum(1 for job in planned if job.is_script)
        os.environ["THINKSAFE_TALLY"] = f"{folder}/tally:{jobs}"
        if os.environ.get("THINKSAFE_WARM") != "off" and any(
            '"torch"' in str(job.params.get("environment")) for job in planned
        ):
            os.environ["THINKSAFE_WARM"] = f"{folder}/warm"
            subprocess.Popen(
                [sys.executable, "-m", "thinksafe.jobs.warm_worker", os.environ["THINKSAFE_WARM"]], cwd=ROOT
            )
