"""What a config selects: students, methods, benchmarks, replicates, and the cells that they span."""

from collections.abc import Collection
from typing import Any, NamedTuple

from thinksafe.config.selection import methods_of
from thinksafe.config.types import Config

ROLES = ("harmful", "benign")


class Arm(NamedTuple):
    """A student trained with a method in one replicate; the method ``initial`` trains nothing."""

    student: str
    method: str
    replicate: int


class Cell(NamedTuple):
    """One number of a table in one replicate: an arm on a benchmark."""

    student: str
    method: str
    replicate: int
    benchmark: str


class Selection:
    """The students, methods and benchmarks of a run, in the order in which its config names them."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.students: list[str] = list(config.select.students)
        self.methods: list[str] = list(config.select.methods)
        self.benchmarks: list[str] = list(config.select.benchmarks)
        self.replicates: list[int] = list(config.replicates)
        self._methods = {model: methods_of(config, model) for model in config.models}

    def family_of(self, student: str) -> str:
        """Return the family of a model."""
        return self.config.models[student].family

    def methods_of(self, student: str) -> list[str]:
        """Return the selected methods that are meant for a student."""
        return self._methods[student]

    def students_of(self, family: str | None) -> list[str]:
        """Return the selected students of a family, or of all families for None."""
        return [student for student in self.students if family in (None, self.family_of(student))]

    def students_with(
        self, methods: Collection[str], any_of: Collection[str] = (), family: str | None = None
    ) -> list[str]:
        """Return the selected students that have all of ``methods``, and one of ``any_of`` if any is named."""
        found = {student: set(self.methods_of(student)) for student in self.students_of(family)}
        return [s for s, has in found.items() if set(methods) <= has and (not any_of or set(any_of) & has)]

    def chosen(self, methods: Collection[str]) -> list[str]:
        """Return those of ``methods`` that are selected, in the order of the selection."""
        return [method for method in self.methods if method in methods]

    def arms(
        self, students: Collection[str] | None = None, methods: Collection[str] | None = None, trained: bool = False
    ) -> list[Arm]:
        """Return the selected arms, of all students and methods by default; ``trained`` leaves out ``initial``."""
        return [
            Arm(student, method, replicate)
            for student in (self.students if students is None else students)
            for method in self.methods_of(student)
            if (methods is None or method in methods) and not (trained and method == "initial")
            for replicate in self.replicates
        ]

    def cells(
        self,
        students: Collection[str] | None = None,
        methods: Collection[str] | None = None,
        benchmarks: Collection[str] | None = None,
    ) -> list[Cell]:
        """Return the cells of a table in the order of its rows."""
        columns = [name for name in self.benchmarks if benchmarks is None or name in benchmarks]
        return [Cell(*arm, benchmark) for arm in self.arms(students, methods) for benchmark in columns]

    def shards_of(self, benchmark: str) -> range:
        """Return the numbers of the shards that hold a benchmark's answers."""
        return range(getattr(self.config.shards, self.config.benchmarks[benchmark].decoding))

    def benchmarks_of(self, kind: str) -> list[str]:
        """Return the selected benchmarks of a kind: harm, refusal or reasoning."""
        return [name for name in self.benchmarks if self.config.benchmarks[name].kind == kind]

    def labels(self, section: str, names: Collection[str]) -> list[list[str]]:
        """Return pairs of id and label in the order given."""
        entries: dict[str, Any] = getattr(self.config, section)
        return [[name, entries[name].label] for name in names]

    def columns(self) -> list[dict[str, str]]:
        """Return the selected benchmarks as columns of a table."""
        entries = self.config.benchmarks
        return [{"id": name, "label": entries[name].label, "kind": entries[name].kind} for name in self.benchmarks]
