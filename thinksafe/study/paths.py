"""The files of a run that rules take as input (their patterns: thinksafe/layout.py)."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from thinksafe import layout
from thinksafe.files import IDENTITY
from thinksafe.layout import RESULTS, Pattern
from thinksafe.study.selection import ROLES, Arm, Cell, Selection
from thinksafe.study.training_sets import TrainingSets


class Paths:
    """Lists of files under one selection; ``local`` wraps a path of this machine that no rule makes (see `Study`)."""

    def __init__(self, selection: Selection, sets: TrainingSets, local: Callable[[str], Any] = str) -> None:
        self.selection, self.sets, self.config, self.local = selection, sets, selection.config, local

    # ------------------------------------------------------------ models and sources
    def of_model(self, name: str) -> list[Any]:
        """Return the files of a model or guard; one on the hub has none, as its revision is in the spec."""
        source = (self.config.models.get(name) or self.config.guards[name]).source
        if source and source.built:
            return [f"{layout.MODEL.in_run(model=name)}{IDENTITY}"]
        if source and source.folder:
            return [self.local(str(path)) for path in sorted(Path(source.folder).iterdir()) if path.is_file()]
        return []

    def guard_format(self, guard: str) -> list[Any]:
        """Return the file with a guard's question, for a guard whose tokenizer has no template for it."""
        path = self.config.guards[guard].format
        return [self.local(path)] if path else []

    def of_source(self, part: Any) -> list[Any]:
        """Return the file behind a set of rows, if it has one."""
        if part is None:
            return []
        if part.source.published:
            return [f"{RESULTS}/published/{part.source.published}"]
        if part.source.world:
            return [f"{RESULTS}/world/{part.source.world}.parquet"]
        return [self.local(part.source.file)] if part.source.file else []

    # ------------------------------------------------------------ training
    def raw(
        self,
        pattern: Pattern,
        student: str,
        method: str,
        replicate: int,
        role: str = "harmful",
        ending: str = ".parquet",
    ) -> list[str]:
        """Return the shards of the raw responses, or of the verdicts on them, behind one half of a training set.

        ``pattern`` is `layout.RESPONSES` or `layout.RESPONSE_VERDICTS`.
        """
        data = self.config.methods[method].data
        half = getattr(data, role)
        fields = {"student": student, "steering": half.steering, "samples": half.samples, "replicate": replicate}
        return [
            f"{pattern.in_run(fields, prompts=role, guard=data.guard, shard=shard)}{ending}"
            for shard in range(self.config.shards.data)
        ]

    def set_of(self, student: str, method: str, replicate: int) -> str:
        """Return the training set of a method: its student's or a teacher's, or a corpus that all students share."""
        data = self.config.methods[method].data
        if data.corpus:
            return f"{layout.CORPUS.in_run(corpus=data.corpus)}.parquet"
        if data.teacher and method not in self.sets.derived:
            student, method = data.teacher, data.base_method
        return f"{layout.TRAINING_SET.in_run(Arm(student, method, replicate))}.parquet"

    def half(self, student: str, method: str, replicate: int, role: str) -> str:
        """Return the filtered set with one half of a derived one."""
        return f"{layout.TRAINING_SET.in_run(Arm(*self.sets.halves_of(student, method)[role], replicate))}.parquet"

    def trained_on(self, student: str, method: str, replicate: int) -> list[str]:
        """Return the files with the rows, or with GRPO the prompts, that an adapter is trained on."""
        grpo = self.config.methods[method].grpo
        if grpo is None or grpo.prompts == "filtered":
            return [self.set_of(student, method, replicate)]
        return [f"{layout.PROMPTS.in_run(prompts=role)}.parquet" for role in ROLES]

    def adapters(self, arms: Iterable[Arm]) -> list[str]:
        """Return the identities of adapters; the initial student has none."""
        return [f"{layout.ADAPTER.in_run(arm)}{IDENTITY}" for arm in arms if arm.method != "initial"]

    def training_sets(self, arms: Iterable[Arm], ending: str = ".parquet") -> list[str]:
        """Return filtered training sets, or files beside them."""
        return [f"{layout.TRAINING_SET.in_run(arm)}{ending}" for arm in arms]

    def perplexities(self, arms: Iterable[Arm]) -> list[str]:
        """Return the likelihoods of training sets under the untrained student."""
        return [f"{layout.PERPLEXITY.in_run(arm)}.parquet" for arm in arms]

    # ------------------------------------------------------------ evaluation
    def answers_of(self, cell: Cell) -> list[str]:
        """Return the shards of a cell's answers."""
        return [f"{layout.ANSWERS.in_run(cell, shard=n)}.parquet" for n in self.selection.shards_of(cell.benchmark)]

    def verdicts_of(self, cell: Cell, guard: str | None = None, view: str | None = None) -> list[str]:
        """Return the shards of a guard's verdicts on a cell; of the benchmark's own guard and view by default."""
        guard = guard or self.config.benchmarks[cell.benchmark].guard
        own = view in (None, self.config.guards[guard].judged_text)
        pattern = layout.ANSWER_VERDICTS if own else layout.VIEW_VERDICTS
        shards = self.selection.shards_of(cell.benchmark)
        return [f"{pattern.in_run(cell, guard=guard, view=view, shard=n)}.parquet" for n in shards]

    def scores(self, cells: Iterable[Cell], ending: str = ".json") -> list[str]:
        """Return the scores of cells; with ``.parquet`` the rows per answer behind them."""
        return [
            f"{layout.SCORE.in_run(cell, kind=self.config.benchmarks[cell.benchmark].decoding)}{ending}"
            for cell in cells
        ]

    def rows(self, cells: Sequence[Cell]) -> list[str]:
        """Return the rows behind cells of several replicates, over which their intervals are computed; else nothing."""
        return self.scores(cells, ".parquet") if len(self.selection.replicates) > 1 else []
