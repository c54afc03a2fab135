"""What `snakemake all` and each named target make: table1, figure12, ablation_steering, claims, report, ..."""

from functools import cached_property
from typing import Any

from thinksafe import layout
from thinksafe.config.settings import read
from thinksafe.layout import RESULTS
from thinksafe.provenance.digests import ROOT
from thinksafe.study.paper import AVERAGES, COMPANIONS, GAINS, LENGTHS, SCORES, WILDGUARD, Paper

TARGETS: dict[str, str] = read(ROOT / "rules/targets.yaml")  # with what each makes
# Targets that make artifacts of other names.
ARTIFACTS = {
    "ablation_steering": {"figures/figure13"},
    "ablation_no_reasoning": {"figures/figure4", "figures/figure11"},
    "ablation_teachers": {"figures/figure5", "figures/figure6", "figures/figure12"},
    "ablation_rejection": {"figures/figure7", "tables/effects"},
    "ablation_guard": {"tables/table6", "tables/table7"},
    "judge_study": {"judge-study", "figures/judge-study"},
}


class NothingSelected(ValueError):  # noqa: N818 - says what is missing, not that something broke
    """The selection lacks what a target or a claim needs."""


class Targets:
    """The files of the named targets under one selection."""

    def __init__(self, paper: Paper) -> None:
        self.paper, self.selection, self.config = paper, paper.selection, paper.config

    def main_tables(self) -> list[str]:
        """Return the numbers of the tables of families that have a student: 1 and 2, with WildGuard 6 and 7."""
        companions = COMPANIONS if WILDGUARD in self.selection.methods else ()
        return [number for number in (*self.paper.families, *companions) if self.paper.table(number).students]

    def family_tables(self) -> list[str]:
        """Return the files of those tables."""
        return [
            f"{layout.TABLE.in_run(name=f'table{n}')}.{ending}" for n in self.main_tables() for ending in ("csv", "md")
        ]

    @cached_property
    def all(self) -> list[str]:
        """Return every table, figure and summary that the selection has something for."""
        paper, sampled = self.paper, not self.config.use_paper_scores
        tables, figures = self.family_tables(), {"1": bool(paper.table(1).students)}
        compared = [*(n for n in SCORES if n in self.main_tables()), *(["3"] if sampled else [])]
        beside = [number for number in compared if paper.beside_students(number)]
        tables += [f"{layout.TABLE.in_run(name=f'table{number}')}-beside-paper.csv" for number in beside]
        if sampled:
            others: dict[str, Any] = {
                "table4": self.selection.arms(trained=True),
                "table5": paper.sets.steerings_used(),
                "table3": paper.table3_students(),
                "effects": paper.effect_students(),
            }
            tables += [f"{layout.TABLE.in_run(name=name)}.md" for name, shown in others.items() if shown]
            figures |= {number: bool(paper.thinksafe_students(family)) for number, family in LENGTHS.items()}
            figures |= {number: bool(paper.figure(number).students) for number in (*AVERAGES, *GAINS)}
            figures["8"] = len(paper.figure8_methods()) > 2  # ThinkSafe and rejection sampling alone are no comparison
            figures["2"] = paper.figure2()[0] is not None
        files = [*tables, *(f"{layout.FIGURE.in_run(name=f'figure{n}')}.png" for n, shown in figures.items() if shown)]
        if self.config.judge_study.in_all:
            files += self.judge_study()
        return [*files, f"{RESULTS}/claims.json"] if self.selection.cells() else files

    def judge_study(self) -> list[str]:
        """Return the files of the judge study."""
        files = [f"{RESULTS}/judge-study.md", f"{layout.FIGURE.in_run(name='judge-study')}.png"]
        return files if self.paper.judged_cells() else []

    def _collections(self) -> dict[str, list[str]]:
        """Return the files of targets that are more than the artifacts of a name."""
        paths, sets, arms = self.paper.paths, self.paper.sets, self.selection.arms(trained=True)
        chat = [f"{RESULTS}/chat/{student}.md" for student in self.selection.students]
        dataset = [*chat, *(paths.set_of(*arm) for arm in arms if arm.method in sets.with_data)]
        adapter = [*dataset, *paths.adapters(arms)]
        return {
            **{"chat": chat, "dataset": dataset, "adapter": adapter, "evaluation": [*adapter, *self.family_tables()]},
            **{name: [path for path in self.all if f"/{name}/" in path] for name in ("tables", "figures")},
            "report": [f"{RESULTS}/report/index.html"],
            "appendix": [f"{RESULTS}/appendix.md", f"{RESULTS}/checklist.md"],
        }

    def files_of(self, target: str) -> list[str]:
        """Return the files of a named target; raise NothingSelected if the selection has nothing for it."""
        collections = self._collections()
        if target in collections:
            return collections[target]
        artifacts = ARTIFACTS.get(target, {target, f"tables/{target}", f"figures/{target}"})
        files = dict.fromkeys([*self.all, *self.judge_study()])
        found = [path for path in files if artifact_of(path) in artifacts]
        if not found:
            raise NothingSelected(
                f"{target}: the selection has nothing for it. Add the students, methods and benchmarks that it "
                "compares to `select` (docs/methods.md)"
            )
        return found


def artifact_of(path: str) -> str:
    """Return an output's path in the run's folder without its ending; a table beside the paper's is the table."""
    return path.removeprefix(f"{RESULTS}/").partition(".")[0].removesuffix("-beside-paper")
