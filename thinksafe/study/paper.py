"""What each table and figure of the paper shows, for what a config selects, and the files that `all` makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from thinksafe.files import IDENTITY
from thinksafe.reporting.tables import read_csv
from thinksafe.study.paths import RESULTS, Paths
from thinksafe.study.selection import Arm, Cell, Selection
from thinksafe.study.training_sets import TrainingSets

COMPANIONS = {"6": "1", "7": "2"}  # tables with one more row, ThinkSafe filtered by another guard
STRATEGIES = ("thinksafe-suffix", "thinksafe-risk", "thinksafe-intent")  # steering, in the order of Table 5
LENGTHS = {"9": "qwen3", "10": "r1"}  # which family's lengths a figure shows
GAINS = ("5", "6", "12")
SMALLER = ("qwen3-1.7b", "r1-qwen-1.5b", "qwen3-mini", "r1-mini")  # Figure 6 shows these, Figure 12 all others
PUBLISHED_TEACHER = "safechain"  # another model's responses to the prompts that the students get (Sec. 2)
VIEWS = ("full", "answer")


@dataclass(frozen=True)
class Shown:
    """Students, methods and cells of one table or figure, in the order in which it shows them."""

    students: Sequence[str]
    methods: Sequence[str]
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Averages:
    """Which methods a figure of averages compares, and who must have them for it to say something."""

    methods: tuple[str, ...]
    required: tuple[str, ...]
    any_of: tuple[str, ...] = ()
    family: str | None = None


AVERAGES = {
    "3": Averages(
        ("initial", "thinksafe", "thinksafe-kl", "grpo"), ("initial", "thinksafe"), any_of=("thinksafe-kl", "grpo")
    ),
    "4": Averages(("thinksafe", "thinksafe-noreason"), ("thinksafe", "thinksafe-noreason"), family="r1"),
    "7": Averages(("initial", "rejection", "thinksafe"), ("initial", "rejection", "thinksafe")),
    "11": Averages(("thinksafe", "thinksafe-noreason"), ("thinksafe", "thinksafe-noreason"), family="qwen3"),
    "13": Averages(("thinksafe", *STRATEGIES), ("thinksafe",), any_of=STRATEGIES),
}


class Target(NamedTuple):
    """A name that `snakemake NAME` understands: what it makes, and the artifacts, without their endings."""

    text: str
    stems: tuple[str, ...]


TARGETS = {
    "table1": Target("Safety and reasoning of every method on the Qwen3 students (Table 1)", ("tables/table1",)),
    "table2": Target("The same on the R1-Distill students (Table 2)", ("tables/table2",)),
    "table3": Target("Fraction of responses that the guard filters out (Table 3)", ("tables/table3",)),
    "table4": Target("What each method was trained on, and for how long (Table 4)", ("tables/table4",)),
    "table5": Target("The instructions to refuse (Table 5)", ("tables/table5",)),
    "table6": Target("Table 1 with another guard as filter beside it (Table 6)", ("tables/table6",)),
    "table7": Target("Table 2 with another guard as filter beside it (Table 7)", ("tables/table7",)),
    "figure1": Target("Safety against reasoning of every method (Figure 1)", ("figures/figure1",)),
    "figure2": Target(
        "A harmful prompt answered directly, by a teacher, and under steering (Figure 2, from real samples)",
        ("figures/figure2",),
    ),
    "figure3": Target(
        "ThinkSafe against online reinforcement learning, with its cost (Figure 3)", ("figures/figure3",)
    ),
    "figure4": Target("Refusals without reasoning, R1-Distill (Figure 4)", ("figures/figure4",)),
    "figure5": Target("Larger teachers of the student's family (Figure 5)", ("figures/figure5",)),
    "figure6": Target("Teachers of the other family, smaller students (Figure 6)", ("figures/figure6",)),
    "figure7": Target("Rejection sampling instead of refusal steering (Figure 7)", ("figures/figure7",)),
    "figure8": Target("Perplexity of each training set under the untrained student (Figure 8)", ("figures/figure8",)),
    "figure9": Target("Numbers and lengths of the kept responses, Qwen3 (Figure 9)", ("figures/figure9",)),
    "figure10": Target("Numbers and lengths of the kept responses, R1-Distill (Figure 10)", ("figures/figure10",)),
    "figure11": Target("Refusals without reasoning, Qwen3 (Figure 11)", ("figures/figure11",)),
    "figure12": Target("Teachers of the other family, larger students (Figure 12)", ("figures/figure12",)),
    "figure13": Target("Steering strategies (Figure 13)", ("figures/figure13",)),
    "ablation_steering": Target("Does the wording of the steering matter (Figure 13)", ("figures/figure13",)),
    "ablation_no_reasoning": Target(
        "Do refusals need their reasoning (Figures 4, 11)", ("figures/figure4", "figures/figure11")
    ),
    "ablation_teachers": Target(
        "Is one's own data better than a teacher's (Figures 5, 6, 12)",
        ("figures/figure5", "figures/figure6", "figures/figure12"),
    ),
    "ablation_rejection": Target("Is steering needed at all (Figure 7)", ("figures/figure7", "tables/effects")),
    "ablation_guard": Target("Does the filter's guard matter (Tables 6, 7)", ("tables/table6", "tables/table7")),
    "claims": Target("What the run says of each claim of the paper (docs/claims.md)", ("claims",)),
    "judge_study": Target(
        "The same stored answers under both guards and both views (docs/judges.md)",
        ("judge-study", "figures/judge-study"),
    ),
}


class NothingSelected(ValueError):  # noqa: N818 - says what is missing, not that something broke
    """The selection has nothing for a target."""


class Paper:
    """The contents of the paper's tables and figures under one selection."""

    def __init__(self, selection: Selection, sets: TrainingSets, paths: Paths) -> None:
        self.selection, self.sets, self.paths, self.config = selection, sets, paths, selection.config
        # A family's table has a number (Tables 1, 2), or else the family's name: table-own.csv.
        self.families = {str(entry.table or f"-{family}"): family for family, entry in self.config.families.items()}
        # Methods that have a figure of their own.
        self.elsewhere = {"thinksafe-kl", "grpo", "thinksafe-noreason", *STRATEGIES, *sets.taught}

    def _shown(self, students: Sequence[str], methods: Sequence[str]) -> Shown:
        return Shown(students, methods, self.selection.cells(students, methods))

    # ------------------------------------------------------------ tables
    def table(self, number: str | int) -> Shown:
        """Return the contents of a family's table (1, 2; with WildGuard 6, 7)."""
        number = str(number)
        hidden = self.elsewhere | (set() if number in COMPANIONS else {"thinksafe-wildguard"})
        students = self.selection.students_of(self.families.get(COMPANIONS.get(number, number), ""))
        return self._shown(students, [method for method in self.selection.methods if method not in hidden])

    def family_tables(self) -> list[str]:
        """Return the tables of the families that have a student."""
        companions = COMPANIONS if "thinksafe-wildguard" in self.selection.methods else ()
        shown = [number for number in (*self.families, *companions) if self.table(number).students]
        return [f"{self.paths.table(name=f'table{n}')}.{ending}" for n in shown for ending in ("csv", "md")]

    def thinksafe_students(self, family: str | None = None) -> list[str]:
        """Return the selected students, of one family or of all, that ThinkSafe trains."""
        return self.selection.students_with(["thinksafe"], family=family)

    def counted_students(self) -> list[str]:
        """Return the students whose own ThinkSafe responses were filtered: Table 3 counts how many were left out."""
        return [student for student in self.thinksafe_students() if not self.sets.is_released(student, "thinksafe")]

    def filtered(self) -> list[Arm]:
        """Return the training sets that Table 3 counts; its file has those of rejection sampling besides."""
        arms = self.selection.arms(self.counted_students(), ["thinksafe", "rejection"])
        found = [arm for arm in arms if not self.sets.is_released(arm.student, arm.method)]
        return sorted(found, key=lambda arm: (self.selection.students.index(arm.student), arm.method == "rejection"))

    # ------------------------------------------------------------ figures
    def figure(self, number: str | int) -> Shown:
        """Return the contents of a figure that compares scores: 1, 3 to 7, 11 to 13."""
        number = str(number)
        if number == "1":
            return self.table(1)
        if number in GAINS:
            students = self._taught_students(number)
            found = {method for student in students for method in self.teachers_of(student, number)}
            methods = self.selection.chosen({"initial", "thinksafe"} | found)
            own = {s: {"initial", "thinksafe", *self.teachers_of(s, number)} for s in students}
            cells = [cell for cell in self.selection.cells(students, methods) if cell.method in own[cell.student]]
            return Shown(students, methods, cells)
        entry = AVERAGES[number]
        students = self.selection.students_with(entry.required, entry.any_of, entry.family)
        methods = [method for method in entry.methods if method in self.selection.methods]
        return self._shown(students, methods)

    def teachers_of(self, student: str, number: str) -> list[str]:
        """Return the selected methods by which a student learns from the teachers of Figure 5, 6 or 12."""
        if number != "5" and (student in SMALLER) != (number == "6"):
            return []
        family = self.selection.family_of(student)
        return [
            method
            for method in self.selection.methods_of(student)
            if method in self.sets.taught
            and (self.selection.family_of(self.config.methods[method].data.teacher) == family) == (number == "5")
        ]

    def _taught_students(self, number: str) -> list[str]:
        students = self.selection.students_with(["initial", "thinksafe"])
        return [student for student in students if self.teachers_of(student, number)]

    def steered_students(self) -> list[str]:
        """Return the students of Figure 7 whose raw responses, steered and direct, are this run's."""
        return [
            student
            for student in self.figure(7).students
            if not any(self.sets.is_released(student, method) for method in ("thinksafe", "rejection"))
        ]

    def steered_arms(self) -> list[Arm]:
        """Return the arms on whose raw responses steering's effect is measured."""
        return self.selection.arms(self.steered_students(), ["thinksafe"])

    def steered_cells(self) -> list[Cell]:
        """Return the scores on which the effects of training are measured."""
        return self.selection.cells(self.steered_students(), self.figure(7).methods)

    def raw_harm(self, arms: Sequence[Arm], method: str) -> list[str]:
        """Return the verdicts on a method's raw responses to harmful prompts, of the same students and replicates."""
        return [path for arm in arms for path in self.paths.raw_verdicts(arm.student, method, arm.replicate)]

    def kept_arms(self, figure: str) -> list[Arm]:
        """Return the training sets whose lengths Figure 9 or 10 shows."""
        return self.selection.arms(self.thinksafe_students(LENGTHS[figure]), ["thinksafe"])

    def arms_of(self, figure: str | int) -> list[Arm]:
        """Return the adapters of a figure."""
        shown = self.figure(figure)
        return self.selection.arms(shown.students, shown.methods)

    def read_methods(self) -> list[str]:
        """Return the selected methods with a training set of their own; with KL it is ThinkSafe's (Figure 8)."""
        return [m for m in self.selection.methods if m in self.sets.with_data and m not in self.elsewhere]

    def read_arms(self) -> list[Arm]:
        """Return the training sets whose perplexity Figure 8 shows."""
        return self.selection.arms(methods=self.read_methods())

    def samples(self) -> tuple[str | None, str | None]:
        """Return the student whose samples Figure 2 shows, and the method by which it learns from another model.

        The first student with responses to harmful prompts, direct and steered; a published set, or else the largest
        teacher.
        """
        student = next(iter(self.steered_students()), None)
        if student is None:
            return None, None
        taught = [method for number in ("12", "6", "5") for method in self.teachers_of(student, number)]
        published = PUBLISHED_TEACHER in self.selection.methods_of(student)
        return student, PUBLISHED_TEACHER if published else next(reversed(taught), None)

    def sample_files(self, kind: str, origin: str | None) -> list[str]:
        """Return the raw ``responses`` to harmful prompts of Figure 2, or the ``verdicts`` on them.

        ``origin`` is the method whose training data they are: the student's own, or None for its teacher's.
        """
        student, teacher = self.samples()
        if origin is None:
            data = self.config.methods[teacher].data if teacher else None
            if data and data.corpus:
                return [self.paths.set_of(student, teacher, 0)] if kind == "responses" else []
            if data is None:
                return []
            student, origin = data.teacher, data.base_method
        listed = self.paths.raw_responses if kind == "responses" else self.paths.raw_verdicts
        return listed(student, origin, self.selection.replicates[0])

    # ------------------------------------------------------------ cost
    def cost_jobs(self, arms: Sequence[Arm]) -> list[tuple[dict[str, Any], str]]:
        """Return the jobs behind adapters, each with its stage and the identity of what it made.

        What others' sampling has cost is not known, so adapters that rest on it are left out.
        """
        jobs = []
        for arm in arms:
            if arm.method == "initial" or not self.sets.samples_itself(arm.student, arm.method):
                continue
            made = [("training", self.paths.adapter(arm))]
            halves = self.sets.halves_of(arm.student, arm.method)
            derived = [(arm.student, arm.method)] if arm.method in self.sets.derived else []
            for who, what in sorted({*halves.values(), *derived}):
                made.append(("filtering", self.paths.training_set(Arm(who, what, arm.replicate))))
            for role, (who, what) in halves.items():
                for stage, pattern in (
                    ("generation", self.paths.responses),
                    ("filtering", self.paths.response_verdicts),
                ):
                    made += [(stage, path) for path in self.paths.raw(pattern, who, what, arm.replicate, role)]
            for stage, path in made:
                path = f"{path}{IDENTITY}"
                jobs.append((arm._asdict() | {"stage": stage, "identity": path.removeprefix(f"{RESULTS}/")}, path))
        return jobs

    def cost_files(self, arms: Sequence[Arm]) -> list[str]:
        """Return the identities of what those jobs made."""
        return [path for _, path in self.cost_jobs(arms)]

    # ------------------------------------------------------------ the paper's numbers
    @cached_property
    def _printed(self) -> dict[str, set[str]]:
        files = {n: Path(self.config.paper) / f"table{n}.csv" for n in (*self.families, *COMPANIONS, "3")}
        return {n: {row["student"] for row in read_csv(file)} for n, file in files.items() if file.exists()}

    @cached_property
    def footnotes(self) -> list[dict[str, Any]]:
        """Return where the paper's own numbers do not agree with one another."""
        return yaml.safe_load((Path(self.config.paper) / "footnotes.yaml").read_text(encoding="utf-8"))

    def beside_students(self, number: str) -> list[str]:
        """Return the students that our table and the paper's have; the miniature's have no numbers of the paper."""
        ours = self.counted_students() if number == "3" else self.table(number).students
        return [student for student in ours if student in self._printed.get(number, ())]

    # ------------------------------------------------------------ judges
    def judged_cells(self) -> list[Cell]:
        """Return the cells of the judge study: the tables' methods on the harm benchmarks."""
        if self.config.use_paper_scores:
            return []
        return self.selection.cells(methods=self.table(6).methods, benchmarks=self.selection.judged("harm"))

    def judges(self) -> list[list[str]]:
        """Return guard and view of every judge, the one that the tables go by first.

        Those of `judge_study` judge in both views; further guards of `audit` in their own, as their verdicts are there.
        """
        guards = self.config.guards
        first = self.config.benchmarks[self.selection.judged("harm")[0]].guard
        pairs = [(first, guards[first].judged_text)]
        pairs += [(guard, view) for guard in self.config.judge_study.guards for view in VIEWS]
        pairs += [(guard, guards[guard].judged_text) for guard in self.config.audit]
        return [list(pair) for pair in dict.fromkeys(pairs)]

    # ------------------------------------------------------------ what `all` makes
    def outputs(self) -> list[str]:
        """Return every table, figure and summary that the selection has something for."""
        tables = self.family_tables()
        beside = [number for number in ("1", "2", "6", "7", "3") if self._has_beside(number)]
        tables += [f"{self.paths.table(name=f'table{number}')}-beside-paper.csv" for number in beside]
        figures = ["figure1"] if self.table(1).students else []
        if not self.config.use_paper_scores:
            tables += [f"{self.paths.table(name=name)}.md" for name, shown in self._other_tables().items() if shown]
            figures += [f"figure{number}" for number, shown in self._other_figures().items() if shown]
        files = [*tables, *(f"{self.paths.figure(name=name)}.png" for name in figures)]
        if self.config.judge_study.in_all and self.judged_cells():
            files += self.judge_study()
        return [*files, f"{RESULTS}/claims.json"] if self.selection.cells() else files

    def judge_study(self) -> list[str]:
        """Return the files of the judge study."""
        return [f"{RESULTS}/judge-study.md", f"{self.paths.figure(name='judge-study')}.png"]

    def _has_beside(self, number: str) -> bool:
        if number == "3":
            return not self.config.use_paper_scores and bool(self.beside_students("3"))
        made = number in ("1", "2") or "thinksafe-wildguard" in self.selection.methods
        return made and bool(self.beside_students(number))

    def _other_tables(self) -> dict[str, Any]:
        return {
            "table4": self.selection.arms(trained=True),
            "table5": self.sets.steerings_used(),
            "table3": self.counted_students(),
            "effects": self.steered_students(),
        }

    def _other_figures(self) -> dict[str, Any]:
        return {
            **{number: self.thinksafe_students(family) for number, family in LENGTHS.items()},
            **{number: self.figure(number).students for number in (*AVERAGES, *GAINS)},
            "8": len(self.read_methods()) > 2,  # ThinkSafe and rejection sampling alone compare with nobody's data
            "2": self.samples()[0],
        }

    def files_of(self, target: str) -> list[str]:
        """Return the files of a named target.

        Raises
        ------
        NothingSelected
            If the selection has nothing for it.
        """
        stems = TARGETS[target].stems
        made = self.judge_study() if target == "judge_study" and self.judged_cells() else self.outputs()
        found = [path for path in made if stem_of(path) in stems]
        if not found:
            raise NothingSelected(
                f"{target}: nothing that is selected belongs there. Add the students, methods and benchmarks that it "
                "compares to `select` (docs/methods.md)"
            )
        return found


def stem_of(path: str) -> str:
    """Return an output's place without its ending; a table beside the paper's belongs to the table."""
    return path.removeprefix(f"{RESULTS}/").partition(".")[0].removesuffix("-beside-paper")
