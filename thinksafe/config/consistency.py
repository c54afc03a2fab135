"""What a config cannot mean although each of its values is possible: found before any job starts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from thinksafe.config.selection import needs
from thinksafe.config.types import Benchmark, Config, Corpus, RowSet
from thinksafe.suggest import nearest

HALVES = ("harmful", "benign")
KINDS = {"harm": ("llama-guard", "wildguard", "oracle"), "refusal": ("wildguard", "oracle")}
CHECKS: list[Callable[[Config], Iterator[str]]] = []


class Broken(Exception):
    """A check has asked for a section whose values cannot be relied on."""


class _Sections:
    """A config of which some sections are broken."""

    def __init__(self, config: Config, broken: Collection[str]) -> None:
        self._config, self._broken = config, broken

    def __getattr__(self, name: str) -> Any:
        if name in self._broken:
            raise Broken
        return getattr(self._config, name)


def inconsistencies(config: Config, broken: Collection[str] = ()) -> list[str]:
    """Return one text per contradiction; checks that need one of the ``broken`` sections are left out."""
    found: list[str] = []
    for check in CHECKS:
        try:
            found += list(check(_Sections(config, broken)))
        except Broken:
            continue
    return found


def _check(function: Callable[[Config], Iterator[str]]) -> Callable[[Config], Iterator[str]]:
    CHECKS.append(function)
    return function


def _unknown(path: str, names: Iterable[str | None], known: Collection[str], what: str) -> Iterator[str]:
    for name in names:
        if name is not None and name not in known:
            guess = nearest(name, known)
            mean = f"did you mean {guess}?" if guess else f"defined are {', '.join(known)}"
            yield f"{path}: no {what} is called {name!r}; {mean}"


def _holds_once(path: str, text: str | None, field: str, what: str = "") -> Iterator[str]:
    if text is not None and (count := text.count(field)) != 1:
        yield f"{path}: {what}holds {field} {count} times; it must stand there exactly once"


def _given(part: Any) -> set[str]:
    """Return the keys of a section that are given."""
    return {key for key, value in part if value is not None}


@_check
def _students(config: Config) -> Iterator[str]:
    yield from _unknown("select.students", config.select.students, config.models, "model")


@_check
def _methods(config: Config) -> Iterator[str]:
    selected, methods = config.select.methods, config.methods
    yield from _unknown("select.methods", selected, methods, "method")
    if "initial" not in selected:
        yield "select.methods: initial is missing; every method is compared with it, so add it to the list"
    for name, method in methods.items():
        given = _given(method)
        if name == "initial":
            for key in sorted(given - {"label"}):
                yield f"methods.initial.{key}: initial is the untrained student; give a trained method another id"
        elif lacking := [key for key in ("data", "epochs") if key not in given and not (key == "data" and method.grpo)]:
            guess = nearest(name, [other for other in methods if other != name])
            mean = f" (or did you mean methods.{guess}?)" if guess and name not in selected else ""
            yield f"methods.{name}: {' and '.join(lacking)} missing; only initial does without training{mean}"


@_check
def _paper_scores(config: Config) -> Iterator[str]:
    if not Path(config.paper).is_dir():
        yield f"paper: there is no folder {config.paper}; config/paper holds what the paper prints"
    if not config.use_paper_scores:
        return
    if len(config.replicates) > 1:
        yield "use_paper_scores: the paper prints one run; give replicates a single number"
    for name in config.select.benchmarks:
        if name in config.benchmarks and config.benchmarks[name].rows is None:
            yield f"benchmarks.{name}.rows: missing, from which a printed percentage gets its count"


@_check
def _grpo(config: Config) -> Iterator[str]:
    for name, method in config.methods.items():
        if not (grpo := method.grpo):
            continue
        path, filtered = f"methods.{name}.grpo", grpo.prompts == "filtered"
        if filtered and not (method.data and method.data.guard):
            yield f"{path}.prompts: filtered and the training set of methods.{name} do not fit; sample one under `data`"
        for key in ("loss", "original") if filtered else ("data", "loss", "original"):
            if getattr(method, key) is not None:
                yield f"methods.{name}.{key}: means nothing with grpo; drop it ({key}: null)"
        yield from _unknown(f"{path}.guard", [grpo.guard], config.guards, "guard")
        if grpo.guard in config.guards and config.guards[grpo.guard].kind == "oracle":
            yield f"{path}.guard: an oracle has no probabilities to reward by; take a guard that is a model"
        if name in config.select.methods and grpo.sampler != "trainer" and config.engine.name != "vllm":
            yield f"{path}.sampler: {grpo.sampler} needs vllm, and engine.name is transformers; say trainer"


@_check
def _benchmarks(config: Config) -> Iterator[str]:
    yield from _unknown("select.benchmarks", config.select.benchmarks, config.benchmarks, "benchmark")


@_check
def _families(config: Config) -> Iterator[str]:
    families = config.families
    for name, model in config.models.items():
        yield from _unknown(f"models.{name}.family", [model.family], families, "family")
    for name, method in config.methods.items():
        yield from _unknown(f"methods.{name}.families", method.families or [], families, "family")
        yield from _unknown(f"methods.{name}.students", method.students or [], config.models, "model")
    for name, decoding in config.sampling:
        yield from _unknown(f"sampling.{name}.top_k", decoding.top_k, families, "family")
        for family in families.keys() - decoding.top_k.keys():
            yield f"sampling.{name}.top_k: {family} is missing; give a number for each family, 0 for off"
    tables = {family.table: name for name, family in families.items()}
    for name, family in families.items():
        tags = family.chat.think if family.chat else None
        if tags is not None and (len(tags) != 2 or tags[0] == tags[1]):
            yield f"families.{name}.chat.think: needs two tags, one that opens and one that closes, not {tags}"
        if family.table and (other := tables[family.table]) != name:
            yield f"families.{name}.table: {family.table} is the table of {other} too; give each its own"


@_check
def _sampled_sets(config: Config) -> Iterator[str]:
    for name, method in config.methods.items():
        if method.data and method.data.guard:
            yield from _unknown(f"methods.{name}.data.guard", [method.data.guard], config.guards, "guard")
            for half in HALVES:
                steering = getattr(method.data, half).steering
                yield from _unknown(f"methods.{name}.data.{half}.steering", [steering], config.steerings, "steering")


def _samples(config: Config, name: str) -> bool:
    """Return whether a method samples its training set; of an unknown one this is not said."""
    data = config.methods[name].data if name in config.methods else None
    return name not in config.methods or bool(data and data.guard)


@_check
def _derived_sets(config: Config) -> Iterator[str]:
    for name, method in config.methods.items():
        data, path = method.data, f"methods.{name}.data"
        if not (data and data.base_method):
            continue
        base, teacher = data.base_method, data.teacher
        yield from _unknown(f"{path}.base_method", [base], config.methods, "method")
        if not _samples(config, base):
            yield f"{path}.base_method: {base} samples no training set; name a method whose `data` has a guard"
        if teacher is None and not data.strip_reasoning:
            yield f"{path}: this is the set of {base} itself; set `from: <model>` or `strip_reasoning: true`"
        yield from _unknown(f"{path}.from", [teacher], config.models, "model")
        if teacher in (method.students or []):
            yield f"methods.{name}.students: {teacher} taught by itself is {base}; leave it out"


@_check
def _released_sets(config: Config) -> Iterator[str]:
    for student, entries in config.sources.items():
        yield from _unknown("sources", [student], config.models, "model")
        for name, entry in entries.items():
            path = f"sources.{student}.{name}"
            yield from _unknown(f"sources.{student}", [name], config.methods, "method")
            if not _samples(config, name):
                yield f"{path}: {name} samples nothing that a released set could stand in for; drop it"
            for half, part in entry:
                if (given := _given(part.columns) - {"category"}) != {"prompt", "response"}:
                    yield f"{path}.{half}.columns: needs prompt, response, and has {_list(given)}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


# format: (columns that it reads, columns that it may read, its own option)
FORMATS = {
    "direct-refusal": ({"prompt", "response"}, set(), "thought"),
    "safechain": ({"prompt", "response"}, set(), None),
    "star1": ({"prompt", "response"}, set(), None),
    "safepath": ({"prompt"}, set(), "primer"),
    "safekey": ({"prompt", "response"}, {"query_end", "key_end"}, None),
}
OF_LOSS = {"primer": "safepath", "safekey": "safekey"}  # losses that read one format only


def _halves(corpus: Corpus) -> dict[str, RowSet]:
    return {half: part for half in HALVES if (part := getattr(corpus, half))}


@_check
def _corpora(config: Config) -> Iterator[str]:
    for name, corpus in config.corpora.items():
        path = f"corpora.{name}"
        needed, possible, option = FORMATS[corpus.format]
        if not _halves(corpus):
            yield f"{path}: has no rows; give harmful, benign, or both"
        for half, part in _halves(corpus).items():
            given = _given(part.columns) - {"category"}
            if not needed <= given <= needed | possible or len(given & possible) == 1:
                more = f", or these with {' and '.join(sorted(possible))}" if possible else ""
                yield f"{path}.{half}.columns: {corpus.format} needs {_list(needed)}{more}, and has {_list(given)}"
        if option and getattr(corpus, option) is None:
            yield f"{path}.{option}: missing, which format {corpus.format} needs"
        for key in _given(corpus) & {"thought", "primer"} - {option}:
            yield f"{path}.{key}: means nothing for format {corpus.format}; drop it ({key}: null)"


@_check
def _losses(config: Config) -> Iterator[str]:
    for name, method in config.methods.items():
        path, named = f"methods.{name}", method.data.corpus if method.data else None
        (loss,) = _given(method.loss) if method.loss else {"nll"}
        yield from _unknown(f"{path}.data.corpus", [named], config.corpora, "corpus")
        if named is not None and named not in config.corpora:
            continue
        corpus = config.corpora.get(named)
        form, wanted = corpus.format if corpus else None, OF_LOSS.get(loss)
        if wanted and form != wanted:
            yield f"{path}.loss: {loss} learns from a corpus of format {wanted}, not from {form or 'responses'}"
        if loss == "kl" and corpus and len(halves := _halves(corpus)) == 1:
            yield f"{path}.loss: kl learns from harmful and benign rows, and {named} has {min(halves)} ones"
        if form == "safepath" and loss != "primer":
            yield f"{path}.loss: {loss} would teach to stop after the primer; say primer"


@_check
def _steerings(config: Config) -> Iterator[str]:
    for name, text in config.steerings.items():
        yield from _holds_once(f"steerings.{name}", text, "{prompt}")


@_check
def _engine(config: Config) -> Iterator[str]:
    engine = config.engine
    if engine.name == "transformers" and (parallel := engine.tensor_parallel) > 1:
        yield f"engine.tensor_parallel: transformers runs a model in one piece, not {parallel}; set 1, or name: vllm"


@_check
def _guards(config: Config) -> Iterator[str]:
    yield from _unknown("audit", config.audit, config.guards, "guard")
    yield from _unknown("judge_study.guards", config.judge_study.guards, config.guards, "guard")
    for name, guard in config.guards.items():
        path, given = f"guards.{name}", _given(guard)
        if guard.kind == "oracle" and guard.source:
            yield f"{path}.source: an oracle has no model; drop it (source: null), or change kind"
        if guard.kind != "oracle":
            if lacking := [key for key in ("source", "max_prompt_tokens", "batch_size") if key not in given]:
                yield f"{path}: {', '.join(lacking)} missing, which kind {guard.kind} needs"
        if guard.kind == "wildguard" and guard.format is None:
            yield f"{path}.format: missing; name the file with the guard's prompt, such as config/guards/wildguard.txt"
        if guard.kind != "wildguard" and guard.format is not None:
            yield f"{path}.format: only kind wildguard reads it; drop it (format: null)"


@_check
def _judges(config: Config) -> Iterator[str]:
    for name, benchmark in config.benchmarks.items():
        path, kind = f"benchmarks.{name}", benchmark.kind
        needed, foreign = ("guard",), ("task", "template")
        if kind == "reasoning":
            needed, foreign = foreign, needed
            yield from _holds_once(f"{path}.template", benchmark.template, "{problem}")
        for key in needed:
            if getattr(benchmark, key) is None:
                yield f"{path}.{key}: missing, which kind {kind} needs"
        for key in foreign:
            if getattr(benchmark, key) is not None:
                yield f"{path}.{key}: means nothing for kind {kind}; drop it ({key}: null)"
        if kind == "reasoning":
            continue
        yield from _unknown(f"{path}.guard", [benchmark.guard], config.guards, "guard")
        judge = config.guards.get(benchmark.guard)
        if judge and judge.kind not in KINDS[kind]:
            able = [guard for guard, entry in config.guards.items() if entry.kind in KINDS[kind]]
            yield f"{path}.guard: a {judge.kind} guard tells no {kind}; take one of {', '.join(able) or KINDS[kind]}"


def _prompt_sets(config: Config, benchmarks: Iterable[str]) -> dict[str, RowSet]:
    """Return the prompt sets and some benchmarks by path; unknown benchmarks are left out."""
    sets: dict[str, RowSet] = {f"prompts.{name}": part for name, part in config.prompts}
    return sets | {f"benchmarks.{name}": config.benchmarks[name] for name in benchmarks if name in config.benchmarks}


@_check
def _columns(config: Config) -> Iterator[str]:
    choices = {"problem", "correct", "incorrect"}
    for path, part in _prompt_sets(config, config.benchmarks).items():
        task = part.task if isinstance(part, Benchmark) else None
        reasoning = isinstance(part, Benchmark) and part.kind == "reasoning"
        given = _given(part.columns) - {"category"}
        if given not in ([{"problem", "answer"}, choices] if reasoning else [{"prompt"}]):
            need = "problem with answer, or problem with correct and incorrect" if reasoning else "prompt"
            yield f"{path}.columns: needs {need}, and has {_list(given)}"
        elif given == choices and task not in (None, "gpqa"):
            yield f"{path}.columns: choices are asked for by letter, not by task {task}; map answer"
        elif len(part.columns.incorrect or []) > 3:
            yield f"{path}.columns.incorrect: holds more than three; letters go from A to D"
        if isinstance(part, Benchmark) and part.option_order and "correct" not in given:
            yield f"{path}.option_order: there are no options without columns.correct; drop it (option_order: null)"


@_check
def _filters(config: Config) -> Iterator[str]:
    sets = _prompt_sets(config, config.benchmarks)
    for name, corpus in config.corpora.items():
        sets |= {f"corpora.{name}.{half}": part for half, part in _halves(corpus).items()}
    for path, part in sets.items():
        for column, values in (part.leave_out or {}).items():
            if column not in part.where:
                yield f"{path}.leave_out.{column}: where has no {column}; say which rows are taken, or drop this"
            elif both := sorted(set(values) & set(part.where[column])):
                yield f"{path}.leave_out.{column}: {', '.join(both)} is taken by where; leave it in one of them"
        if part.source_rows and part.rows and part.source_rows < part.rows:
            yield f"{path}.source_rows: {part.source_rows} rows before any are left out, and {part.rows} after"
        there, take = part.rows or part.source_rows, getattr(part, "take", None)
        if there and take and take > there:
            yield f"{path}.take: {take} are asked for and there are {there}; lower it, or take: null"
    harmful, benign = config.prompts.harmful, config.prompts.benign
    if harmful.source == benign.source:
        for column in sorted(harmful.where.keys() & benign.where.keys()):
            if both := sorted(set(harmful.where[column]) & set(benign.where[column])):
                yield f"prompts: {column} {', '.join(both)} is harmful and benign; leave it in one `where` only"


@_check
def _sources(config: Config) -> Iterator[str]:
    needed = needs(config)
    parts: dict[str, Any] = _prompt_sets(config, needed.benchmarks)
    for section, names in (("models", needed.models), ("guards", needed.guards)):
        parts |= {f"{section}.{name}": entry for name in names if (entry := getattr(config, section).get(name))}
    for name in needed.corpora:
        if name in config.corpora:
            parts |= {f"corpora.{name}.{half}": part for half, part in _halves(config.corpora[name]).items()}
    for student, name in needed.sources:
        parts |= {f"sources.{student}.{name}.{half}": part for half, part in config.sources[student][name]}
    for path, part in parts.items():
        given = _given(part.source) if part.source else set()
        where = f"{path}.source" if part.source else path
        made = {"world", "published", "built"} & given or getattr(part, "kind", None) == "oracle"
        if made and not config.world:
            yield f"{where}: needs a synthetic world, and there is no `world:`; add --configfile config/miniature.yaml"
        if "built" in given and (part.source.built == "guard") != path.startswith("guards."):
            able = "guard" if path.startswith("guards.") else "student or teacher"
            yield f"{where}.built: a {part.source.built} cannot stand here; say {able}"
        if "file" in given and not Path(part.source.file).is_file():
            yield f"{where}.file: there is no file {part.source.file}"
        if "folder" in given and not (folder := Path(part.source.folder)).is_dir():
            yield f"{where}.folder: there is no folder {folder}"
        elif "folder" in given and not (folder / "config.json").is_file():
            yield f"{where}.folder: {folder} holds no model (config.json is missing)"


@_check
def _formats(config: Config) -> Iterator[str]:
    for name in needs(config).guards:
        guard, path = config.guards.get(name), f"guards.{name}.format"
        if not (guard and guard.kind == "wildguard" and guard.format):
            continue
        if not (file := Path(guard.format)).is_file():
            yield f"{path}: there is no file {file}"
            continue
        for field in ("{prompt}", "{response}"):
            yield from _holds_once(path, file.read_text(encoding="utf-8"), field, f"{file} ")


@_check
def _shards(config: Config) -> Iterator[str]:
    for name in config.select.benchmarks:
        if benchmark := config.benchmarks.get(name):
            section, rows = benchmark.decoding, benchmark.rows
            if rows and (jobs := getattr(config.shards, section)) > rows:
                yield f"shards.{section}: {jobs} jobs for the {rows} rows of {name} would leave some empty; lower it"


@_check
def _worlds_rows(config: Config) -> Iterator[str]:
    if not config.world:
        return
    rows = dict(config.world.rows)
    for path, part in _prompt_sets(config, config.select.benchmarks).items():
        name = part.source.world
        yield from _unknown(f"{path}.source.world", [name], rows, "set of the world")
        if name in rows and part.rows not in (None, rows[name]):
            yield f"{path}.rows: {part.rows} are expected and world.rows.{name} makes {rows[name]}; set both alike"


@_check
def _worlds_models(config: Config) -> Iterator[str]:
    if not config.world:
        return
    for task, text in config.world.templates:
        yield from _holds_once(f"world.templates.{task}", text, "{problem}")
    for role in ("student", "teacher"):
        if not sum(getattr(config.world, role).mix.values()):
            yield f"world.{role}.mix: every weight is 0; give at least one kind a weight"
    built = {name: model for name, model in config.models.items() if model.source.built}
    students = {model.family for model in built.values() if model.source.built == "student"}
    for name, model in built.items():
        if model.source.built == "teacher" and model.family not in students:
            yield f"models.{name}: a built teacher goes on from a built student, and {model.family} has none"
