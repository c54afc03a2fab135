"""What the rules of the miniature and the rehearsal take from `world` in config (docs/miniature.md).

From the models and prompts on, every rule is the paper's; nothing here is used after them.
"""

from typing import Any

from thinksafe import layout
from thinksafe.config.types import plain
from thinksafe.files import IDENTITY
from thinksafe.layout import RESULTS
from thinksafe.study.selection import Arm, Selection

HARM_SETS = ("harmbench", "strongreject", "wildjailbreak")  # share the world's held-out deeds, in this order
FITTING = {"hidden_size", "layers", "examples", "batch_size", "learning_rate"}  # what no text depends on
# Counterparts of published training sets: the method whose training set the teacher gets.
COUNTERPARTS = {"directrefusal": None, "safechain": "rejection", "star1": "thinksafe", "safekey": "thinksafe"}
# Files in the formats of the published data sets, and what each takes from the world (the rehearsal).
REHEARSAL = {
    "safechain.parquet": ("harmful", "benign"),
    "directrefusal.parquet": ("harmful",),
    "star-1.json": ("harmful",),
    "star-benign.json": ("benign",),
    "harmbench.json": ("harmbench",),
    "strongreject.csv": ("strongreject",),
    "wildjailbreak.tsv": ("wildjailbreak",),
    "xstest.csv": ("xstest",),
    "aime24.parquet": ("aime24",),
    "gsm8k.jsonl": ("gsm8k",),
    "math500.jsonl": ("math500",),
    "gpqa.csv": ("gpqa",),
}


class Miniature:
    """The built models of a config, and the parts of its `world` that the rules depend on."""

    def __init__(self, selection: Selection) -> None:
        self.selection, self.config = selection, selection.config
        self.world: dict[str, Any] = plain(self.config.world) or {}

    def built(self, kind: str) -> list[str]:
        """Return the models or guards that this workflow trains as a student, teacher or guard."""
        entries = {**self.config.models, **self.config.guards}
        return [name for name, entry in entries.items() if entry.source and entry.source.built == kind]

    def tokenizer_of(self, student: str) -> str:
        """Return the identity of a family's tokenizer."""
        return f"{RESULTS}/world/tokenizers/{self.selection.family_of(student)}{IDENTITY}"

    def parent_of(self, student: str) -> list[str]:
        """Return the identity of the student that a teacher goes on from: the first one of its family."""
        if student not in self.built("teacher"):
            return []
        family = self.selection.family_of(student)
        first = next(name for name in self.built("student") if self.selection.family_of(name) == family)
        return [f"{layout.MODEL.in_run(model=first)}{IDENTITY}"]

    def traces_of(self, published: str) -> list[str]:
        """Return what the teacher said and the guard kept; the same for every replicate of the students."""
        method = COUNTERPARTS[published]
        return [f"{layout.TRAINING_SET.in_run(Arm(self.built('teacher')[0], method, 0))}.parquet"] if method else []

    # ------------------------------------------------------------ specs
    def make_world(self, rows: str) -> dict[str, Any]:
        """Return what a set of the world depends on."""
        return {"name": rows, "world": self._rows(rows)}

    def write_rehearsal_data(self, file: str) -> dict[str, Any]:
        """Return what a file of the rehearsal depends on."""
        return {"name": file, "world": self._rows(*REHEARSAL[file])}

    def write_corpus(self, published: str) -> dict[str, Any]:
        """Return what a counterpart of a published training set depends on."""
        return {"corpus": published, "seed": self.world["seed"]}

    def build_tokenizer(self, family: str) -> dict[str, Any]:
        """Return what a tokenizer depends on: both speakers' texts, whatever models are selected."""
        habits = {
            role: {key: value for key, value in self.world[role].items() if key not in FITTING}
            for role in ("student", "teacher")
        }
        return {"family": family, "world": self._world("vocabulary", "templates", "phrases") | habits}

    def pretrain_model(self, student: str) -> dict[str, Any]:
        """Return what a built student or teacher depends on."""
        world = self._world("student", "templates", *(["teacher"] if student in self.built("teacher") else []))
        world["student"] = world["student"] | self.world.get("sizes", {}).get(student, {})
        shape = self.config.models[student].source.shape
        family = self.selection.family_of(student)
        return {"model": student, "family": family, "world": world, **({"shape": shape} if shape else {})}

    def train_guard(self, guard: str) -> dict[str, Any]:
        """Return what a built guard depends on, which the students' habits are not part of."""
        world = self._world("vocabulary", "guard", "templates")
        return {"guard": guard, "kind": self.config.guards[guard].kind, "world": world}

    def _world(self, *names: str) -> dict[str, Any]:
        return {name: self.world[name] for name in ("seed", *names)}

    def _rows(self, *names: str) -> dict[str, Any]:
        # A harm benchmark begins where the ones before it end.
        before = {key for name in names if name in HARM_SETS for key in HARM_SETS[: HARM_SETS.index(name)]}
        rows = {key: self.world["rows"][key] for key in {*names, *before}}
        return self._world(*(["templates"] if "benign" in names else [])) | {"rows": rows}
