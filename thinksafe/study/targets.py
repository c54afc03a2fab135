"""What `snakemake all` and each named target make: table1, figure12, ablation_steering, claims, report, ..."""

from functools import cached_property
from typing import Any

from thinksafe import layout
from thinksafe.layout import RESULTS
from thinksafe.study.paper import AVERAGES, COMPANIONS, GAINS, LENGTHS, SCORES, WILDGUARD, Paper

TARGETS = {
    # steps of one's own model (docs/own-model.md)
    "chat": "The chat format found in each student's files, before anything is sampled.",
    "dataset": "The training sets of all methods.",
    "adapter": "The adapters of all methods.",
    "evaluation": "The tables of each family: every adapter on every benchmark.",
    # pages and collections
    "tables": "Every table that the selection has something for.",
    "figures": "Every figure that the selection has something for.",
    "report": "The run as one page that opens offline: results/<run>/report/index.html (docs/report.md).",
    "appendix": "Facts that reviewers ask for: results/<run>/appendix.md and checklist.md (docs/appendix.md).",
    # the paper's tables and figures
    "table1": "Safety and reasoning of every method on the Qwen3 students (Table 1).",
    "table2": "The same on the R1-Distill students (Table 2).",
    "table3": "Fraction of responses that the guard filters out (Table 3).",
    "table4": "What each method was trained on, and for how long (Table 4).",
    "table5": "The instructions to refuse (Table 5).",
    "table6": "Table 1 with another guard as filter beside it (Table 6).",
    "table7": "Table 2 with another guard as filter beside it (Table 7).",
    "figure1": "Safety against reasoning of every method (Figure 1).",
    "figure2": "A harmful prompt answered directly, by a teacher, and under steering (Figure 2, from real samples).",
    "figure3": "ThinkSafe against online reinforcement learning, with its cost (Figure 3).",
    "figure4": "Refusals without reasoning, R1-Distill (Figure 4).",
    "figure5": "Larger teachers of the student's family (Figure 5).",
    "figure6": "Teachers of the other family, smaller students (Figure 6).",
    "figure7": "Rejection sampling instead of refusal steering (Figure 7).",
    "figure8": "Perplexity of each training set under the untrained student (Figure 8).",
    "figure9": "Numbers and lengths of the kept responses, Qwen3 (Figure 9).",
    "figure10": "Numbers and lengths of the kept responses, R1-Distill (Figure 10).",
    "figure11": "Refusals without reasoning, Qwen3 (Figure 11).",
    "figure12": "Teachers of the other family, larger students (Figure 12).",
    "figure13": "Steering strategies (Figure 13).",
    # ablations, claims and judges
    "ablation_steering": "Does the wording of the steering matter (Figure 13).",
    "ablation_no_reasoning": "Do refusals need their reasoning (Figures 4, 11).",
    "ablation_teachers": "Is one's own data better than a teacher's (Figures 5, 6, 12).",
    "ablation_rejection": "Is steering needed at all (Figure 7).",
    "ablation_guard": "Does the filter's guard matter (Tables 6, 7).",
    "claims": "What the run says of each claim of the paper (docs/claims.md).",
    "judge_study": "The same stored answers under both guards and both views (docs/judges.md).",
}
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
    """The selection has nothing for a target."""


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
        sampled, tables, figures = not self.config.use_paper_scores, self.family_tables(), {}
        compared = [*(n for n in SCORES if n in self.main_tables()), *(["3"] if sampled else [])]
        beside = [number for number in compared if self.paper.beside_students(number)]
        tables += [f"{layout.TABLE.in_run(name=f'table{number}')}-beside-paper.csv" for number in beside]
        if sampled:
            tables += [f"{layout.TABLE.in_run(name=name)}.md" for name, shown in self._other_tables().items() if shown]
            figures = self._other_figures()
        figures = {"1": self.paper.table(1).students} | figures
        files = [*tables, *(f"{layout.FIGURE.in_run(name=f'figure{n}')}.png" for n, shown in figures.items() if shown)]
        if self.config.judge_study.in_all:
            files += self.judge_study()
        return [*files, f"{RESULTS}/claims.json"] if self.selection.cells() else files

    def _other_tables(self) -> dict[str, Any]:
        return {
            "table4": self.selection.arms(trained=True),
            "table5": self.paper.sets.steerings_used(),
            "table3": self.paper.table3_students(),
            "effects": self.paper.effect_students(),
        }

    def _other_figures(self) -> dict[str, Any]:
        return {
            **{number: self.paper.thinksafe_students(family) for number, family in LENGTHS.items()},
            **{number: self.paper.figure(number).students for number in (*AVERAGES, *GAINS)},
            "8": len(self.paper.figure8_methods()) > 2,  # ThinkSafe and rejection sampling alone are no comparison
            "2": self.paper.figure2()[0],
        }

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
        """Return the files of a named target.

        Raises
        ------
        NothingSelected
            If the selection has nothing for it.
        """
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
