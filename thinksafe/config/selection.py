"""The models, guards, corpora, benchmarks and released sets that a selection uses."""

from typing import NamedTuple

from thinksafe.config.types import Config


class Needs(NamedTuple):
    """Ids of what a selection uses, in the order of their use; an id may be undefined."""

    models: list[str]  # students, and the teachers of their methods
    guards: list[str]
    corpora: list[str]
    benchmarks: list[str]
    sources: list[tuple[str, str]]  # student and method of each released training set


def methods_of(config: Config, student: str) -> list[str]:
    """Return the selected methods that train a model, in the order of the selection."""
    if student not in config.models:
        return []
    family = config.models[student].family
    entries = {name: config.methods[name] for name in config.select.methods if name in config.methods}
    ours = [(name, m) for name, m in entries.items() if family in (m.families or [family])]
    return [name for name, method in ours if student in (method.students or [student])]


def halves_of(config: Config, student: str, method: str) -> dict[str, tuple[str, str]]:
    """Return the student and the method of the filtered set that each half of a training set comes from."""
    data = config.methods[method].data
    if data is None or data.corpus is not None:
        return {}
    teacher, origin = data.teacher or student, data.base_method or method
    own = data.benign_half == "own"
    return {"harmful": (teacher, origin), "benign": (student if own else teacher, origin)}


def needs(config: Config) -> Needs:
    """Return the ids of what a selection uses."""
    selected = config.select
    judges = [config.benchmarks[name].guard for name in selected.benchmarks if name in config.benchmarks]
    study = config.judge_study.guards if config.judge_study.in_all else []
    guards = [*(name for name in judges if name), *config.audit, *study]
    needed = Needs(list(selected.students), guards, [], selected.benchmarks, [])
    for student in selected.students:
        for name in methods_of(config, student):
            method = config.methods[name]
            if method.grpo:
                needed.guards.append(method.grpo.guard)
            if method.data and method.data.corpus:
                needed.corpora.append(method.data.corpus)
            for teacher, origin in halves_of(config, student, name).values():
                needed.models.append(teacher)
                if origin in config.sources.get(teacher, {}):
                    needed.sources.append((teacher, origin))
                elif origin in config.methods and (data := config.methods[origin].data) and data.guard:
                    needed.guards.append(data.guard)
    return Needs(*(list(dict.fromkeys(names)) for names in needed))
