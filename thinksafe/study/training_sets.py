"""What each method learns from: its raw responses, the halves of its training set, its loss and settings."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from thinksafe.config.selection import halves_of
from thinksafe.config.types import plain
from thinksafe.study.selection import Selection


class RawSet(NamedTuple):
    """The raw responses of one student to one half of the prompts, in one replicate."""

    student: str
    steering: str
    samples: int
    replicate: int
    prompts: str


class TrainingSets:
    """The training sets of a config's methods (Sec. 4, 5.1, 5.4, Table 4)."""

    def __init__(self, selection: Selection) -> None:
        self.selection, self.config = selection, selection.config

    # ------------------------------------------------------------ kinds of methods
    def _with(self, wanted: Any) -> list[str]:
        return [name for name, method in self.config.methods.items() if wanted(method)]

    @cached_property
    def with_data(self) -> list[str]:
        """Return the methods that have a training set."""
        return self._with(lambda method: method.data)

    @cached_property
    def sampled(self) -> list[str]:
        """Return the methods that learn from responses sampled for them and filtered by a guard."""
        return self._with(lambda method: method.data and method.data.guard)

    @cached_property
    def derived(self) -> list[str]:
        """Return the methods whose set is made of two others' halves; a teacher's whole set is taken as it is."""
        return self._with(lambda m: m.data and (m.data.strip_reasoning or m.data.benign_half == "own"))

    @cached_property
    def taught(self) -> list[str]:
        """Return the methods by which a student learns from another model."""
        return self._with(lambda method: method.data and method.data.teacher)

    @cached_property
    def by_reward(self) -> list[str]:
        """Return the methods that learn online, from rewards."""
        return self._with(lambda method: method.grpo)

    # ------------------------------------------------------------ where a set comes from
    def halves_of(self, student: str, method: str) -> dict[str, tuple[str, str]]:
        """Return student and method of the filtered sets that the halves of a training set come from, by role."""
        return halves_of(self.config, student, method)

    def is_released(self, student: str, method: str) -> bool:
        """Return whether a set that others have released stands in for what the student would sample (`sources`)."""
        return method in self.config.sources.get(student, {})

    def samples_itself(self, student: str, method: str) -> bool:
        """Return whether this run samples all that a method learns from; GRPO and corpora need no samples."""
        return not any(self.is_released(*half) for half in self.halves_of(student, method).values())

    def raw(self, student: str, method: str, role: str, replicate: int) -> RawSet:
        """Return the raw responses behind one half of a sampled training set."""
        how = getattr(self.config.methods[method].data, role)
        return RawSet(student, how.steering, how.samples, replicate, role)

    def steerings_used(self) -> list[dict[str, Any]]:
        """Return each steering of harmful prompts with the selected methods that sample by it (Table 5)."""
        used: dict[str, list[str]] = {name: [] for name in self.config.steerings}
        for method in self.selection.methods:
            data = self.config.methods[method].data
            origin = (data.base_method or method) if data else method
            trains = any(method in self.selection.methods_of(student) for student in self.selection.students)
            if origin in self.sampled and trains:
                used[self.config.methods[origin].data.harmful.steering].append(method)
        return [
            {"id": name, "template": self.config.steerings[name], "methods": names}
            for name, names in used.items()
            if names
        ]

    # ------------------------------------------------------------ how it is learnt
    def loss_of(self, method: str) -> tuple[str, dict[str, Any]]:
        """Return the name of a method's loss and its settings."""
        ((name, settings),) = (plain(self.config.methods[method].loss) or {"nll": {}}).items()
        return name, settings

    def epochs_of(self, method: str) -> int:
        """Return how often a method passes over its training set."""
        return self._layers(method)[-1].epochs or self.config.methods[method].epochs

    def settings_of(self, method: str) -> dict[str, Any]:
        """Return a method's training settings: its own over the section `training`."""
        settings = plain(self.config.training)
        for layer in self._layers(method):
            settings |= plain(layer.training) or {}
        return settings

    def _layers(self, method: str) -> list[Any]:
        entry = self.config.methods[method]
        original = entry.original if self.config.baseline_settings == "original" else None
        return [entry, original] if original else [entry]

    # ------------------------------------------------------------ Table 4
    def origin_of(self, student: str, method: str) -> dict[str, str]:
        """Return the names of the sets that a method's prompts are from, and who wrote the responses."""
        entry, prompts = self.config.methods[method], self.config.prompts
        data = entry.data
        found = [_name_of(part) for part in (prompts.harmful, prompts.benign)]
        if data and data.corpus:
            corpus = self.config.corpora[data.corpus]
            found = [_name_of(part) for part in (corpus.harmful, corpus.benign) if part]
            wrote = "the set's"
        elif entry.grpo:
            wrote = "own, while training"
        elif data and data.teacher:
            wrote = self.config.models[data.teacher].label
            wrote += ", benign half own" if data.benign_half == "own" else ""
        else:
            wrote = "own"
        if not self.samples_itself(student, method):
            found = [
                _name_of(getattr(self.config.sources[who][what] if self.is_released(who, what) else prompts, role))
                for role, (who, what) in self.halves_of(student, method).items()
            ]
            wrote += " (released)"
        return {"source": ", ".join(dict.fromkeys(found)), "responses": wrote}


def _name_of(part: Any) -> str:
    """Return the name of a set of rows: its repository on the hub, or its file or part of the world."""
    source = part.source
    if source.hub:
        return source.hub
    place = source.url or source.file or source.published or source.world
    return place.rpartition("/")[2]
