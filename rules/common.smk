# What the rules call: what a job depends on, and where things are. No rules, no science.

import atexit
import json
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from thinksafe.hub.lock import HubError, pinned as at_locked_commits, read_lock, remote_sources, unpinned, used
from thinksafe.config.consistency import KINDS
from thinksafe.provenance.local_files import with_contents
from thinksafe.files import IDENTITY, write_json
from thinksafe.jobs.gpu_leases import devices_of
from thinksafe.jobs.run import check_environment
from thinksafe.jobs.start import title_of
from thinksafe.provenance.digests import ROOT, canonical, code_digests, digest_of, script_path
from thinksafe.provenance.versions import pinned

ENGINES = {"transformers": "thinksafe/inference/transformers_engine.py", "vllm": "thinksafe/inference/vllm_engine.py"}


# As a module of another workflow (docs/module.md) the working directory is that one's, paths and names may have a prefix.
MAIN = workflow.modifier.is_main_snakefile()
PREFIX = workflow.modifier.modify_rulename("")
RUN = str(workflow.modifier.modify_path(f"results/{config['run']}"))


# What comes from the hub is taken at the commit that the lock has for it (rules/hub.smk); ASKED is as config says it.
ASKED = config
try:
    config = at_locked_commits(ASKED, read_lock(config["hub"]["lock"]))
except HubError as error:
    raise WorkflowError(str(error)) from None


def one_of(names):
    """Return a pattern for exactly these names."""
    return "|".join(re.escape(name) for name in sorted(names))


# ---------------------------------------------------------------- what a job depends on (docs/staleness.md)
def spec(**parts):
    """Return a rule's share of the config as one canonical value: named params are compared as an unordered set.

    A source on this machine has its content's digest beside it.
    """
    return canonical(with_contents(parts))


@lru_cache(maxsize=None)
def code_of(name, engine=None, oracle=False, loss=None, sampler=None):
    """Return a digest per module that a script runs; only the engines, truth and loss that this job uses count."""
    unused = {path for kind, path in ENGINES.items() if kind not in (engine, sampler)}
    if not oracle and name in ("judge_responses", "train_grpo"):
        unused |= {"thinksafe/miniature/world.py"}
    used = (f"thinksafe/training/losses/{loss}.py",) if loss else ()
    return canonical(code_digests(script_path(name), tuple(sorted(unused)), used))


@lru_cache(maxsize=None)
def environment_of(kind=None):
    """Return the pinned versions that can change the numbers of a kind of job (envs/versions.yaml), if any can."""
    return canonical(pinned(kind) if kind else {})


def environment_of_source(entry):
    """Return the environment of a job that reads a source: only the hub's library stands between data and rows."""
    return environment_of("data" if "hub" in entry["source"] else None)


# ---------------------------------------------------------------- models
def model_files(name, entry):
    """Return the files that stand for a model among a job's inputs."""
    source = entry.get("source") or {}
    if "built" in source:
        return [f"<results>/models/{name}{IDENTITY}"]
    if "folder" in source:
        return [local(path) for path in sorted(map(str, Path(source["folder"]).iterdir())) if Path(path).is_file()]
    return []  # a hub model is pinned by its revision, which is in the spec


def student_files(wildcards):
    return model_files(wildcards.student, config["models"][wildcards.student])


def guard_files(wildcards):
    return model_files(wildcards.guard, config["guards"][wildcards.guard])


def family_of(student):
    return config["models"][student]["family"]


def chat_of(student):
    """Return what config says about a student's chat format beyond its template."""
    return config["families"][family_of(student)].get("chat")


# ---------------------------------------------------------------- sampling
def sampling_of(kind, student):
    """Return the decoding settings of a model for data, safety or reasoning (A.1, B)."""
    settings = config["sampling"][kind]
    return {**settings, "top_k": settings["top_k"][family_of(student)]}


GRPO_ENV = f"../envs/{'training' if config['engine']['name'] == 'transformers' else 'grpo'}.yaml"
SAMPLING_ENV = f"../envs/sampling{'-transformers' if config['engine']['name'] == 'transformers' else ''}.yaml"


# ---------------------------------------------------------------- selection
REPLICATES = config["replicates"]
STUDENTS = config["select"]["students"]
METHODS = config["select"]["methods"]
BENCHMARKS = config["select"]["benchmarks"]


def methods_of(student):
    """Return the selected methods that are meant for a student, in the order of the selection."""
    return [
        method
        for method in METHODS
        for entry in [config["methods"][method]]
        if family_of(student) in entry.get("families", config["families"])
        if student in entry.get("students", config["models"])
    ]


def students_of(family):
    return [student for student in STUDENTS if family_of(student) == family]


def kind_of(benchmark):
    """Return which decoding settings and shards a benchmark uses: safety or reasoning."""
    return "reasoning" if config["benchmarks"][benchmark]["kind"] == "reasoning" else "safety"


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


def on_gpu(count):
    """Return how many GPUs a job of this run needs: none where the models are built by the workflow itself."""
    return 0 if config["engine"]["name"] == "transformers" else count


def billions(wildcards):
    """Return a student's number of parameters in billions, as its size begins (`0.6B`, `350M`, `30b-a3b`); else 1."""
    student = getattr(wildcards, "student", None)
    said = re.match(r"(\d+(?:\.\d+)?)\s*([BM])\b", config["models"][student]["size"] if student else "", re.IGNORECASE)
    return float(said[1]) / (1000 if said[2] in "Mm" else 1) if said else 1.0


def minutes(least, per_billion=0):
    """Return a job's time limit: by its student's size, and longer at each new attempt."""
    return lambda wildcards, attempt: round((least + per_billion * billions(wildcards)) * attempt)


def megabytes(least, per_billion=0):
    """Return a job's memory: by its student's size, and half as much again at each new attempt."""
    return lambda wildcards, attempt: round((least + per_billion * billions(wildcards)) * (1 + attempt) / 2)


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
            f"writes them to {config['hub']['lock']}, or give each `source` a `revision` of 40 figures"
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
    write_json(f".snakemake/thinksafe/{config['run']}.json", facts)


def fix_claims():
    """Keep the claims as they are when a run begins: its board tells whether they were changed after (docs/claims.md)."""
    path = Path(RUN) / "claims.fixed.json"
    if not path.exists():
        write_json(path, {"claims": CLAIMS, "digest": digest_of(CLAIMS)})


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
