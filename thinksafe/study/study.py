"""The study that a config describes: what is selected, where it is kept, what each job depends on.

Made once, when the workflow is read (rules/common.smk); rules and tests ask the same object. It is pure and cheap: no
Snakemake, no torch; it reads the config and the files that the config names. No script imports it, so that a change
here makes something stale only through the specs and paths that it changes.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from thinksafe.config.types import Config
from thinksafe.hub.needed import pinned as at_locked_commits
from thinksafe.provenance.digests import canonical, code_digests, script_path
from thinksafe.provenance.local_files import with_contents
from thinksafe.provenance.versions import pinned
from thinksafe.study.claims import Claims
from thinksafe.study.paper import Paper
from thinksafe.study.paths import Paths
from thinksafe.study.report import Report
from thinksafe.study.selection import Selection
from thinksafe.study.specs import Specs
from thinksafe.study.stages import script_of, stage_of
from thinksafe.study.targets import TARGETS, Targets
from thinksafe.study.training_sets import TrainingSets

ENGINES = {
    "transformers": "thinksafe/inference/transformers_engine.py",
    "vllm": "thinksafe/inference/vllm_engine.py",
}
WORLD = {"thinksafe/miniature/oracle.py", "thinksafe/miniature/world.py"}
NO_LOCK: dict[str, Any] = {"models": {}, "datasets": {}}


class Study:
    """Everything that follows from a config.

    Parameters
    ----------
    config : of one run
    claims : content of config/claims.yaml
    lock : commits of what comes from the hub (thinksafe/hub/lock.py)
    local : wraps a path of this machine that no rule makes, as Snakemake's ``local`` does

    Raises
    ------
    ClaimError
        If the claims cannot be read.
    """

    def __init__(
        self,
        config: Config,
        claims: Mapping[str, Any],
        lock: Mapping[str, Any] = NO_LOCK,
        local: Callable[[str], Any] = str,
    ) -> None:
        self.config = at_locked_commits(config, lock)
        self.selection = Selection(self.config)
        self.sets = TrainingSets(self.selection)
        self.paths = Paths(self.selection, self.sets, local)
        self.paper = Paper(self.selection, self.sets, self.paths)
        self.targets = Targets(self.paper)
        self.claims = Claims(self.targets, claims)
        self.report = Report(self.targets)
        self.spec = self.miniature = Specs(self.claims, self.report, config)
        self.trained = self.selection.arms(trained=True)
        self.cells, self.table, self.figure = self.selection.cells, self.paper.table, self.paper.figure
        self._code = cache(self._code)

    # ------------------------------------------------------------ what a job depends on (docs/staleness.md)
    def depends(self, rule: str, script: str) -> dict[str, Callable[[Any], str]]:
        """Return the params of a rule that runs a script: all that its jobs depend on besides their inputs."""
        if Path(script).stem != script_of(rule):
            raise ValueError(f"rule {rule} runs {script}, and depends on {script_of(rule)}.py: see study/stages.py")

        def of_job(value: Callable[[str, Mapping[str, str]], str]) -> Callable[[Any], str]:
            return signed(lambda wildcards: value(rule, dict(wildcards.items())), "wildcards")

        values = {"spec": self.spec_of, "code": self.code_of, "environment": self.environment_of}
        return {name: of_job(value) for name, value in values.items()}

    def spec_of(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """Return what a job takes from config, with the digest of its content beside a source on this machine."""
        spec = getattr(self.spec, rule, None) or getattr(self.spec, script_of(rule))
        return canonical(with_contents(spec(**wildcards)))

    def code_of(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """Return a digest per module that a job runs, of engines and losses only of those that it uses."""
        script, engine = script_of(rule), self.config.engine.name
        if script in ("sample_responses", "sample_answers"):
            return self._code(script, engine)
        if script == "judge_responses":
            return self._code(script, oracle=True) if self._asks_oracle(wildcards) else self._code(script, engine)
        if script == "train_grpo":
            own = self.config.methods[wildcards["method"]].grpo.sampler == "trainer"
            return self._code(script, engine, *(["transformers"] if own else []))
        if script in ("train_student", "score_perplexity"):
            return self._code(script, loss=self.sets.loss_of(wildcards["method"])[0])
        return self._code(script)

    def _code(self, script: str, *engines: str, oracle: bool = False, loss: str | None = None) -> str:
        path = script_path(script)
        unused = {module for name, module in ENGINES.items() if name not in engines}
        if not (oracle or path.startswith("scripts/miniature/")):
            unused |= WORLD
        return canonical(code_digests(path, unused, [f"thinksafe/training/losses/{loss}.py"] if loss else []))

    def _asks_oracle(self, wildcards: Mapping[str, str]) -> bool:
        return self.config.guards[wildcards["guard"]].kind == "oracle"

    def environment_of(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """Return the pinned versions that can change the numbers of a job (envs/versions.yaml), if any can."""
        kind = stage_of(rule).environment
        if script_of(rule) == "judge_responses" and self._asks_oracle(wildcards):
            kind = None
        elif rule == "train_grpo" and self.config.engine.name == "transformers":
            kind = "training"
        elif rule == "score_reasoning":
            kind = self.config.scoring.environment
        elif rule.startswith("prepare_"):  # only the hub's library can change rows
            kind = "data" if any(part.source.hub for part in self._prepared(**wildcards) if part) else None
        return canonical(pinned(kind.format(engine=self.config.engine.name)) if kind else {})

    def _prepared(self, corpus: str = "", prompts: str = "", benchmark: str = "") -> list[Any]:
        if corpus:
            return [self.config.corpora[corpus].harmful, self.config.corpora[corpus].benign]
        return [getattr(self.config.prompts, prompts) if prompts else self.config.benchmarks[benchmark]]

    # ------------------------------------------------------------ what rules ask
    def released(self, student: str, method: str, replicate: str) -> Any:
        """Return the config's entry of a released training set."""
        return self.config.sources[student][method]

    def students_with_released_sets(self) -> str:
        """Return a pattern for the students in paths of released training sets: each with its own methods."""
        sets = self.config.sources.items()
        return "|".join(f"{re.escape(student)}(?=/for/(?:{one_of(methods)})/)" for student, methods in sets) or "(?!)"

    def named_targets(self) -> dict[str, str]:
        """Return what each named target makes: tables, figures, ablations and claims."""
        claims = self.claims.all["claims"].items()
        return TARGETS | {f"claim_{name}": f"Claim {name}: {claim['text']}" for name, claim in claims}

    def target(self, name: str) -> Callable[[Any], list[str]]:
        """Return the files of a named target as a function, as one that nobody asks for may have none."""
        if name.startswith("claim_"):
            return lambda wildcards: self.claims.files_of(name.removeprefix("claim_"))
        return lambda wildcards: self.targets.files_of(name)

    # ------------------------------------------------------------ the machine
    @property
    def on_processors(self) -> bool:
        """Whether the models are so small that no job needs a GPU."""
        return self.config.engine.name == "transformers"

    def gpus(self, count: int) -> int:
        """Return how many GPUs a job needs."""
        return 0 if self.on_processors else count

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
        return signed(
            lambda wildcards, attempt: round((least + per_billion * self._billions(wildcards)) * attempt),
            "wildcards",
            "attempt",
        )

    def megabytes(self, least: float, per_billion: float = 0) -> Callable[..., int]:
        """Return a job's memory: by its student's size, and half as much again at each new attempt."""
        return signed(
            lambda wildcards, attempt: round((least + per_billion * self._billions(wildcards)) * (1 + attempt) / 2),
            "wildcards",
            "attempt",
        )

    def _billions(self, wildcards: Any) -> float:
        student = getattr(wildcards, "student", None)
        return (self.config.models[student].billions if student else None) or 1.0


def signed(function: Callable[..., Any], *parameters: str) -> Callable[..., Any]:
    """Return a function that states its parameters: Snakemake asks for them for each job, a tenth of a plan's time."""
    function.__signature__ = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in parameters])
    return function


def one_of(names: Iterable[str]) -> str:
    """Return a pattern for exactly these names; for none it matches nothing."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"
