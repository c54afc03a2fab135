"""What each table and figure of the paper shows, for what a config selects: students, methods and cells."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from thinksafe import layout
from thinksafe.files import IDENTITY
from thinksafe.layout import RESULTS
from thinksafe.reporting.tables import read_csv
from thinksafe.study.paths import Paths
from thinksafe.study.selection import Arm, Cell, Selection
from thinksafe.study.training_sets import TrainingSets

WILDGUARD = "thinksafe-wildguard"
COMPANIONS = {"6": "1", "7": "2"}  # these are Tables 1 and 2 with one more row, ThinkSafe filtered by WildGuard
STRATEGIES = ("thinksafe-suffix", "thinksafe-risk", "thinksafe-intent")  # of steering, in the order of Table 5
SCORES = ("1", "2", "6", "7")  # tables of scores; Table 3 is of training sets
LENGTHS = {"9": "qwen3", "10": "r1"}  # the family whose responses' lengths a figure shows
PUBLISHED_TEACHER = "safechain"  # another model's responses to the prompts that the students get (Sec. 2)
VIEWS = ("full", "answer")


class Averages(NamedTuple):
    """A figure that compares the averages of methods, for the students that have all or one of them."""

    all_of: tuple[str, ...]
    any_of: tuple[str, ...] = ()
    family: str | None = None


class Teachers(NamedTuple):
    """A figure that compares a student's own responses with those of teachers of its own or the other family."""

    own_family: bool
    smaller: bool | None = None  # whether its students are `SMALLER` ones; None: both


# The methods whose responses to harmful prompts are compared: with the refusal instruction, and without.
STEERED, DIRECT = "thinksafe", "rejection"
AVERAGES = {
    "3": Averages(("initial", "thinksafe"), any_of=("thinksafe-kl", "grpo")),
    "4": Averages(("thinksafe", "thinksafe-noreason"), family="r1"),
    "7": Averages(("initial", "rejection", "thinksafe")),
    "11": Averages(("thinksafe", "thinksafe-noreason"), family="qwen3"),
    "13": Averages(("thinksafe",), any_of=STRATEGIES),
}
GAINS = {
    "5": Teachers(own_family=True),  # Qwen3-0.6B and R1-Distill-Qwen-1.5B learn from larger students
    "6": Teachers(own_family=False, smaller=True),  # Qwen3-1.7B and R1-Distill-Qwen-1.5B learn from each other
    "12": Teachers(own_family=False, smaller=False),  # Qwen3-8B and R1-Distill-Qwen-7B learn from each other
}
SMALLER = ("qwen3-1.7b", "r1-qwen-1.5b", "qwen3-mini", "r1-mini")


class Shown(NamedTuple):
    """Students, methods and cells of one table or figure, in the order in which it shows them."""

    students: Sequence[str]
    methods: Sequence[str]
    cells: Sequence[Cell]


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

    def table(self, number: str | int) -> Shown:
        """Return the contents of a family's table (1, 2; with WildGuard 6, 7)."""
        number = str(number)
        hidden = self.elsewhere | (set() if number in COMPANIONS else {WILDGUARD})
        students = self.selection.students_of(self.families.get(COMPANIONS.get(number, number), ""))
        return self._shown(students, [method for method in self.selection.methods if method not in hidden])

    def figure(self, number: str | int) -> Shown:
        """Return the contents of a figure that compares scores: 1, 3 to 7, 11 to 13."""
        number = str(number)
        if number == "1":
            return self.table(1)
        if number in AVERAGES:
            entry = AVERAGES[number]
            students = self.selection.students_with(*entry)
            return self._shown(students, [m for m in (*entry.all_of, *entry.any_of) if m in self.selection.methods])
        own = {s: self.teachers_of(s, number) for s in self.selection.students_with(["initial", "thinksafe"])}
        own = {student: {"initial", "thinksafe", *teachers} for student, teachers in own.items() if teachers}
        methods = self.selection.chosen(set().union(*own.values(), {"initial", "thinksafe"}))
        cells = [cell for cell in self.selection.cells(own, methods) if cell.method in own[cell.student]]
        return Shown(list(own), methods, cells)

    def teachers_of(self, student: str, number: str) -> list[str]:
        """Return the selected methods by which a student learns from the teachers of Figure 5, 6 or 12."""
        entry = GAINS[number]
        taught = [method for method in self.selection.methods_of(student) if method in self.sets.taught]
        if entry.smaller not in (None, student in SMALLER):
            return []
        family, family_of = self.selection.family_of(student), self.selection.family_of
        return [m for m in taught if (family_of(self.config.methods[m].data.teacher) == family) == entry.own_family]

    def arms_of(self, figure: str | int) -> list[Arm]:
        """Return the arms of a figure."""
        shown = self.figure(figure)
        return self.selection.arms(shown.students, shown.methods)

    # ------------------------------------------------------------ training sets: Table 3, Figures 8 to 10
    def thinksafe_students(self, family: str | None = None) -> list[str]:
        """Return the selected students, of one family or of all, that ThinkSafe trains."""
        return self.selection.students_with(["thinksafe"], family=family)

    def table3_students(self) -> list[str]:
        """Return the students whose own ThinkSafe responses are filtered: Table 3 counts how many are left out."""
        return [student for student in self.thinksafe_students() if not self.sets.is_released(student, "thinksafe")]

    def table3_arms(self) -> list[Arm]:
        """Return the training sets that Table 3 counts; its file also has those of rejection sampling."""
        arms = self.selection.arms(self.table3_students(), [STEERED, DIRECT])
        found = [arm for arm in arms if not self.sets.is_released(arm.student, arm.method)]
        return sorted(found, key=lambda arm: (self.selection.students.index(arm.student), arm.method == DIRECT))

    def figure8_methods(self) -> list[str]:
        """Return the methods whose training set Figure 8 reads; with KL it is ThinkSafe's."""
        return [m for m in self.selection.methods if m in self.sets.with_data and m not in self.elsewhere]

    def figure8_arms(self) -> list[Arm]:
        """Return the training sets whose perplexity Figure 8 shows."""
        return self.selection.arms(methods=self.figure8_methods())

    def lengths_arms(self, figure: str) -> list[Arm]:
        """Return the training sets whose lengths Figure 9 or 10 shows."""
        return self.selection.arms(self.thinksafe_students(LENGTHS[figure]), ["thinksafe"])

    # ------------------------------------------------------------ effects of steering and of training (Sec. 5.2, 5.4)
    def effect_students(self) -> list[str]:
        """Return the students of Figure 7 whose raw responses, steered and direct, this run samples."""
        released = self.sets.is_released
        students = self.figure(7).students
        return [s for s in students if not (released(s, STEERED) or released(s, DIRECT))]

    def effect_arms(self) -> list[Arm]:
        """Return the untrained students on whose raw responses the effect of steering is measured."""
        return self.selection.arms(self.effect_students(), ["initial"])

    def effect_cells(self) -> list[Cell]:
        """Return the scores on which the effects of training are measured."""
        return self.selection.cells(self.effect_students(), self.figure(7).methods)

    def raw_harm(self, arms: Sequence[Arm], method: str) -> list[str]:
        """Return the verdicts on a method's raw responses to harmful prompts, of the same students and replicates."""
        pattern = layout.RESPONSE_VERDICTS
        return [path for arm in arms for path in self.paths.raw(pattern, arm.student, method, arm.replicate)]

    # ------------------------------------------------------------ Figure 2
    def figure2(self) -> tuple[str | None, str | None]:
        """Return the student whose samples Figure 2 shows, and the method by which it learns from another model.

        The first student with responses to harmful prompts, direct and steered; a published set, or else the largest
        teacher.
        """
        student = next(iter(self.effect_students()), None)
        if student is None:
            return None, None
        if PUBLISHED_TEACHER in self.selection.methods_of(student):
            return student, PUBLISHED_TEACHER
        taught = [method for number in ("12", "6", "5") for method in self.teachers_of(student, number)]
        return student, taught[-1] if taught else None

    def figure2_files(self, pattern: layout.Pattern, method: str | None) -> list[str]:
        """Return the raw responses to harmful prompts of Figure 2, or the verdicts on them.

        ``method`` is the one whose training data they are: the student's own, or None for its teacher's.
        """
        student, teacher = self.figure2()
        if method is None:
            data = self.config.methods[teacher].data if teacher else None
            if data is None:
                return []
            if data.corpus:
                return [self.paths.set_of(student, teacher, 0)] if pattern == layout.RESPONSES else []
            student, method = data.teacher, data.base_method
        return self.paths.raw(pattern, student, method, self.selection.replicates[0])

    # ------------------------------------------------------------ cost (Figure 3)
    def cost_jobs(self, arms: Sequence[Arm]) -> list[dict[str, Any]]:
        """Return the jobs behind adapters, each with its stage and the identity of what it made, from the run's folder.

        Adapters that rest on released training sets are left out, as the cost of sampling these is not known.
        """
        jobs = []
        for arm in arms:
            if arm.method == "initial" or not self.sets.samples_itself(arm.student, arm.method):
                continue
            halves = self.sets.halves_of(arm.student, arm.method)
            derived = [(arm.student, arm.method)] if arm.method in self.sets.derived else []
            filtered = [Arm(*one, arm.replicate) for one in sorted({*halves.values(), *derived})]
            made = [
                ("training", layout.ADAPTER.in_run(arm)),
                *(("filtering", layout.TRAINING_SET.in_run(one)) for one in filtered),
            ]
            for role, half in halves.items():
                for stage, pattern in (("generation", layout.RESPONSES), ("filtering", layout.RESPONSE_VERDICTS)):
                    made += [(stage, path) for path in self.paths.raw(pattern, *half, arm.replicate, role, "")]
            for stage, path in made:
                identity = f"{path}{IDENTITY}".removeprefix(f"{RESULTS}/")
                jobs.append(arm._asdict() | {"stage": stage, "identity": identity})
        return jobs

    def cost_files(self, arms: Sequence[Arm]) -> list[str]:
        """Return the identities of what those jobs made."""
        return [f"{RESULTS}/{job['identity']}" for job in self.cost_jobs(arms)]

    # ------------------------------------------------------------ the paper's numbers
    @cached_property
    def footnotes(self) -> list[dict[str, Any]]:
        """Return where the paper's own numbers do not agree with one another."""
        return yaml.safe_load((Path(self.config.paper) / "footnotes.yaml").read_text(encoding="utf-8"))

    def beside_students(self, number: str) -> list[str]:
        """Return the students that our table and the paper's both have; the paper has none of the miniature's."""
        file = Path(self.config.paper) / f"table{number}.csv"
        printed = {row["student"] for row in read_csv(file)} if file.exists() else set()
        ours = self.table3_students() if number == "3" else self.table(number).students
        return [student for student in ours if student in printed]

    # ------------------------------------------------------------ judge study (Sec. 5.1, D.4)
    def judged_cells(self) -> list[Cell]:
        """Return the cells of the judge study: the tables' methods on the harm benchmarks."""
        if self.config.use_paper_scores:
            return []
        return self.selection.cells(methods=self.table(6).methods, benchmarks=self.selection.benchmarks_of("harm"))

    def judges(self) -> list[list[str]]:
        """Return guard and view of every judge, the one whose verdicts the tables use first.

        Guards of `judge_study` judge in both views, further guards of `audit` in their own, which they judge anyway.
        """
        guards = self.config.guards
        first = self.config.benchmarks[self.selection.benchmarks_of("harm")[0]].guard
        pairs = [(first, guards[first].judged_text)]
        pairs += [(guard, view) for guard in self.config.judge_study.guards for view in VIEWS]
        pairs += [(guard, guards[guard].judged_text) for guard in self.config.audit]
        return [list(pair) for pair in dict.fromkeys(pairs)]
