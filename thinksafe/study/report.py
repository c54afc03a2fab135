"""What the run's page and its appendix read: tables, answers, and the identities of all that is behind the cells."""

from functools import cached_property
from pathlib import Path

from thinksafe import layout
from thinksafe.config.consistency import KINDS
from thinksafe.files import IDENTITY
from thinksafe.layout import RESULTS
from thinksafe.study.selection import Arm, Cell
from thinksafe.study.targets import Targets, artifact_of


class Report:
    """The inputs of the page (docs/report.md) and of the appendix (docs/appendix.md)."""

    def __init__(self, targets: Targets) -> None:
        self.targets, self.paper, self.paths = targets, targets.paper, targets.paper.paths
        self.selection, self.config = targets.selection, targets.config
        # What the run samples and trains; nothing where the scores are the paper's.
        sampled = not self.config.use_paper_scores
        self.cells = self.selection.cells() if sampled else []
        self.arms = self.selection.arms(trained=True) if sampled else []

    # ------------------------------------------------------------ what is shown
    @cached_property
    def tables(self) -> list[str]:
        """Return the tidy tables that the selection has something for, those beside the paper's last."""
        beside = [path for path in self.targets.all if path.endswith("-beside-paper.csv")]
        names = {Path(artifact_of(path)).name for path in self.targets.all if "/tables/" in path or "/figures/" in path}
        names -= {"figure1", "figure2", "judge-study"}  # drawn from other files
        names |= {"cost"} if self.arms else set()
        return [*(f"{layout.TABLE.in_run(name=name)}.csv" for name in sorted(names)), *beside]

    @property
    def own_tables(self) -> list[str]:
        """Return the tables of the run's own numbers that do not differ from run to run."""
        return [path for path in self.tables if not path.endswith(("-beside-paper.csv", "/cost.csv"))]

    @property
    def claims(self) -> list[str]:
        """Return the summary of the claims, if the selection has one."""
        return [path for path in self.targets.all if path == f"{RESULTS}/claims.json"]

    @property
    def prompts(self) -> list[str]:
        """Return the benchmarks' prompts."""
        return [
            f"{layout.BENCHMARK.in_run(benchmark=name)}.parquet" for name in self.selection.benchmarks if self.cells
        ]

    @cached_property
    def answers(self) -> list[str]:
        """Return the answers of all cells."""
        return [path for cell in self.cells for path in self.paths.answers_of(cell)]

    @cached_property
    def verdicts(self) -> list[str]:
        """Return the verdicts that count, of all cells."""
        safety = [cell for cell in self.cells if self.config.benchmarks[cell.benchmark].decoding == "safety"]
        return [path for cell in safety for path in self.paths.verdicts_of(cell)]

    # ------------------------------------------------------------ further judges
    def audits_of(self, benchmark: str) -> list[str]:
        """Return the further guards that judge a benchmark beside its own, as far as they can."""
        entry = self.config.benchmarks[benchmark]
        able = KINDS.get(entry.kind, ())
        return [g for g in self.config.audit if g != entry.guard and self.config.guards[g].kind in able]

    def audit_verdicts(self, cell: Cell) -> list[str]:
        """Return the verdicts of those guards on a cell."""
        return [path for guard in self.audits_of(cell.benchmark) for path in self.paths.verdicts_of(cell, guard)]

    @property
    def judge_verdicts(self) -> list[str]:
        """Return the verdicts of every judge on every cell of the judge study."""
        pairs = [(cell, judge) for cell in self.paper.judged_cells() for judge in self.paper.judges()]
        return [path for cell, judge in pairs for path in self.paths.verdicts_of(cell, *judge)]

    # ------------------------------------------------------------ what is behind it
    @cached_property
    def identities(self) -> list[str]:
        """Return the identities of what is behind the cells, as far as the page shows their lineage."""
        sets, files = self.paper.sets, [*self.answers, *self.verdicts, *self.prompts]
        files += [path for cell in self.cells for path in self.audit_verdicts(cell)]
        if self.config.judge_study.in_all:
            files += self.judge_verdicts
        sampled = self.paper.cost_files(self.arms)
        prompts = {Path(path).parent.name for path in sampled if path.startswith(f"{RESULTS}/responses/")}
        files += [f"{layout.PROMPTS.in_run(prompts=role)}.parquet" for role in prompts]
        for arm in self.arms:
            halves = sets.halves_of(arm.student, arm.method).values()
            released = [Arm(*half, arm.replicate) for half in halves if sets.is_released(*half)]
            data = self.config.methods[arm.method].data
            files += self.paths.training_sets(released)
            files += [self.paths.set_of(*arm)] if data and data.corpus else []
        found = {path.removesuffix(".parquet") + IDENTITY for path in files}
        return sorted({*found, *sampled, *self.paths.scores(self.cells, IDENTITY)})

    @cached_property
    def appendix_identities(self) -> list[str]:
        """Return the identities of all that the run trains, samples, judges and scores, and of the models it builds."""
        parts = {part for path in self.identities for part in Path(path).parts}
        guards = sorted(part.removeprefix("by-") for part in parts if part.startswith("by-"))
        built = [path for name in [*self.selection.students, *guards] for path in self.paths.of_model(name)]
        return sorted({*self.identities, *(path for path in built if str(path).endswith(IDENTITY))})
