"""The study that a config describes: what is selected, where it is kept, what each job depends on.

Made once, when the workflow is read (rules/common.smk). Pure and cheap: no Snakemake, no torch; it reads the config and
the files that it names. Rules, the command line and tests ask the same object. No script imports it: a change here makes
something stale only through the specs and paths that it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from thinksafe.config.types import Config
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
from thinksafe.study.training_sets import TrainingSets

ENGINES = {
    "transformers": "thinksafe/inference/transformers_engine.py",
    "vllm": "thinksafe/inference/vllm_engine.py",
}
WORLD = {"thinksafe/miniature/oracle.py", "thinksafe/miniature/world.py"}


class Study:
    """Everything that follows from a config.

    Parameters
    ----------
    config : of one run, with the hub's commits filled in (thinksafe/hub/lock.py)
    claims : what config/claims.yaml holds
    local : wraps a path of this machine that no rule makes, as Snakemake's ``local`` does

    Raises
    ------
    ClaimError
        If the claims cannot be read.
    """

    def __init__(self, config: Config, claims: Mapping[str, Any], local: Callable[[str], Any] = str) -> None:
        self.config = config
        self.selection = Selection(config)
        self.sets = TrainingSets(self.selection)
        self.paths = Paths(self.selection, self.sets, local)
        self.paper = Paper(self.selection, self.sets, self.paths)
        self.claims = Claims(self.paper, claims)
        self.report = Report(self.paper)
        self.spec = Specs(self.claims, self.report)
        self.cells, self.table, self.figure = self.selection.cells, self.paper.table, self.paper.figure
        self.outputs, self.code = self.paper.outputs, cache(self._code)

    # ------------------------------------------------------------ what a job depends on (docs/staleness.md)
    def depends(self, rule: str, wildcards: Mapping[str, str]) -> dict[str, str]:
        """Return all that a job depends on besides its inputs, as three canonical texts: spec, code, environment."""
        wildcards = dict(wildcards)
        method = getattr(self.spec, rule, None) or getattr(self.spec, script_of(rule))
        return {
            # A source on this machine has its content's digest beside it.
            "spec": canonical(with_contents(method(**wildcards))),
            "code": self.code(rule, **self._variant(rule, wildcards)),
            "environment": self.environment(rule, wildcards),
        }

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

    def environment(self, rule: str, wildcards: Mapping[str, str] = {}) -> str:
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
