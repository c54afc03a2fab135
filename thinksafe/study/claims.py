"""What each claim of the paper needs of a run: the cells, training sets and tables that decide it (docs/claims.md)."""

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

from thinksafe import layout
from thinksafe.analysis.claims import at_least, cells_read, check_metrics, read_claims, students_counted
from thinksafe.analysis.scores import AVERAGES
from thinksafe.layout import RESULTS
from thinksafe.provenance.digests import canonical
from thinksafe.study.paper import LENGTHS
from thinksafe.study.selection import Arm, Cell
from thinksafe.study.targets import NothingSelected, Targets, artifact_of

# Metrics that no score has, and the table that has them.
METRIC_TABLES = {
    "filtered_out_pct_harmful": "table3",
    "filtered_out_pct_benign": "table3",
    "unsafe_pct_train_harmful": "effects",
    "perplexity": "figure8",
    "mean_tokens_harmful": "lengths",
    "mean_tokens_benign": "lengths",
    "train_hours": "cost",
    "generation:train_hours": "cost",
}
# The tables that all claims together need, and the artifact of `all` that comes with each.
TABLES = {
    "table3": "tables/table3",
    "effects": "tables/effects",
    "figure8": "figures/figure8",
    "figure9": "figures/figure9",
    "figure10": "figures/figure10",
    "cost": "figures/figure3",
}


class Claims:
    """The claims of config/claims.yaml under one selection.

    Raises
    ------
    ClaimError
        If the claims cannot be read, or name a metric that does not exist.
    """

    def __init__(self, targets: Targets, claims: Mapping[str, Any]) -> None:
        self.targets, self.paper, self.all = targets, targets.paper, claims
        self.selection, self.config = self.paper.selection, self.paper.config
        families = list(self.config.families)
        self.read, sets = read_claims(claims, families)
        check_metrics(self.read, sets, families, {*self.config.benchmarks, *AVERAGES, *METRIC_TABLES})
        self.own_sets = {
            "students": sorted(self.selection.students),
            **{family: sorted(self.selection.students_of(family)) for family in families},
        }
        self.students_over, self.needs_of = cache(self.students_over), cache(self.needs_of)

    @cached_property
    def _arms(self) -> dict[str, list[Arm]]:
        """Return the arms that a run's tables of other metrics than scores are about."""
        paper, arms = self.paper, self.selection.arms(trained=True)
        return {
            "table3": paper.table3_arms(),
            "effects": paper.effect_arms(),
            "figure8": paper.figure8_arms(),
            "lengths": [arm for figure in LENGTHS for arm in paper.lengths_arms(figure)],
            "cost": [arm for arm in arms if paper.sets.samples_itself(arm.student, arm.method)],
        }

    # ------------------------------------------------------------ what a claim needs
    def is_in_run(self, cell: tuple[str, str, str]) -> bool:
        """Return whether a run has student, method and metric by its config."""
        student, method, metric = cell
        if table := METRIC_TABLES.get(metric):
            arms = [] if self.config.use_paper_scores else self._arms[table]
            return any(arm[:2] == (student, method) for arm in arms)
        if student not in self.selection.students or method not in self.selection.methods_of(student):
            return False
        return set(AVERAGES.get(metric, [metric])) <= set(self.selection.benchmarks)

    def students_over(self, claim: str) -> dict[str, Any]:
        """Return the students that count in a claim by the sets that they are in; none for the paper's numbers."""
        if self.config.use_paper_scores:
            return {}
        return students_counted(self.read[claim].predicate, self.all["sets"], self.own_sets, self.is_in_run)

    def needs_of(self, claim: str) -> list[tuple[str, str, str]]:
        """Return the run's student, method and metric that decide a claim; of the paper's numbers, those printed.

        Raises NothingSelected, with what is missing, if it cannot be decided.
        """
        predicate, over = self.read[claim].predicate, self.students_over(claim)
        sets = {**self.all["sets"], **self.own_sets, **over}
        cells = sorted({cell for cell in cells_read(predicate, sets, correlated=True) if self.is_in_run(cell)})
        if self.config.use_paper_scores:
            return cells
        missing = sorted({cell for cell in cells_read(predicate, sets) if not self.is_in_run(cell)})
        students = min(map(len, over.values()), default=len(self.own_sets["students"]))
        if not cells or missing or at_least(predicate) > students:
            some = "; ".join(" ".join(cell) for cell in missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise NothingSelected(
                f"claim_{claim}: this run cannot decide it, as it lacks {some or 'the students that it counts'}. "
                "Add the students, methods and benchmarks to `select` (docs/claims.md)"
            )
        return cells

    def cells(self, claim: str | None = None) -> list[Cell]:
        """Return the scored cells that decide a claim, or all, in an order that does not follow the selection's."""
        cells = sorted(self.selection.cells(), key=lambda cell: canonical(cell._asdict()))
        if claim is None:
            return cells
        wanted = {
            (student, method, benchmark)
            for student, method, metric in self.needs_of(claim)
            if metric not in METRIC_TABLES
            for benchmark in AVERAGES.get(metric, [metric])
        }
        return [cell for cell in cells if (cell.student, cell.method, cell.benchmark) in wanted]

    def arms(self, claim: str, table: str) -> list[Arm]:
        """Return the arms that a claim needs in a table."""
        wanted = {cell[:2] for cell in self.needs_of(claim) if METRIC_TABLES.get(cell[2]) == table}
        return [Arm(*pair, replicate) for pair in sorted(wanted) for replicate in self.selection.replicates]

    # ------------------------------------------------------------ files
    def tables(self, claim: str | None = None) -> list[str]:
        """Return the tables that a claim needs, each of the claim's own arms alone; or those of the run."""
        if self.config.use_paper_scores:
            return [f"{self.config.paper}/{name}.csv" for name in ("table3", "text_cells")]
        if claim is None:
            made = {artifact_of(path) for path in self.targets.all}
            return [f"{layout.TABLE.in_run(name=name)}.csv" for name, artifact in TABLES.items() if artifact in made]
        needed = sorted({METRIC_TABLES[metric] for *_, metric in self.needs_of(claim) if metric in METRIC_TABLES})
        return [f"{RESULTS}/claims/{claim}/{table}.csv" for table in needed]

    def files_of(self, claim: str) -> list[str]:
        """Return the file with the verdict on one claim, after a check that the claim can be decided."""
        self.needs_of(claim)
        return [f"{RESULTS}/claims/{claim}.json"]

    def scores(self, claim: str | None = None, ending: str = ".json") -> list[str]:
        """Return the scores that decide a claim, or all; there are no rows behind the paper's numbers."""
        if ending == ".parquet" and self.config.use_paper_scores:
            return []
        return self.paper.paths.scores(self.cells(claim), ending)

    def spec(self, claim: str | None = None) -> dict[str, Any]:
        """Return what a verdict takes from config, for one claim or all."""
        names = [claim] if claim else list(self.all["claims"])
        kinds = self.config.benchmarks
        return {
            "cells": [cell._asdict() for cell in self.cells(claim)],
            "students": [[student, student] for student in self.own_sets["students"]],
            "methods": [[method, method] for method in sorted(self.selection.methods)],
            "benchmarks": [{"id": name, "kind": kinds[name].kind} for name in sorted(self.selection.benchmarks)],
            "families": {family: self.own_sets[family] for family in self.config.families},
            "confidence": self.config.scoring.confidence,
            "use_paper_scores": self.config.use_paper_scores,
            "claims": {**self.all, "claims": {name: self.all["claims"][name] for name in names}},
            "over": {name: over for name in names if (over := self.students_over(name))},
        }
