"""The study that a config describes: what is selected, where it is kept, what each job depends on.

Made once, when the workflow is read (rules/common.smk). Pure and cheap: no Snakemake, no torch; it reads the config and
the files that it names. Rules, the command line and tests ask the same object. No script imports it, so that a change
here makes something stale only through the specs and paths that it changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from thinksafe.config.types import Config
from thinksafe.hub.needed import pinned as at_locked_commits
from thinksafe.provenance.digests import canonical, code_digests, script_path
from thinksafe.provenance.local_files import with_contents
from thinksafe.provenance.versions import pinned
from thinksafe.study.claims import Claims
from thinksafe.study.paper import AVERAGES, COMPANIONS, GAINS, LENGTHS, TARGETS, Paper
from thinksafe.study.paths import Paths
from thinksafe.study.report import Report
from thinksafe.study.selection import Selection
from thinksafe.study.specs import Specs
from thinksafe.study.stages import script_of, stage_of
from thinksafe.study.training_sets import TrainingSets

ENGINES = {
    "transformers": "thinksafe/inference/transformers_engine.py",
    "vllm": "thinksafe/inference/vllm_engine.py",
}
WORLD = {"thinksafe/miniature/oracle.py", "thinksafe/miniature/world.py"}


NO_LOCK: dict[str, Any] = {"models": {}, "datasets": {}}


@dataclass(frozen=True)
class Depends:
    """A param of a rule, as a function of a job's wildcards; knows its rule, so that a wrong name is found."""

    rule: str
    of: Callable[[str, Mapping[str, str]], str]

    def __call__(self, wildcards: Any) -> str:
        """Return the param of one job."""
        return self.of(self.rule, dict(wildcards.items()))


class Study:
    """Everything that follows from a config.

    Parameters
    ----------
    config : of one run
    claims : what config/claims.yaml holds
    lock : the hub's commits (thinksafe/hub/lock.py); what comes from the hub is taken at the commit that it has
    local : wraps a path of this machine that no rule makes, as Snakemake's ``local`` does

    Raises
    ------
    ClaimError
        If the claims cannot be read.
    """

    main_tables = property(lambda self: [*self.paper.families, *COMPANIONS])
    figures_of_averages, figures_of_gains, figures_of_lengths = set(AVERAGES), set(GAINS), set(LENGTHS)

    def __init__(
        self,
        config: Config,
        claims: Mapping[str, Any],
        lock: Mapping[str, Any] = NO_LOCK,
        local: Callable[[str], Any] = str,
    ) -> None:
        asked, self.config = config, at_locked_commits(config, lock)
        self.selection = Selection(self.config)
        self.sets = TrainingSets(self.selection)
        self.paths = Paths(self.selection, self.sets, local)
        self.paper = Paper(self.selection, self.sets, self.paths)
        self.claims = Claims(self.paper, claims)
        self.report = Report(self.paper)
        self.spec = self.miniature = Specs(self.claims, self.report, asked)
        self.trained = self.selection.arms(trained=True)
        self.cells, self.table, self.figure = self.selection.cells, self.paper.table, self.paper.figure
        self.outputs, self.code = cache(self.paper.outputs), cache(self._code)

    # ------------------------------------------------------------ what a job depends on (docs/staleness.md)
    def depends(self, rule: str) -> dict[str, Depends]:
        """Return the params of a rule: all that its jobs depend on besides their inputs."""
        return {
            "spec": Depends(rule, self.spec_of),
            "code": Depends(rule, self.code_of),
            "environment": Depends(rule, self.environment_of),
        }

    def spec_of(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """Return a job's share of the config, with the digest of its content beside a source on this machine."""
        method = getattr(self.spec, rule, None) or getattr(self.spec, script_of(rule))
        return canonical(with_contents(method(**wildcards)))

    def code_of(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """Return a digest per module that a job runs."""
        return self.code(rule, **self._variant(rule, wildcards))

    def _variant(self, rule: str, wildcards: Mapping[str, str]) -> dict[str, Any]:
        """Return which engines, loss and truth a job runs, of those that its script could."""
        engine, script = self.config.engine.name, script_of(rule)
        if script in ("sample_responses", "sample_answers"):
            return {"engines": (engine,)}
        if script == "judge_responses":
            oracle = self._asks_oracle(wildcards)
            return {"engines": () if oracle else (engine,), "oracle": oracle}
        if script == "train_grpo":
            own = self.config.methods[wildcards["method"]].grpo.sampler == "trainer"
            return {"engines": (engine, "transformers") if own else (engine,)}
        if script in ("train_student", "score_perplexity"):
            return {"loss": self.sets.loss_of(wildcards["method"])[0]}
        return {}

    def _asks_oracle(self, wildcards: Mapping[str, str]) -> bool:
        return self.config.guards[wildcards["guard"]].kind == "oracle"

    def _code(self, rule: str, engines: tuple[str, ...] = (), oracle: bool = False, loss: str | None = None) -> str:
        """Return a digest per module that a rule's script runs; only the engines, truth and loss of this job count."""
        unused = {path for name, path in ENGINES.items() if name not in engines} | (set() if oracle else WORLD)
        script = script_path(script_of(rule))
        if script.startswith("scripts/miniature/"):
            unused -= WORLD
        used = [f"thinksafe/training/losses/{loss}.py"] if loss else []
        return canonical(code_digests(script, unused, used))

    def environment_of(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """Return the pinned versions that can change the numbers of a job (envs/versions.yaml), if any can."""
        kind = stage_of(rule).environment
        if script_of(rule) == "judge_responses" and self._asks_oracle(wildcards):
            kind = None
        elif rule == "train_grpo" and self.config.engine.name == "transformers":
            kind = "training"
        elif rule == "score_reasoning":
            kind = self.config.scoring.environment
        elif rule.startswith("prepare_"):  # only the hub's library stands between data and rows
            kind = "data" if any(part.source.hub for part in self._prepared(rule, wildcards)) else None
        return canonical(pinned(kind.format(engine=self.config.engine.name)) if kind else {})

    def _prepared(self, rule: str, wildcards: Mapping[str, str]) -> Iterable[Any]:
        if rule == "prepare_corpus":
            corpus = self.config.corpora[wildcards["corpus"]]
            return [part for part in (corpus.harmful, corpus.benign) if part]
        if rule == "prepare_prompts":
            return [getattr(self.config.prompts, wildcards["prompts"])]
        return [self.config.benchmarks[wildcards["benchmark"]]]

    def check_rules(self, rules: Iterable[Any]) -> None:
        """Check that each rule carries its own params, and runs the script of whose code they have digests.

        Raises
        ------
        ValueError
            With the rule that does not.
        """
        for rule in rules:
            script = Path(str(rule.script)).stem if rule.script else None
            names = {param.rule for param in rule.params if isinstance(param, Depends)}
            if script and (len(names) != 1 or script_of(*names) != script or len(rule.params) != 3):
                raise ValueError(f"rule {rule.name} runs {script}.py: its params must be **depends({rule.name!r})")

    # ------------------------------------------------------------ what rules ask
    def prompts(self, role: str) -> Any:
        """Return the config's entry of the harmful or the benign prompts."""
        return getattr(self.config.prompts, role)

    def released(self, student: str, method: str, replicate: str) -> Any:
        """Return the config's entry of a training set that others have released."""
        return self.config.sources[student][method]

    def students_with_released_sets(self) -> str:
        """Return a pattern for the students in paths of released training sets: each with its own methods."""
        sets = self.config.sources.items()
        return "|".join(f"{re.escape(student)}(?=/for/(?:{one_of(methods)})/)" for student, methods in sets) or "(?!)"

    def targets(self) -> dict[str, str]:
        """Return what each named target makes: tables, figures, ablations and claims."""
        claims = {
            f"claim_{name}": f"Claim {name}: {claim['text']}" for name, claim in self.claims.all["claims"].items()
        }
        return {name: f"{target.text}." for name, target in TARGETS.items()} | claims

    def target(self, name: str) -> Callable[[Any], list[str]]:
        """Return the files of a named target, as a function: a target that nobody asks for may have nothing."""
        if name.startswith("claim_"):
            return lambda wildcards: self.claims.files_of(name.removeprefix("claim_"))
        return lambda wildcards: self.paper.files_of(name)

    # ------------------------------------------------------------ the machine
    def gpus(self, count: int) -> int:
        """Return how many GPUs a job needs: none where the models are tiny and run on processors."""
        return 0 if self.config.engine.name == "transformers" else count

    def grpo_gpus(self, method: str) -> int:
        """Return a GPU for the policy, one for vLLM where it has its own, and the guard's; more share the policy."""
        served = self.config.methods[method].grpo.sampler == "server"
        return self.gpus(1 + served + self.config.engine.tensor_parallel)

    def rows_per_device(self, student: str, method: str) -> int:
        """Return how many rows one device takes at once; accumulation makes up the total batch."""
        if not self.config.models[student].source.built:
            return 1
        grpo = self.config.methods[method].grpo
        return grpo.rollouts * grpo.prompts_per_step if grpo else self.sets.settings_of(method)["batch_size"]

    def minutes(self, least: float, per_billion: float = 0) -> Callable[..., int]:
        """Return a job's time limit: by its student's size, and longer at each new attempt."""
        return lambda wildcards, attempt: round((least + per_billion * self._billions(wildcards)) * attempt)

    def megabytes(self, least: float, per_billion: float = 0) -> Callable[..., int]:
        """Return a job's memory: by its student's size, and half as much again at each new attempt."""
        return lambda wildcards, attempt: round((least + per_billion * self._billions(wildcards)) * (1 + attempt) / 2)

    def _billions(self, wildcards: Any) -> float:
        student = getattr(wildcards, "student", None)
        return (self.config.models[student].billions if student else None) or 1.0

    def conda(self, kind: str) -> str:
        """Return the conda file of jobs that sample, or train by GRPO, which depends on the engine."""
        small = self.config.engine.name == "transformers"
        names = {"sampling": "sampling-transformers" if small else "sampling", "grpo": "training" if small else "grpo"}
        return f"../envs/{names[kind]}.yaml"


def one_of(names: Iterable[str]) -> str:
    """Return a pattern for exactly these names; for none it matches nothing."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"
