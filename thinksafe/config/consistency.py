"""Contradictions in a config whose values are each valid; they are found before any job starts."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from thinksafe.config.selection import needs
from thinksafe.config.types import Benchmark, Config, Corpus, RowSet, Section, described, plain
from thinksafe.suggest import nearest

# path of a name, a list of names, or a mapping by name (* is any id): the section that defines these names
REFERENCES = {
    "select.students": "models",
    "select.methods": "methods",
    "select.benchmarks": "benchmarks",
    "models.*.family": "families",
    "sampling.*.top_k": "families",
    "audit": "guards",
    "judge_study.guards": "guards",
    "benchmarks.*.guard": "guards",
    "methods.*.families": "families",
    "methods.*.students": "models",
    "methods.*.data.guard": "guards",
    "methods.*.data.harmful.steering": "steerings",
    "methods.*.data.benign.steering": "steerings",
    "methods.*.data.corpus": "corpora",
    "methods.*.data.base_method": "methods",
    "methods.*.data.from": "models",
    "methods.*.grpo.guard": "guards",
    "sources": "models",
    "sources.*": "methods",
}
NO_THINK = "none"  # families.*.chat.think of models that do not think
SINGULAR = {"families": "family", "corpora": "corpus"}
# kind of benchmark: kinds of guards that can judge it
KINDS = {"harm": ("llama-guard", "wildguard", "oracle"), "refusal": ("wildguard", "oracle")}
# kind of guard: (keys that it needs, keys that it does not use)
OF_GUARD = {
    "oracle": ([], ["source", "format"]),
    "llama-guard": (["source", "max_prompt_tokens", "batch_size"], ["format"]),
    "wildguard": (["source", "max_prompt_tokens", "batch_size", "format"], []),
}
# format of a corpus: (columns that it reads, columns that it may read, its own option)
FORMATS = {
    "direct-refusal": ({"prompt", "response"}, set(), "thought"),
    "safechain": ({"prompt", "response"}, set(), None),
    "star1": ({"prompt", "response"}, set(), None),
    "safepath": ({"prompt"}, set(), "primer"),
    "safekey": ({"prompt", "response"}, {"query_end", "key_end"}, None),
}
VLLM_RANK = 512  # the largest LoRA rank that vLLM serves (vllm.config.lora.MaxLoRARanks)
OF_LOSS = {"primer": "safepath", "safekey": "safekey"}  # losses that read one format only


def inconsistencies(config: Config, broken: Collection[str] = ()) -> list[str]:
    """Return one text per contradiction; what needs one of the ``broken`` sections is not checked."""
    readable = SimpleNamespace(**{name: part for name, part in config if name not in broken})
    found = list(_references(readable))
    for check in CHECKS:
        try:
            found += check(readable)
        except AttributeError:  # the check reads a broken section
            if not broken:
                raise
    return found


# ---------------------------------------------------------------- what the checks share
def _unknown(path: str, names: Iterable[str], known: Collection[str], what: str) -> Iterator[str]:
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            hint = f"did you mean {guess}?" if guess else f"defined are {', '.join(known)}"
            yield f"{path}: no {what} is called {name!r}; {hint}"


def _holds_once(path: str, text: str | None, field: str, subject: str = "") -> Iterator[str]:
    if text is not None and (count := text.count(field)) != 1:
        yield f"{path}: {subject}holds {field} {count} times; it must hold it exactly once"


def _fits(path: str, part: Section, what: str, needed: Iterable[str], unused: Iterable[str]) -> Iterator[str]:
    for key in needed:
        if getattr(part, key) is None:
            about = described(type(part), key)
            yield f"{path}.{key}: missing, and {what} needs it" + (f": {about}" if about else "")
    for key in unused:
        if getattr(part, key) is not None:
            yield f"{path}.{key}: {what} does not use it; drop it ({key}: null)"


def _given(part: Section) -> set[str]:
    """Return the keys of a section that have a value."""
    return {key for key, value in part if value is not None}


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _halves(path: str, part: Any) -> dict[str, RowSet]:
    """Return the harmful and the benign rows by path."""
    return {f"{path}.{half}": rows for half in ("harmful", "benign") if (rows := getattr(part, half))}


def _prompt_sets(config: Config, benchmarks: Iterable[str]) -> dict[str, RowSet]:
    """Return the prompt sets and some benchmarks by path; unknown benchmarks are left out."""
    known = {f"benchmarks.{name}": config.benchmarks[name] for name in benchmarks if name in config.benchmarks}
    return _halves("prompts", config.prompts) | known


def _samples(config: Config, method: str) -> bool:
    """Return whether a method samples its training set; an unknown method may."""
    data = config.methods[method].data if method in config.methods else None
    return method not in config.methods or bool(data and data.guard)


# ---------------------------------------------------------------- names
def _references(config: Config) -> Iterator[str]:
    for pattern, section in REFERENCES.items():
        first, *keys = pattern.split(".")
        if hasattr(config, first) and hasattr(config, section):
            for path, names in _matches(plain(getattr(config, first)), keys, first):
                names = [names] if isinstance(names, str) else names
                yield from _unknown(path, names, getattr(config, section), SINGULAR.get(section, section[:-1]))


def _matches(part: Any, keys: Sequence[str], path: str) -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of each match of ``keys`` in a part of a config; the key * matches any."""
    if not keys:
        yield path, part
        return
    for key in part if keys[0] == "*" else part.keys() & keys[:1]:
        yield from _matches(part[key], keys[1:], f"{path}.{key}")


# ---------------------------------------------------------------- methods and their training sets
def _methods(config: Config) -> Iterator[str]:
    selected, methods = config.select.methods, config.methods
    if "initial" not in selected:
        yield "select.methods: initial is missing; every method is compared with it, so add it to the list"
    for name, method in methods.items():
        given = _given(method)
        if name == "initial":
            for key in sorted(given - {"label"}):
                yield f"methods.initial.{key}: initial is the untrained student; give a trained method another id"
        elif lacking := [key for key in ("data", "epochs") if key not in given and not (key == "data" and method.grpo)]:
            guess = nearest(name, [other for other in methods if other != name])
            hint = f" (or did you mean methods.{guess}?)" if guess and name not in selected else ""
            yield f"methods.{name}: {' and '.join(lacking)} missing; only initial needs no training{hint}"


def _grpo(config: Config) -> Iterator[str]:
    for name, method in config.methods.items():
        if not (grpo := method.grpo):
            continue
        path, filtered = f"methods.{name}", grpo.prompts == "filtered"
        if filtered and not (method.data and method.data.guard):
            yield f"{path}.grpo.prompts: filtered needs a sampled training set; give methods.{name}.data a guard"
        yield from _fits(path, method, "grpo", (), ["loss", "original"] if filtered else ["data", "loss", "original"])
        if grpo.guard in config.guards and config.guards[grpo.guard].kind == "oracle":
            yield f"{path}.grpo.guard: an oracle has no probabilities for a reward; choose a guard that is a model"
        if name in config.select.methods and grpo.sampler != "trainer" and config.engine.name != "vllm":
            yield f"{path}.grpo.sampler: {grpo.sampler} needs vllm, and engine.name is transformers; set trainer"


def _derived_sets(config: Config) -> Iterator[str]:
    for name, method in config.methods.items():
        data, path = method.data, f"methods.{name}.data"
        if not (data and data.base_method):
            continue
        base, teacher = data.base_method, data.teacher
        if not _samples(config, base):
            yield f"{path}.base_method: {base} samples no training set; name a method whose `data` has a guard"
        if teacher is None and not data.strip_reasoning:
            yield f"{path}: this is the set of {base} itself; set `from: <model>` or `strip_reasoning: true`"
        if teacher in (method.students or []):
            yield f"methods.{name}.students: {teacher} taught by itself is {base}; leave it out"


def _released_sets(config: Config) -> Iterator[str]:
    for student, entries in config.sources.items():
        for name, entry in entries.items():
            path = f"sources.{student}.{name}"
            if not _samples(config, name):
                yield f"{path}: {name} samples no training set that a released set could replace; drop it"
            for half, rows in _halves(path, entry).items():
                if (given := _given(rows.columns) - {"category"}) != {"prompt", "response"}:
                    yield f"{half}.columns: needs prompt, response, and has {_list(given)}"


def _corpora(config: Config) -> Iterator[str]:
    for name, corpus in config.corpora.items():
        path = f"corpora.{name}"
        needed, possible, option = FORMATS[corpus.format]
        if not _halves(path, corpus):
            yield f"{path}: has no rows; give harmful, benign, or both"
        for half, rows in _halves(path, corpus).items():
            given = _given(rows.columns) - {"category"}
            if not needed <= given <= needed | possible or len(given & possible) == 1:
                more = f", or these with {' and '.join(sorted(possible))}" if possible else ""
                yield f"{half}.columns: {corpus.format} needs {_list(needed)}{more}, and has {_list(given)}"
        options = {option} - {None}
        yield from _fits(path, corpus, f"format {corpus.format}", options, {"thought", "primer"} - options)


def _losses(config: Config) -> Iterator[str]:
    for name, method in config.methods.items():
        path, named = f"methods.{name}.loss", method.data.corpus if method.data else None
        if named is not None and named not in config.corpora:
            continue
        (loss,) = _given(method.loss) if method.loss else {"nll"}
        corpus: Corpus | None = config.corpora.get(named)
        form, wanted = corpus.format if corpus else None, OF_LOSS.get(loss)
        if wanted and form != wanted:
            yield f"{path}: {loss} learns from a corpus of format {wanted}, not from {form or 'responses'}"
        if loss == "kl" and corpus and (not corpus.harmful or not corpus.benign):
            only = "harmful" if corpus.harmful else "benign"
            yield f"{path}: kl learns from harmful and benign rows, and {named} has only {only} ones"
        if form == "safepath" and loss != "primer":
            yield f"{path}: {loss} would teach to stop after the primer; set primer"


# ---------------------------------------------------------------- models, guards, evaluation
def _families(config: Config) -> Iterator[str]:
    for name, decoding in config.sampling:
        for family in config.families.keys() - decoding.top_k.keys():
            yield f"sampling.{name}.top_k: {family} is missing; give a number for each family, 0 for off"
    tables = {family.table: name for name, family in config.families.items()}
    for name, family in config.families.items():
        tags = family.chat.think if family.chat else None
        if tags not in (None, NO_THINK) and (len(tags) != 2 or tags[0] == tags[1]):
            yield f"families.{name}.chat.think: needs two tags, one that opens and one that closes, not {tags}"
        if family.table and (other := tables[family.table]) != name:
            yield f"families.{name}.table: {family.table} is the table of {other} too; give each its own"


def _traces(config: Config) -> Iterator[str]:
    """Refuse methods that teach reasoning to a model that does not think, or the other way round."""

    def thinks(model: str) -> bool:
        family = config.families.get(config.models[model].family)
        return not (family and family.chat and family.chat.think == NO_THINK)

    for name in config.select.methods:
        method = config.methods.get(name)
        for student in config.select.students if method else ():
            model = config.models.get(student)
            if not model or model.family not in (method.families or [model.family]):
                continue
            if student not in (method.students or [student]):
                continue
            data, grpo, teacher = method.data, method.grpo, method.data.teacher if method.data else None
            trained = {
                "its training set has reasoning": data and data.corpus,
                "strip_reasoning cuts reasoning": data and data.strip_reasoning,
                "a released set has reasoning": name in config.sources.get(student, {}),
                "grpo.weights.format rewards a think block": grpo and grpo.weights.format,
            }
            why = next((reason for reason, found in trained.items() if found and not thinks(student)), None)
            if teacher in config.models and thinks(teacher) != thinks(student):
                why = f"only one of it and its teacher {teacher} thinks"
            if why:
                silent = "thinks" if thinks(student) else f"does not think (families.{model.family}.chat.think: none)"
                hint = f"leave it out of select.methods, or list other families under methods.{name}.families"
                yield f"methods.{name}: does not fit {student}, which {silent}: {why}; {hint}"


def _texts(config: Config) -> Iterator[str]:
    for name, text in config.steerings.items():
        yield from _holds_once(f"steerings.{name}", text, "{prompt}")


def _engine(config: Config) -> Iterator[str]:
    engine = config.engine
    if engine.name == "transformers" and (parallel := engine.tensor_parallel) > 1:
        yield f"engine.tensor_parallel: transformers does not split a model over {parallel} GPUs; set 1, or name: vllm"
    if engine.name != "vllm":
        return
    settings: dict[str, Any] = {"training": config.training}
    for name in config.select.methods:
        if method := config.methods.get(name):
            settings |= {f"methods.{name}.training": method.training}
            settings |= {f"methods.{name}.original.training": method.original and method.original.training}
    for path, training in settings.items():
        if training and training.lora and (rank := training.lora.rank) > VLLM_RANK:
            yield f"{path}.lora.rank: vllm serves ranks up to {VLLM_RANK}, not {rank}; lower it, or name: transformers"


def _guards(config: Config) -> Iterator[str]:
    for name, guard in config.guards.items():
        yield from _fits(f"guards.{name}", guard, f"kind {guard.kind}", *OF_GUARD[guard.kind])


def _benchmarks(config: Config) -> Iterator[str]:
    for name, benchmark in config.benchmarks.items():
        path, kind, keys = f"benchmarks.{name}", benchmark.kind, (["guard"], ["task", "template"])
        yield from _fits(path, benchmark, f"kind {kind}", *(reversed(keys) if kind == "reasoning" else keys))
        if kind == "reasoning":
            yield from _holds_once(f"{path}.template", benchmark.template, "{problem}")
        elif (judge := config.guards.get(benchmark.guard)) and judge.kind not in KINDS[kind]:
            able = [guard for guard, entry in config.guards.items() if entry.kind in KINDS[kind]]
            hint = f"choose one of {', '.join(able) or KINDS[kind]}"
            yield f"{path}.guard: a {judge.kind} guard does not judge {kind}; {hint}"


def _paper_scores(config: Config) -> Iterator[str]:
    if not Path(config.paper).is_dir():
        yield f"paper: there is no folder {config.paper}; config/paper holds the paper's printed numbers"
    if not config.use_paper_scores:
        return
    if len(config.replicates) > 1:
        yield "use_paper_scores: the paper prints one run; give replicates a single number"
    for name in config.select.benchmarks:
        if name in config.benchmarks and config.benchmarks[name].rows is None:
            yield f"benchmarks.{name}.rows: missing; it turns a printed percentage into a count"
        if name in config.benchmarks and config.benchmarks[name].take:
            yield f"benchmarks.{name}.take: the paper's score is over all items; drop it (take: null)"


def _shards(config: Config) -> Iterator[str]:
    for name in config.select.benchmarks:
        if benchmark := config.benchmarks.get(name):
            section, rows = benchmark.decoding, benchmark.asked
            if rows and (jobs := getattr(config.shards, section)) > rows:
                yield f"shards.{section}: {jobs} jobs for the {rows} rows of {name} would leave some empty; lower it"


# ---------------------------------------------------------------- rows
def _columns(config: Config) -> Iterator[str]:
    choices = {"problem", "correct", "incorrect"}
    for path, part in _prompt_sets(config, config.benchmarks).items():
        benchmark = part if isinstance(part, Benchmark) else None
        reasoning = benchmark is not None and benchmark.kind == "reasoning"
        given = _given(part.columns) - {"category"}
        if given not in ([{"problem", "answer"}, choices] if reasoning else [{"prompt"}]):
            need = "problem with answer, or problem with correct and incorrect" if reasoning else "prompt"
            yield f"{path}.columns: needs {need}, and has {_list(given)}"
        elif given == choices and benchmark.task not in (None, "gpqa"):
            yield f"{path}.columns: task {benchmark.task} has no choices; map the column answer"
        elif len(part.columns.incorrect or []) > 3:
            yield f"{path}.columns.incorrect: has more than three columns; the letters are A to D"
        if benchmark and benchmark.option_order and "correct" not in given:
            yield f"{path}.option_order: there are no options without columns.correct; drop it (option_order: null)"


def _filters(config: Config) -> Iterator[str]:
    sets = _prompt_sets(config, config.benchmarks)
    for name, corpus in config.corpora.items():
        sets |= _halves(f"corpora.{name}", corpus)
    for path, part in sets.items():
        for column, values in (part.leave_out or {}).items():
            if column not in part.where:
                yield f"{path}.leave_out.{column}: where has no {column}; give the values to keep, or drop this"
            elif both := sorted(set(values) & set(part.where[column])):
                yield f"{path}.leave_out.{column}: where keeps {', '.join(both)} too; leave it in one of them"
        if part.source_rows and part.rows and part.source_rows < part.rows:
            yield f"{path}.source_rows: {part.source_rows} rows before filtering are fewer than {part.rows} after it"
        available, take = part.rows or part.source_rows, getattr(part, "take", None)
        if available and take and take > available:
            yield f"{path}.take: {take} is more than the {available} rows there are; lower it, or take: null"
    harmful, benign = config.prompts.harmful, config.prompts.benign
    if harmful.source == benign.source:
        for column in sorted(harmful.where.keys() & benign.where.keys()):
            if both := sorted(set(harmful.where[column]) & set(benign.where[column])):
                yield f"prompts: {column} {', '.join(both)} is harmful and benign; leave it in one `where` only"


def _sources(config: Config) -> Iterator[str]:
    """Check that what the selection reads exists."""
    needed = needs(config)
    parts: dict[str, Any] = _prompt_sets(config, needed.benchmarks)
    for section, names in (("models", needed.models), ("guards", needed.guards)):
        parts |= {f"{section}.{name}": entry for name in names if (entry := getattr(config, section).get(name))}
    for name in needed.corpora:
        if name in config.corpora:
            parts |= _halves(f"corpora.{name}", config.corpora[name])
    for student, name in needed.sources:
        parts |= _halves(f"sources.{student}.{name}", config.sources[student][name])
    for path, part in parts.items():
        given = _given(part.source) if part.source else set()
        where = f"{path}.source" if part.source else path
        synthetic = {"world", "published", "built"} & given or getattr(part, "kind", None) == "oracle"
        if synthetic and not config.world:
            yield f"{where}: needs a synthetic world, and there is no `world:`; add --configfile config/miniature.yaml"
        if "built" in given and (part.source.built == "guard") != path.startswith("guards."):
            able = "guard" if path.startswith("guards.") else "student or teacher"
            yield f"{where}.built: a {part.source.built} cannot be used here; set {able}"
        if "file" in given and not Path(part.source.file).is_file():
            yield f"{where}.file: there is no file {part.source.file}"
        if "folder" in given and not (folder := Path(part.source.folder)).is_dir():
            hint = "; `make setup-model` brings it" if folder.parts[:1] == (".models",) else ""
            yield f"{where}.folder: there is no folder {folder}{hint}"
        elif "folder" in given and not (folder / "config.json").is_file():
            yield f"{where}.folder: {folder} holds no model (config.json is missing)"
        if getattr(part, "kind", None) != "wildguard" or not part.format:
            continue
        if not (template := Path(part.format)).is_file():
            yield f"{path}.format: there is no file {template}"
            continue
        for field in ("{prompt}", "{response}"):
            yield from _holds_once(f"{path}.format", template.read_text(encoding="utf-8"), field, f"{template} ")


# ---------------------------------------------------------------- the synthetic world
def _world(config: Config) -> Iterator[str]:
    if not config.world:
        return
    rows = dict(config.world.rows)
    for path, part in _prompt_sets(config, config.select.benchmarks).items():
        name = part.source.world
        if name:
            yield from _unknown(f"{path}.source.world", [name], rows, "set of the world")
        if name in rows and part.rows not in (None, rows[name]):
            yield f"{path}.rows: is {part.rows}, and world.rows.{name} makes {rows[name]} rows; set both alike"


def _built_models(config: Config) -> Iterator[str]:
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
            yield f"models.{name}: a built teacher is trained on from a built student, and {model.family} has none"


# fmt: off
CHECKS = [
    _methods, _grpo, _derived_sets, _released_sets, _corpora, _losses,
    _families, _traces, _texts, _engine, _guards, _benchmarks, _paper_scores, _shards,
    _columns, _filters, _sources, _world, _built_models,
]
# fmt: on
