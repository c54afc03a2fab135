"""What each method learns from: the halves of its training set, its loss and its settings (Sec. 4, 5.1, 5.4)."""

from typing import Any

from thinksafe.config.selection import halves_of
from thinksafe.config.types import plain
from thinksafe.study.selection import Selection


class TrainingSets:
    """The training sets of a config's methods.

    Attributes
    ----------
    with_data : methods that have a training set
    sampled : methods that learn from responses sampled for them and filtered by a guard
    derived : methods whose set is made of the halves of others' sets; a teacher's whole set is taken as it is
    taught : methods by which a student learns from another model
    by_reward : methods that learn online, from rewards
    """

    def __init__(self, selection: Selection) -> None:
        self.selection, self.config = selection, selection.config
        methods = self.config.methods
        data = {name: method.data for name, method in methods.items() if method.data}
        self.with_data = list(data)
        self.sampled = [name for name, entry in data.items() if entry.guard]
        self.derived = [name for name, entry in data.items() if entry.strip_reasoning or entry.benign_half == "own"]
        self.taught = [name for name, entry in data.items() if entry.teacher]
        self.by_reward = [name for name, method in methods.items() if method.grpo]

    # ------------------------------------------------------------ where a set comes from
    def halves_of(self, student: str, method: str) -> dict[str, tuple[str, str]]:
        """Return student and method of the filtered sets that the halves of a training set come from, by role."""
        return halves_of(self.config, student, method)

    def is_released(self, student: str, method: str) -> bool:
        """Return whether a released training set replaces what the student would sample (`sources`)."""
        return method in self.config.sources.get(student, {})

    def samples_itself(self, student: str, method: str) -> bool:
        """Return whether this run samples all that a method learns from; GRPO and corpora need no samples."""
        return not any(self.is_released(*half) for half in self.halves_of(student, method).values())

    # ------------------------------------------------------------ how it is learnt
    def loss_of(self, method: str) -> tuple[str, dict[str, Any]]:
        """Return the name of a method's loss and its settings."""
        ((name, settings),) = (plain(self.config.methods[method].loss) or {"nll": {}}).items()
        return name, settings

    def epochs_of(self, method: str) -> int:
        """Return the number of passes of a method over its training set."""
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

    # ------------------------------------------------------------ Tables 4 and 5
    def origin_of(self, student: str, method: str) -> dict[str, str]:
        """Return the names of the sets that a method's prompts are from, and who wrote the responses (Table 4)."""
        entry, prompts = self.config.methods[method], self.config.prompts
        data = entry.data
        if data and data.corpus:
            prompts, wrote = self.config.corpora[data.corpus], "the set's"
        elif entry.grpo or not (data and data.teacher):
            wrote = "own, while training" if entry.grpo else "own"
        else:
            wrote = self.config.models[data.teacher].label + (", benign half own" if data.benign_half == "own" else "")
        parts = [prompts.harmful, prompts.benign]
        if not self.samples_itself(student, method):
            halves = [
                (role, self.config.sources.get(who, {}).get(what, prompts))
                for role, (who, what) in self.halves_of(student, method).items()
            ]
            parts, wrote = [getattr(source, role) for role, source in halves], f"{wrote} (released)"
        return {"source": ", ".join(dict.fromkeys(_name_of(part) for part in parts if part)), "responses": wrote}

    def steerings_used(self) -> list[dict[str, Any]]:
        """Return each steering of harmful prompts with the selected methods that sample by it (Table 5)."""
        used: dict[str, list[str]] = {name: [] for name in self.config.steerings}
        for method in self.selection.chosen({arm.method for arm in self.selection.arms()}):
            data = self.config.methods[method].data
            origin = (data.base_method or method) if data else method
            if origin in self.sampled:
                used[self.config.methods[origin].data.harmful.steering].append(method)
        return [
            {"id": name, "template": self.config.steerings[name], "methods": names}
            for name, names in used.items()
            if names
        ]


def _name_of(part: Any) -> str:
    """Return the name of a set of rows: its repository on the hub, or its file or part of the world."""
    source = part.source
    return source.hub or (source.url or source.file or source.published or source.world).rpartition("/")[2]
