"""Jobs that Snakemake plans for a config, with what each depends on; asked of Snakemake's own API, in fresh processes.

``python -m tests.workflow.dags`` reads questions from stdin, one a line, and prints an answer to each: a plan, or what
Snakemake has read of each rule. It imports Snakemake once, and forks for each question, so that none sees what another
left behind.
"""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Configs that we ship: not the schema, the claims, or a lock of hub revisions that somebody has made.
CONFIGS = sorted(
    path
    for path in (ROOT / "config").glob("*.yaml")
    if not path.name.endswith((".schema.yaml", ".lock.yaml", "claims.yaml"))
)


def plans(mutations: Sequence[dict[str, Any]], workdir: Path) -> list[dict[str, Any]]:
    """Return one plan per mutation.

    Parameters
    ----------
    mutations : sequence of dict
        ``config`` (a whole merged config), and of ``module`` (a project module whose meaning changed), ``package``
        (kind and package of envs/versions.yaml whose version changed) at most one; ``gpus`` (how many the
        machine has, all of which training takes); ``targets``; ``bind`` (import the scripts, and see what they need).
    workdir : where Snakemake runs; has no results, so that every job is planned.

    Returns
    -------
    list of dict
        ``jobs``: [rule, wildcards, params, inputs, outputs] each; with ``bind`` also ``unbound``: rules whose script's
        function lacks an argument; or ``error``.
    """
    return _asked("plans", mutations, workdir)


def as_set_up(folder: Path) -> Path:
    """Return a folder, now with the project's config and, as after `make setup-model`, a model's folder."""
    if not (folder / "config").exists():
        (folder / "config").symlink_to(ROOT / "config")
    (folder / ".models/smollm2-135m").mkdir(parents=True, exist_ok=True)
    (folder / ".models/smollm2-135m/config.json").touch()
    return folder


def snakemake(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Return how Snakemake ended in another folder, so that results here do not matter; nothing comes from the hub."""
    as_set_up(folder)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def dry_run(*arguments: str, folder: Path) -> str:
    """Return what a dry run in another folder prints."""
    done = snakemake("--dry-run", *arguments, folder=folder)
    assert not done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def rules(configs: Sequence[dict[str, Any]], workdir: Path) -> list[dict[str, dict[str, Any]]]:
    """Return for each config what Snakemake knows of each rule that it reads under it, by the rule's name."""
    found = _asked("rules", [{"config": config} for config in configs], workdir)
    assert not [one["error"] for one in found if "error" in one]
    return found


@cache
def _planner() -> subprocess.Popen[str]:
    """Start the process that plans; it ends with this one, whose end of the pipe closes."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.workflow.dags"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )


def _asked(what: str, mutations: Sequence[dict[str, Any]], workdir: Path) -> list[dict[str, Any]]:
    as_set_up(workdir)
    planner, found = _planner(), []
    for mutation in mutations:
        print(json.dumps([what, str(workdir), mutation]), file=planner.stdin, flush=True)
        found.append(json.loads(planner.stdout.readline() or '{"error": "the process that plans has ended"}'))
    return found


def _plan(mutation: dict[str, Any], workdir: Path) -> dict[str, Any]:
    from snakemake.settings.types import DAGSettings

    if "module" in mutation or "package" in mutation:
        _tamper(mutation)
    with _workflow(mutation, workdir) as made:
        settings = DAGSettings(targets=set(mutation.get("targets", ["all"])))
        made.dag(dag_settings=settings)
        workflow = made._workflow
        workflow.dag_settings = settings
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        return {"jobs": list(_jobs(workflow.dag))} | (
            {"unbound": list(_unbound(workflow.dag))} if "bind" in mutation else {}
        )


def _rules(mutation: dict[str, Any], workdir: Path) -> dict[str, Any]:
    from snakemake.settings.types import DAGSettings

    with _workflow(mutation, workdir) as made:
        made.dag(dag_settings=DAGSettings())
        workflow = made._workflow
        known = set(workflow.wildcard_constraints)
        return {
            rule.name: {
                "docstring": rule.docstring,
                "script": str(rule.script).removeprefix("../") if rule.script else None,
                "output": list(rule.output.keys()),
                "log": list(map(str, rule.log)),
                "conda": Path(str(rule.conda_env)).stem if rule.conda_env else None,
                "container": bool(rule.container_img),
                "params": list(rule.params.keys()),
                "resources": list(rule.resources or {}),
                "local": rule.name in workflow._localrules,
                "code": bool(rule.shellcmd or rule.run_func and not rule.script and not rule.norun),
                "unconstrained": sorted(rule.wildcard_names - known - set(rule.wildcard_constraints)),
            }
            for rule in workflow.rules
        }


@contextmanager
def _workflow(mutation: dict[str, Any], workdir: Path) -> Iterator[Any]:
    """Yield the workflow that reads a whole config from a file."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, StorageSettings, WorkflowSettings

    overlay = workdir / f"mutation-{os.getpid()}.json"
    overlay.write_text(json.dumps(mutation["config"]))
    try:
        with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
            yield api.workflow(
                resource_settings=_machine(mutation.get("gpus")),
                config_settings=ConfigSettings(configfiles=[overlay]),
                storage_settings=StorageSettings(),
                workflow_settings=WorkflowSettings(),
                snakefile=ROOT / "Snakefile",
                workdir=workdir,
            )
    finally:
        overlay.unlink(missing_ok=True)


def _machine(gpus: int | None) -> Any:
    """Return a machine with so many GPUs, all of which training takes, or the least that there is."""
    from snakemake.settings.types import ResourceSettings

    if gpus is None:
        return ResourceSettings(cores=1)
    return ResourceSettings(
        cores=4 * gpus,
        nodes=gpus,
        resources={"gpu": gpus},
        overwrite_resources={rule: {"gpu": gpus, "mem_mb": 1000 * gpus} for rule in ("train_student", "train_grpo")},
    )


def _jobs(dag: Any) -> Iterable[list[Any]]:
    for job in dag.jobs:
        if job.rule.name == "all":
            continue
        params = {name: str(job.params.get(name)) for name in ("spec", "code", "environment")}
        yield [
            job.rule.name,
            dict(job.wildcards_dict),
            params,
            sorted(map(str, job.input)),
            sorted(map(str, job.output)),
        ]


def _unbound(dag: Any) -> Iterable[str]:
    """Yield what is wrong with the arguments of the first job of each rule."""
    from types import SimpleNamespace

    from thinksafe.jobs.run import script_function
    from thinksafe.jobs.start import arguments_of

    firsts = {job.rule.name: job for job in dag.jobs if "identity" in job.output.keys()}
    for rule, job in firsts.items():
        names = ("input", "output", "params", "resources", "log")
        facts = SimpleNamespace(rule=rule, **{name: getattr(job, name) for name in names})
        try:
            arguments_of(script_function(Path(job.rule.script).stem), facts)
        except TypeError as error:
            yield str(error)


def _tamper(mutation: dict[str, Any]) -> None:
    """Let one module mean something else, or one package have another version, in this process only."""
    from thinksafe.provenance import digests, versions

    if "module" in mutation:
        real = digests._module

        def tampered(path: str, stamp: int) -> tuple[str, frozenset[str]]:
            digest, imports = real(path, stamp)
            return ("changed" if path == mutation["module"] else digest), imports

        digests._module = tampered
    else:
        kind, package = mutation["package"]
        table = versions._table()
        table[kind] = table[kind] | {package: "0.0.0"}


def main() -> None:
    """Answer each question of stdin in a fork of this process."""
    import snakemake.api  # noqa: F401 - imported once, before the forks

    from thinksafe.config import settings
    from thinksafe.provenance import digests, versions

    # What each plan would read anew although no mutation changes it: the sources' digests, the schema, the versions.
    settings.load([ROOT / "config/config.yaml"])
    versions.pinned("data")
    for script in (ROOT / "scripts").glob("*/*.py"):
        digests.code_digests(script.relative_to(ROOT).as_posix())
    gc.freeze()  # a child has no garbage of ours to look for
    for question in sys.stdin:
        what, workdir, mutation = json.loads(question)
        reading, writing = os.pipe()
        if not (child := os.fork()):
            os.close(reading)
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            try:
                plan = {"plans": _plan, "rules": _rules}[what](mutation, Path(workdir))
            except BaseException as error:
                plan = {"error": f"{type(error).__name__}: {error}"}
            with os.fdopen(writing, "w") as pipe:
                json.dump(plan, pipe)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            print(pipe.read() or '{"error": "no answer"}', flush=True)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
