"""The files of a run, as rules name them: ``<results>/`` stands for the run's folder (layout: thinksafe/layout.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from thinksafe import layout
from thinksafe.files import IDENTITY
from thinksafe.layout import Pattern
from thinksafe.study.selection import ROLES, Arm, Cell, Selection
from thinksafe.study.training_sets import TrainingSets

RESULTS = "<results>"


def _here(pattern: Pattern) -> Pattern:
    return Pattern(f"{RESULTS}/{pattern}")


class Paths:
    """Patterns of the artifacts of a run, and the lists of files that rules take as input.

    Parameters
    ----------
    local : wraps a path of this machine that no rule makes, as Snakemake's ``local`` does.
    """

    prompts = _here(layout.PROMPTS)
    benchmark = _here(layout.BENCHMARK)
    corpus = _here(layout.CORPUS)
    model = _here(layout.MODEL)
    responses = _here(layout.RESPONSES)
    response_verdicts = _here(layout.RESPONSE_VERDICTS)
    training_set = _here(layout.TRAINING_SET)
    adapter = _here(layout.ADAPTER)
    answers = _here(layout.ANSWERS)
    answer_verdicts = _here(layout.ANSWER_VERDICTS)
    view_verdicts = _here(layout.VIEW_VERDICTS)
    score = _here(layout.SCORE)
    perplexity = _here(layout.PERPLEXITY)
    table = _here(layout.TABLE)
    figure = _here(layout.FIGURE)

    def __init__(self, selection: Selection, sets: TrainingSets, local: Callable[[str], Any] = str) -> None:
        self.selection, self.sets, self.config, self.local = selection, sets, selection.config, local

    # ------------------------------------------------------------ models and sources
    def of_model(self, name: str) -> list[Any]:
        """Return the files that stand for a model or guard among a job's inputs.

        A model on the hub has none: its revision is in the spec.
        """
        source = (self.config.models.get(name) or self.config.guards[name]).source
        if source and source.built:
            return [f"{self.model(model=name)}{IDENTITY}"]
        if source and source.folder:
            return [self.local(str(path)) for path in sorted(Path(source.folder).iterdir()) if path.is_file()]
        return []

    def guard_format(self, guard: str) -> list[Any]:
        """Return the file with a guard's question, for a guard whose tokenizer has no template for it."""
        path = self.config.guards[guard].format
        return [self.local(path)] if path else []

    def of_source(self, part: Any) -> list[Any]:
        """Return the file behind a set of rows, if it has one."""
        source = part.source if part else None
        if source is None:
            return []
        if source.published:
            return [f"{RESULTS}/published/{source.published}"]
        if source.world:
            return [f"{RESULTS}/world/{source.world}.parquet"]
        return [self.local(source.file)] if source.file else []

    # ------------------------------------------------------------ training
    def raw(self, pattern: Pattern, student: str, method: str, replicate: int, role: str) -> list[str]:
        """Return the shards of one role's raw responses behind a training set, or of the verdicts on them."""
        raw, guard = self.sets.raw(student, method, role, replicate), self.config.methods[method].data.guard
        return [pattern(raw, guard=guard, shard=shard) for shard in range(self.config.shards.data)]

    def raw_responses(self, *arm: Any, role: str = "harmful") -> list[str]:
        """Return the shards of the raw responses behind one half of a sampled training set."""
        return [f"{path}.parquet" for path in self.raw(self.responses, *arm, role=role)]

    def raw_verdicts(self, *arm: Any, role: str = "harmful") -> list[str]:
        """Return the shards of the filtering guard's verdicts on those."""
        return [f"{path}.parquet" for path in self.raw(self.response_verdicts, *arm, role=role)]

    def set_of(self, student: str, method: str, replicate: int) -> str:
        """Return what a method trains on: what its student or a teacher has said, or a corpus that is everybody's."""
        data = self.config.methods[method].data
        if data.corpus:
            return f"{self.corpus(corpus=data.corpus)}.parquet"
        if data.teacher and method not in self.sets.derived:
            student, method = data.teacher, data.base_method
        return f"{self.training_set(Arm(student, method, replicate))}.parquet"

    def half(self, student: str, method: str, replicate: int, role: str) -> str:
        """Return the filtered set with one half of a derived one."""
        return f"{self.training_set(Arm(*self.sets.halves_of(student, method)[role], replicate))}.parquet"

    def trained_on(self, student: str, method: str, replicate: int) -> list[str]:
        """Return the files with the rows, or with GRPO the prompts, that an adapter is trained on."""
        grpo = self.config.methods[method].grpo
        if grpo is None:
            return [self.set_of(student, method, replicate)]
        if grpo.prompts == "filtered":
            return [f"{self.training_set(Arm(student, method, replicate))}.parquet"]
        return [f"{self.prompts(prompts=role)}.parquet" for role in ROLES]

    def adapters(self, arms: Iterable[Arm]) -> list[str]:
        """Return the identities of adapters."""
        return [f"{self.adapter(arm)}{IDENTITY}" for arm in arms]

    def training_sets(self, arms: Iterable[Arm], ending: str = ".parquet") -> list[str]:
        """Return training sets, or what else is kept beside them."""
        return [f"{self.training_set(arm)}{ending}" for arm in arms]

    def perplexities(self, arms: Iterable[Arm]) -> list[str]:
        """Return the likelihoods of training sets under the untrained student."""
        return [f"{self.perplexity(arm)}.parquet" for arm in arms]

    # ------------------------------------------------------------ evaluation
    def of_adapter(self, student: str, method: str, replicate: int) -> list[str]:
        """Return the adapter that a cell is sampled with; the initial student has none."""
        return [] if method == "initial" else self.adapters([Arm(student, method, replicate)])

    def answers_of(self, cell: Cell) -> list[str]:
        """Return the shards of a cell's answers."""
        return [f"{self.answers(cell, shard=n)}.parquet" for n in self.selection.shards_of(cell.benchmark)]

    def verdicts_of(self, cell: Cell, guard: str | None = None, view: str | None = None) -> list[str]:
        """Return the shards of a guard's verdicts on a cell; of the benchmark's own guard and view by default."""
        guard = guard or self.config.benchmarks[cell.benchmark].guard
        own = view in (None, self.config.guards[guard].judged_text)
        pattern = self.answer_verdicts if own else self.view_verdicts
        shards = self.selection.shards_of(cell.benchmark)
        return [f"{pattern(cell, guard=guard, view=view, shard=n)}.parquet" for n in shards]

    def scores(self, cells: Iterable[Cell], ending: str = ".json") -> list[str]:
        """Return the scores of cells; with ``.parquet`` the rows per answer behind them."""
        return [f"{self.score(cell, kind=self.config.benchmarks[cell.benchmark].decoding)}{ending}" for cell in cells]

    def rows(self, cells: Sequence[Cell]) -> list[str]:
        """Return the rows behind cells of several replicates, over which their intervals are computed; else nothing."""
        return self.scores(cells, ".parquet") if len(self.selection.replicates) > 1 else []
