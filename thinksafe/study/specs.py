"""What each job depends on from config: one method per rule, with the rule's wildcards as arguments.

A spec holds only what its rule uses, so that a change of the config makes exactly that stale (docs/staleness.md).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thinksafe.config.settings import read
from thinksafe.config.types import Config, plain
from thinksafe.hub.needed import remote_sources, used
from thinksafe.layout import RESULTS
from thinksafe.provenance.digests import ROOT
from thinksafe.provenance.local_files import content_of
from thinksafe.study.claims import Claims
from thinksafe.study.miniature import Miniature
from thinksafe.study.paper import LENGTHS, Shown
from thinksafe.study.report import Report
from thinksafe.study.selection import ROLES, Arm

Spec = dict[str, Any]
TOKEN_SETTINGS = {"think"}  # settings of a loss that say which tokens are learnt
UNUSED_BY_GRPO = {"batch_size", "max_tokens", "checkpoint_steps"}  # rows per step and their length are its own
PAGE = ("index.html", "page.css", "page.js")


def _dicts(keys: Sequence[Any]) -> list[Spec]:
    return [key._asdict() for key in keys]


class Specs(Miniature):
    """Specs of all rules under one selection; those of the miniature's world are inherited."""

    def __init__(self, claims: Claims, report: Report, asked: Config) -> None:
        paper = claims.paper
        super().__init__(paper.selection)
        self.paper, self.sets, self.paths, self.claims, self.report = paper, paper.sets, paper.paths, claims, report
        self.asked = asked  # the config without the lock's commits

    # ------------------------------------------------------------ hub
    def lock_hub(self) -> Spec:
        return {"sources": remote_sources(self.asked), **plain(self.config.hub)}

    def check_hub(self) -> Spec:
        return {"sources": remote_sources(used(self.asked)), "lock": self.config.hub.lock}

    fetch = check_hub

    # ------------------------------------------------------------ data
    def prepare_prompts(self, prompts: str) -> Spec:
        return {"role": prompts, **_rows(getattr(self.config.prompts, prompts))}

    def prepare_benchmark(self, benchmark: str) -> Spec:
        entry = self.config.benchmarks[benchmark]
        asked = {name: getattr(entry, name) for name in ("kind", "task", "template", "option_order")}
        some = {"take": entry.take} if entry.take else {}
        return {"benchmark": benchmark, **asked, **_rows(entry), **some}

    def prepare_corpus(self, corpus: str) -> Spec:
        entry = self.config.corpora[corpus]
        parts = {role: _part(part) for role in ROLES if (part := getattr(entry, role))}
        drawn = any(part["order"] == "random" for part in parts.values())
        texts = {name: text for name in ("thought", "primer") if (text := getattr(entry, name))}
        seed = ["corpus", self.config.seeds.data, corpus] if drawn else None
        return {"corpus": corpus, "format": entry.format, "seed": seed, **texts, **parts}

    # ------------------------------------------------------------ models
    def _student(self, student: str) -> Spec:
        family = self.config.families[self.selection.family_of(student)]
        return {"student": student, "model": plain(self.config.models[student].source), "chat": plain(family.chat)}

    def describe_chat(self, student: str) -> Spec:
        longest = max(decoding["max_tokens"] for decoding in plain(self.config.sampling).values())
        return self._student(student) | {"family": self.selection.family_of(student), "max_tokens": longest}

    def _sampling(self, kind: str, student: str, shard: str) -> Spec:
        decoding = plain(getattr(self.config.sampling, kind))
        decoding["top_k"] = decoding["top_k"][self.selection.family_of(student)]
        shards = {"shard": int(shard), "shards": getattr(self.config.shards, kind)}
        return self._student(student) | {"sampling": decoding, "engine": plain(self.config.engine)} | shards

    def _guard(self, guard: str, view: str | None = None) -> Spec:
        """Return what verdicts depend on of a guard's entry; its format is an input. ``view`` overrides its own."""
        entry = plain(self.config.guards[guard])
        own = {name: entry.get(name) for name in ("kind", "batch_size", "max_prompt_tokens", "source")}
        return own | {"judged_text": view or entry["judged_text"]}

    # ------------------------------------------------------------ generation
    def sample_responses(
        self, student: str, steering: str, samples: str, replicate: str, prompts: str, shard: str
    ) -> Spec:
        return self._sampling("data", student, shard) | {
            "take": getattr(self.config.prompts, prompts).take,
            "steering": self.config.steerings[steering],
            "samples": int(samples),
            "seed": ["data", self.config.seeds.data, int(replicate), student, steering],
        }

    def judge_responses(self, guard: str, view: str | None = None, **_: str) -> Spec:
        oracle = self.config.guards[guard].kind == "oracle"
        engine = None if oracle else plain(self.config.engine) | {"batch_size": None}
        return {"guard": self._guard(guard, view), "engine": engine}

    def filter_responses(self, student: str, method: str, replicate: str) -> Spec:
        # Which responses and which guard is in the inputs' paths; which sample is taken depends on this alone.
        return {"seed": ["pick", self.config.seeds.data, int(replicate), student]}

    def import_released(self, student: str, method: str, replicate: str) -> Spec:
        entry = self.config.sources[student][method]
        parts = {role: _part(getattr(entry, role), leave_out={}) for role in ROLES}
        drawn = any(part["order"] == "random" for part in parts.values())
        seed = ["sources", self.config.seeds.data, student, method] if drawn else None
        return self._student(student) | {"method": method, "seed": seed, **parts}

    def derive_training_set(self, student: str, method: str, replicate: str) -> Spec:
        return {"strip_reasoning": bool(self.config.methods[method].data.strip_reasoning)}

    # ------------------------------------------------------------ training
    def _training(self, student: str, method: str, replicate: str) -> Spec:
        return self._student(student) | {
            "epochs": self.sets.epochs_of(method),
            "seed": ["training", self.config.seeds.training, int(replicate), student],
        }

    def train_student(self, student: str, method: str, replicate: str) -> Spec:
        training = {key: value for key, value in self.sets.settings_of(method).items() if key != "checkpoint_steps"}
        name, settings = self.sets.loss_of(method)
        return self._training(student, method, replicate) | {"loss": {name: settings}, "training": training}

    def train_grpo(self, student: str, method: str, replicate: str) -> Spec:
        grpo, settings = self.config.methods[method].grpo, self.sets.settings_of(method)
        engine = self.config.engine
        return self._training(student, method, replicate) | {
            "take": self.prompts_taken(method),
            "grpo": {key: value for key, value in plain(grpo).items() if key not in ("guard", "prompts")},  # inputs
            "training": {key: value for key, value in settings.items() if key not in UNUSED_BY_GRPO},
            "guard": self._guard(grpo.guard),
            "engine": {"name": engine.name, "dtype": engine.dtype, "tensor_parallel": engine.tensor_parallel},
        }

    def prompts_taken(self, method: str) -> list[int | None]:
        """Return how many of each file's prompts GRPO takes; a training set has been sampled from those already."""
        if self.config.methods[method].grpo.prompts == "filtered":
            return [None]
        return [getattr(self.config.prompts, role).take for role in ROLES]

    # ------------------------------------------------------------ evaluation
    def sample_answers(self, student: str, method: str, replicate: str, benchmark: str, shard: str) -> Spec:
        return self._sampling(self.config.benchmarks[benchmark].decoding, student, shard) | {
            "steering": "{prompt}",
            "samples": self.config.benchmarks[benchmark].samples,
            # The same seeds for every method: what differs between two rows of a table is the training alone.
            "seed": ["evaluation", self.config.seeds.evaluation, int(replicate), student],
        }

    def score_safety(self, benchmark: str, **_: str) -> Spec:
        return {
            "kind": self.config.benchmarks[benchmark].kind,
            "audits": self.report.audits_of(benchmark),
            "confidence": self.config.scoring.confidence,
        }

    def score_reasoning(self, benchmark: str, **_: str) -> Spec:
        scoring, task = self.config.scoring, self.config.benchmarks[benchmark].task
        return {"task": task, "timeout_seconds": scoring.timeout_seconds, "confidence": scoring.confidence}

    def score_perplexity(self, student: str, method: str, replicate: str) -> Spec:
        name, settings = self.sets.loss_of(method)
        loss = {name: {key: value for key, value in settings.items() if key in TOKEN_SETTINGS}}
        entry = self._student(student)
        return {"model": entry["model"], "chat": entry["chat"], "dtype": self.config.engine.dtype, "loss": loss}

    def write_printed_scores(self) -> Spec:
        entries = {name: self.config.benchmarks[name] for name in self.selection.benchmarks}
        facts = ("kind", "rows", "samples")
        return {
            "cells": _dicts(self.selection.cells()),
            "benchmarks": {name: {key: getattr(entry, key) for key in facts} for name, entry in entries.items()},
            "confidence": self.config.scoring.confidence,
        }

    # ------------------------------------------------------------ tables
    def _labels(self, students: Sequence[str], methods: Sequence[str]) -> Spec:
        labels = self.selection.labels
        return {"students": labels("models", students), "methods": labels("methods", methods)}

    def _scored(self, shown: Shown) -> Spec:
        """Return what a table of scores takes from config: which cells, in which order, under which labels."""
        return {
            "cells": _dicts(shown.cells),
            **self._labels(shown.students, self.selection.chosen(shown.methods)),
            "benchmarks": self.selection.columns(),
            "confidence": self.config.scoring.confidence,
        }

    def write_main_table(self, table: str) -> Spec:
        shown = self.paper.table(table)
        pairs = dict.fromkeys((cell.student, cell.method) for cell in shown.cells)
        released = [list(pair) for pair in pairs if not self.sets.samples_itself(*pair)]
        return self._scored(shown) | ({"released": released} if released else {})

    def write_averages(self, figure: str) -> Spec:
        return self._scored(self.paper.figure(figure))

    write_gains = write_averages

    def _arms(self, table: str, claim: str | None, arms: Sequence[Arm], students: Sequence[str]) -> Spec:
        """Return the arms and students of a table of training sets: the run's, or those that a claim is about."""
        if claim:
            arms, students = self.claims.arms(claim, table), self.claims.own_sets["students"]
        return {
            "cells": _dicts(arms),
            "students": self.selection.labels("models", students),
            "confidence": self.config.scoring.confidence,
        }

    def write_table3(self, claim: str | None = None) -> Spec:
        return self._arms("table3", claim, self.paper.table3_arms(), self.paper.table3_students())

    def write_lengths(self, figure: str = "9", claim: str | None = None) -> Spec:
        students = self.paper.thinksafe_students(LENGTHS[figure])
        return self._arms("lengths", claim, self.paper.lengths_arms(figure), students)

    def write_figure8_table(self, claim: str | None = None) -> Spec:
        methods = self.selection.labels("methods", self.paper.figure8_methods())
        return self._arms("figure8", claim, self.paper.figure8_arms(), self.selection.students) | {"methods": methods}

    def write_effects(self, claim: str | None = None) -> Spec:
        spec = self._arms("effects", claim, self.paper.effect_arms(), self.paper.effect_students())
        return spec | {
            "pairs": [{"student": arm["student"], "replicate": arm["replicate"]} for arm in spec["cells"]],
            "cells": [] if claim else _dicts(self.paper.effect_cells()),
            "methods": self.selection.labels("methods", ["initial", "rejection", "thinksafe"]),
            "benchmarks": self.selection.columns(),
            "min_effect": self.config.scoring.min_effect,
        }

    def write_table4(self) -> Spec:
        cells = []
        for arm in self.selection.arms(trained=True):
            grpo = self.config.methods[arm.method].grpo
            facts = {
                "epochs": self.sets.epochs_of(arm.method),
                "steps": grpo.steps if grpo else None,
                "take": self.prompts_taken(arm.method) if grpo else None,
                "sets": [path.removeprefix(f"{RESULTS}/") for path in self.paths.trained_on(*arm)],
            }
            cells.append(arm._asdict() | facts | self.sets.origin_of(arm.student, arm.method))
        return {"cells": cells, **self._labels(self.selection.students, self.selection.methods)}

    def write_table5(self) -> Spec:
        methods = self.selection.labels("methods", self.selection.methods)
        return {"steerings": self.sets.steerings_used(), "methods": methods}

    def write_beside_paper(self, table: str) -> Spec:
        metrics = [[entry["id"], entry["label"]] for entry in self.selection.columns()]
        averages = [["safety_avg", "Safety average"], ["reasoning_avg", "Reasoning average"]]
        filtered = [
            [f"filtered_out_pct_{half}", f"{half.capitalize()}, filtered out"] for half in ("benign", "harmful")
        ]
        return {
            "table": table,
            **self._labels(self.paper.beside_students(table), self.paper.table(table).methods),
            "labels": [*metrics, *averages, *filtered],
            "footnotes": [note for note in self.paper.footnotes if int(table) in note["tables"]],
            "confidence": self.config.scoring.confidence,
            "min_effect": self.config.scoring.min_effect,
        }

    def write_figure2_table(self) -> Spec:
        return {"public": self.config.report.public}

    def _cost(self, arms: Sequence[Arm], students: Sequence[str], methods: Sequence[str]) -> Spec:
        return {"jobs": self.paper.cost_jobs(arms), **self._labels(students, methods)}

    def write_cost(self) -> Spec:
        return self._cost(self.selection.arms(), self.selection.students, self.selection.methods)

    def write_figure3_cost(self) -> Spec:
        shown = self.paper.figure(3)
        return self._cost(self.paper.arms_of(3), shown.students, shown.methods)

    def claim_cost(self, claim: str) -> Spec:
        return self._cost(self.claims.arms(claim, "cost"), self.claims.own_sets["students"], self.selection.methods)

    def write_judge_study(self) -> Spec:
        return {
            "cells": _dicts(self.paper.judged_cells()),
            "judges": self.paper.judges(),
            "own_views": {guard: self.config.guards[guard].judged_text for guard, _ in self.paper.judges()},
            **self._labels(self.selection.students, self.paper.table(6).methods),
            "benchmarks": self.selection.benchmarks_of("harm"),
            "confidence": self.config.scoring.confidence,
        }

    def judge_claims(self, claim: str | None = None) -> Spec:
        return self.claims.spec(claim)

    # ------------------------------------------------------------ figures
    def plot_averages(self, figure: str = "3") -> Spec:
        shown = self.paper.figure(figure)
        return self._labels(shown.students, shown.methods)

    def plot_tradeoff(self) -> Spec:
        return self.plot_averages("1")

    def plot_perplexity(self) -> Spec:
        return self._labels(self.selection.students, self.paper.figure8_methods())

    plot_lengths = write_lengths

    def plot_samples(self) -> Spec:
        """Return who the samples' speakers are, and what the steered student was told."""
        student, method = self.paper.figure2()
        models, teacher = self.config.models, None
        if method:
            entry = self.config.methods[method]
            teacher = [f"{entry.label}'s set" if entry.data.corpus else models[entry.data.teacher].label, method]
        steering = self.config.methods["thinksafe"].data.harmful.steering
        return {
            "student": models[student].label,
            "teacher": teacher,
            "instruction": self.config.steerings[steering],
        }

    def plot_gains(self, figure: str) -> Spec:
        """Return whose responses each method of the figure learns from."""
        shown, methods, models = self.paper.figure(figure), self.config.methods, self.config.models
        taught = [method for method in shown.methods if method in self.sets.taught]
        return {
            "students": self.selection.labels("models", shown.students),
            "sources": [["thinksafe", "Self"], *([name, models[methods[name].data.teacher].label] for name in taught)],
            "metrics": ["gain_ratio"] if figure == "5" else ["safety_gain", "reasoning_gain"],
        }

    def plot_judge_study(self) -> Spec:
        methods = self.selection.labels("methods", self.paper.table(6).methods)
        return {"judges": self.paper.judges(), "methods": methods}

    # ------------------------------------------------------------ pages
    def write_report(self) -> Spec:
        scored = self._scored(Shown(self.selection.students, self.selection.methods, self.selection.cells()))
        del scored["confidence"]
        return scored | {
            "run": self.config.run,
            "use_paper_scores": self.config.use_paper_scores,
            "adapters": _dicts(self.report.arms),
            "template": {name: content_of(ROOT / "report/page" / name) for name in PAGE},
            **plain(self.config.report),
        }

    def write_appendix(self) -> Spec:
        # The shipped overlay that names this run; None for the paper's config and the user's own.
        overlay = Path("config") / f"{self.config.run}.yaml"
        return {
            "run": self.config.run,
            "config": str(overlay) if (ROOT / overlay).is_file() else None,
            "use_paper_scores": self.config.use_paper_scores,
            "seeds": plain(self.config.seeds),
            "replicates": self.selection.replicates,
            "confidence": self.config.scoring.confidence,
            "students": [self.config.models[name].label for name in self.selection.students],
            "methods": [self.config.methods[name].label for name in self.selection.methods],
            "benchmarks": [entry["label"] for entry in self.selection.columns()],
            "licences": read(ROOT / "config/licences/assets.yaml"),
            "template": {name: content_of(ROOT / "report" / name) for name in ("appendix.md", "checklist.md")},
        }


def _rows(entry: Any) -> Spec:
    """Return what a set of rows depends on, of prompts or a benchmark."""
    absent = {"rows": None, "source_rows": None, "leave_out": {}}
    rows = plain(entry)
    return absent | {key: rows[key] for key in (*absent, "source", "columns", "where", "contains") if key in rows}


def _part(part: Any, **absent: Any) -> Spec:
    """Return what one half of a training set that others made depends on; ``absent`` keys have these values."""
    return {"order": "first", "take": None, **absent, **plain(part)}
