"""What the run's page and its appendix read: tables, answers, and the identities of all that is behind the cells."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from thinksafe.config.consistency import KINDS
from thinksafe.files import IDENTITY
from thinksafe.study.paper import RESULTS, Paper, stem_of
from thinksafe.study.selection import Arm, Cell


class Report:
    """The inputs of the page (docs/report.md) and of the appendix (docs/appendix.md)."""

    def __init__(self, paper: Paper) -> None:
        self.paper, self.paths, self.selection, self.config = paper, paper.paths, paper.selection, paper.config
        self.sampled = not self.config.use_paper_scores  # there is nothing behind the paper's own numbers

    @cached_property
    def tables(self) -> list[str]:
        """Return the tidy tables that the selection has something for, those beside the paper's last."""
        made = self.paper.outputs()
        names = {stem_of(path).rpartition("/")[2] for path in made if "/tables/" in path or "/figures/" in path}
        names -= {"figure1", "figure2", "judge-study"}  # drawn from other files
        if self.sampled and self.selection.arms(trained=True):
            names.add("cost")
        beside = [path for path in made if path.endswith("-beside-paper.csv")]
        return [*(f"{self.paths.table(name=name)}.csv" for name in sorted(names)), *beside]

    @property
    def own_tables(self) -> list[str]:
        """Return the tables of the run's own numbers, which do not differ from run to run."""
        return [path for path in self.tables if not path.endswith(("-beside-paper.csv", "/cost.csv"))]

    @property
    def rows(self) -> list[str]:
        """Return the rows behind the scores of all cells."""
        return self.paths.scores(self.selection.cells(), ".parquet") if self.sampled else []

    @property
    def prompts(self) -> list[str]:
        """Return the benchmarks' prompts."""
        names = self.selection.benchmarks if self.sampled else []
        return [f"{self.paths.benchmark(benchmark=name)}.parquet" for name in names]

    @property
    def adapters(self) -> list[str]:
        """Return the identities of all adapters, beside which are the training curves."""
        return self.paths.adapters(self.selection.arms(trained=True)) if self.sampled else []

    @cached_property
    def answers(self) -> list[str]:
        """Return the answers of all cells."""
        return [path for cell in self.selection.cells() if self.sampled for path in self.paths.answers_of(cell)]

    @cached_property
    def verdicts(self) -> list[str]:
        """Return the verdicts that count, of all cells."""
        cells = [cell for cell in self.selection.cells() if self.config.benchmarks[cell.benchmark].decoding == "safety"]
        return [path for cell in cells if self.sampled for path in self.paths.verdicts_of(cell)]

    @cached_property
    def claims(self) -> list[str]:
        """Return the summary of the claims, if the selection has one."""
        return [path for path in self.paper.outputs() if path == f"{RESULTS}/claims.json"]

    @cached_property
    def identities(self) -> list[str]:
        """Return the identities of what is behind the cells, as far as the page shows their lineage."""
        if not self.sampled:
            return []
        cells, arms, sets = self.selection.cells(), self.selection.arms(trained=True), self.paper.sets
        files = [*self.answers, *self.verdicts]
        files += [path for cell in cells for path in self.audit_verdicts(cell)]
        files += self.prompts
        if self.config.judge_study.in_all:
            files += self.judge_verdicts
        behind = [path for _, path in self.paper.cost_jobs(arms)]
        prompts = {Path(path).parent.name for path in behind if path.startswith(f"{RESULTS}/responses/")}
        files += [f"{self.paths.prompts(prompts=role)}.parquet" for role in prompts]
        for arm in arms:
            halves = sets.halves_of(arm.student, arm.method).values()
            files += [
                f"{self.paths.training_set(Arm(*half, arm.replicate))}.parquet"
                for half in halves
                if sets.is_released(*half)
            ]
            data = self.config.methods[arm.method].data
            files += [self.paths.set_of(*arm)] if data and data.corpus else []
        found = {path.removesuffix(".parquet") + IDENTITY for path in files}
        return sorted({*found, *behind, *self.paths.scores(cells, IDENTITY)})

    @cached_property
    def appendix_identities(self) -> list[str]:
        """Return the identities of all that the run trains, samples, judges and scores, and of the models it builds."""
        guards = {
            part.removeprefix("by-") for path in self.identities for part in Path(path).parts if part.startswith("by-")
        }
        built = [path for name in [*self.selection.students, *sorted(guards)] for path in self.paths.of_model(name)]
        return sorted({*self.identities, *(path for path in built if str(path).endswith(IDENTITY))})

    @property
    def judge_verdicts(self) -> list[str]:
        """Return the verdicts of every judge on every cell of the judge study."""
        return [
            path
            for cell in self.paper.judged_cells()
            for judge in self.paper.judges()
            for path in self.paths.verdicts_of(cell, *judge)
        ]

    def audit_verdicts(self, cell: Cell) -> list[str]:
        """Return the verdicts of those guards on a cell."""
        return [path for guard in self.audits_of(cell.benchmark) for path in self.paths.verdicts_of(cell, guard)]

    def audits_of(self, benchmark: str) -> list[str]:
        """Return the further guards that judge a benchmark beside its own, as far as they can."""
        entry = self.config.benchmarks[benchmark]
        able = KINDS.get(entry.kind, ())
        return [g for g in self.config.audit if g != entry.guard and self.config.guards[g].kind in able]
