"""What a selection needs of all that a config defines."""

from __future__ import annotations

from typing import NamedTuple

from thinksafe.config.types import Config


class Needs(NamedTuple):
    """Ids of what a selection uses, in the order in which it comes to them; an id may be unknown."""

    models: list[str]  # students, and the teachers of their methods
    guards: list[str]
    corpora: list[str]
    benchmarks: list[str]
    sources: list[tuple[str, str]]  # student and method of the released training sets


def methods_of(config: Config, student: str) -> list[str]:
    """Return the selected methods that are meant for a model, in the order of the selection."""
    model = config.models.get(student)
    entries = {name: config.methods[name] for name in config.select.methods if name in config.methods}
    return [
        name
        for name, method in entries.items()
        if model and model.family in (method.families or [model.family]) and student in (method.students or [student])
    ]


def halves_of(config: Config, student: str, method: str) -> dict[str, tuple[str, str]]:
    """Return student and method of the filtered sets that the halves of a training set come from, by role."""
    data = config.methods[method].data
    if data is None or data.corpus is not None:
        return {}
    teacher, origin = data.teacher or student, data.base_method or method
    own = data.benign_half == "own"
    return {"harmful": (teacher, origin), "benign": (student if own else teacher, origin)}


def needs(config: Config) -> Needs:
    """Return what a selection uses."""
    models, sources = list(config.select.students), []
    corpora, guards = [], []
    for student in config.select.students:
        for name in methods_of(config, student):
            method = config.methods[name]
            if method.grpo:
                guards.append(method.grpo.guard)
            if method.data and method.data.corpus:
                corpora.append(method.data.corpus)
            for who, what in halves_of(config, student, name).values():
                models.append(who)
                if what in config.sources.get(who, {}):
                    sources.append((who, what))
                elif what in config.methods and (data := config.methods[what].data):
                    guards.append(data.guard)
    judges = [config.benchmarks[name].guard for name in config.select.benchmarks if name in config.benchmarks]
    study = config.judge_study.guards if config.judge_study.in_all else []
    guards = [name for name in (*judges, *config.audit, *study, *guards) if name]
    lists = (models, guards, corpora, config.select.benchmarks, sources)
    return Needs(*(list(dict.fromkeys(names)) for names in lists))
