"""What a config cannot mean although each of its values is possible: found before any job starts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from thinksafe.config.schema import nearest

Config = Mapping[str, Any]
KINDS = {"harm": ("llama-guard", "wildguard", "oracle"), "refusal": ("wildguard", "oracle")}
CHECKS: list[tuple[frozenset[str], Callable[[Config], Iterator[str]]]] = []


def inconsistencies(config: Config, broken: Collection[str]) -> list[str]:
    """Return one text per contradiction; sections in ``broken`` and what needs them are left out."""
    return [text for sections, check in CHECKS if not sections & set(broken) for text in check(config)]


def reads(*sections: str) -> Callable:
    """Register a check that reads these sections."""

    def register(check: Callable[[Config], Iterator[str]]) -> Callable:
        CHECKS.append((frozenset(sections), check))
        return check

    return register


def _unknown(path: str, names: Collection[str], known: Collection[str], what: str) -> Iterator[str]:
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            mean = f"did you mean {guess}?" if guess else f"defined are {', '.join(known)}"
            yield f"{path}: no {what} is called {name!r}; {mean}"


@reads("select", "models")
def _students(config: Config) -> Iterator[str]:
    yield from _unknown("select.students", config["select"]["students"], config["models"], "model")


@reads("select", "methods")
def _methods(config: Config) -> Iterator[str]:
    selected, methods = config["select"]["methods"], config["methods"]
    yield from _unknown("select.methods", selected, methods, "method")
    if "initial" not in selected:
        yield "select.methods: initial is missing; every method is compared with it, so add it to the list"
    for name, method in methods.items():
        if name == "initial":
            for key in method.keys() - {"label"}:
                yield f"methods.initial.{key}: initial is the untrained student; give a trained method another id"
        elif not (needed := {"epochs"} if "grpo" in method else {"data", "epochs"}) <= method.keys():
            lacking = " and ".join(key for key in ("data", "epochs") if key in needed - method.keys())
            guess = nearest(name, [other for other in methods if other != name])
            mean = f" (or did you mean methods.{guess}?)" if guess and name not in selected else ""
            yield f"methods.{name}: {lacking} missing; only initial does without training{mean}"


@reads("select", "methods", "benchmarks", "replicates", "use_paper_scores", "paper")
def _printed(config: Config) -> Iterator[str]:
    if not Path(config["paper"]).is_dir():
        yield f"paper: there is no folder {config['paper']}; config/paper holds what the paper prints"
    if not config["use_paper_scores"]:
        return
    if len(config["replicates"]) > 1:
        yield "use_paper_scores: the paper prints one run; give replicates a single number"
    for name in config["select"]["benchmarks"]:
        if "rows" not in config["benchmarks"].get(name, {"rows": 0}):
            yield f"benchmarks.{name}.rows: missing, from which a printed percentage gets its count"


@reads("select", "methods", "guards", "engine")
def _grpo(config: Config) -> Iterator[str]:
    for name, method in config["methods"].items():
        if not (grpo := method.get("grpo")):
            continue
        path, filtered = f"methods.{name}.grpo", grpo["prompts"] == "filtered"
        if filtered and "guard" not in method.get("data", {}):
            yield f"{path}.prompts: filtered and the training set of methods.{name} do not fit; sample one under `data`"
        for key in ("loss", "original") if filtered else ("data", "loss", "original"):
            if key in method:
                yield f"methods.{name}.{key}: means nothing with grpo; drop it ({key}: null)"
        yield from _unknown(f"{path}.guard", [grpo["guard"]], config["guards"], "guard")
        if config["guards"].get(grpo["guard"], {}).get("kind") == "oracle":
            yield f"{path}.guard: an oracle has no probabilities to reward by; take a guard that is a model"
        selected = name in config["select"]["methods"]
        if selected and grpo["sampler"] != "trainer" and config["engine"]["name"] != "vllm":
            yield f"{path}.sampler: {grpo['sampler']} needs vllm, and engine.name is transformers; say trainer"


@reads("select", "benchmarks")
def _benchmarks(config: Config) -> Iterator[str]:
    yield from _unknown("select.benchmarks", config["select"]["benchmarks"], config["benchmarks"], "benchmark")


@reads("models", "families", "methods", "sampling")
def _families(config: Config) -> Iterator[str]:
    families = config["families"]
    for name, model in config["models"].items():
        yield from _unknown(f"models.{name}.family", [model["family"]], families, "family")
    for name, method in config["methods"].items():
        yield from _unknown(f"methods.{name}.families", method.get("families", []), families, "family")
        yield from _unknown(f"methods.{name}.students", method.get("students", []), config["models"], "model")
    for name, decoding in config["sampling"].items():
        yield from _unknown(f"sampling.{name}.top_k", decoding["top_k"], families, "family")
        for family in families.keys() - decoding["top_k"].keys():
            yield f"sampling.{name}.top_k: {family} is missing; give a number for each family, 0 for off"
    for name, family in families.items():
        tags = family.get("chat", {}).get("think", ["", "x"])
        if len(tags) != 2 or tags[0] == tags[1]:
            yield f"families.{name}.chat.think: needs two tags, one that opens and one that closes, not {tags}"
    tables = {family["table"]: name for name, family in families.items() if "table" in family}
    for name, family in families.items():
        if (other := tables.get(family.get("table"), name)) != name:
            yield f"families.{name}.table: {family['table']} is the table of {other} too; give each its own"


@reads("methods", "guards", "steerings")
def _training_sets(config: Config) -> Iterator[str]:
    for name, method in config["methods"].items():
        data = method.get("data", {})
        if "guard" in data:
            yield from _unknown(f"methods.{name}.data.guard", [data["guard"]], config["guards"], "guard")
            for role in ("harmful", "benign"):
                path = f"methods.{name}.data.{role}.steering"
                yield from _unknown(path, [data[role]["steering"]], config["steerings"], "steering")


@reads("methods", "models")
def _borrowed_sets(config: Config) -> Iterator[str]:
    for name, method in config["methods"].items():
        data, path = method.get("data", {}), f"methods.{name}.data"
        if "base_method" not in data:
            continue
        yield from _unknown(f"{path}.base_method", [data["base_method"]], config["methods"], "method")
        if "guard" not in config["methods"].get(data["base_method"], {}).get("data", {"guard": None}):
            yield f"{path}.base_method: {data['base_method']} samples no training set; name a method whose `data` has a guard"
        teacher = data.get("from")
        if teacher is None and not data.get("strip_reasoning"):
            yield f"{path}: this is the set of {data['base_method']} itself; say `from` whom, or strip_reasoning: true"
        if teacher is not None:
            yield from _unknown(f"{path}.from", [teacher], config["models"], "model")
            if teacher in method.get("students", []):
                yield f"methods.{name}.students: {teacher} taught by itself is {data['base_method']}; leave it out"


@reads("sources", "models", "methods")
def _sources(config: Config) -> Iterator[str]:
    for student, entries in config["sources"].items():
        yield from _unknown("sources", [student], config["models"], "model")
        for name, entry in entries.items():
            path = f"sources.{student}.{name}"
            yield from _unknown(f"sources.{student}", [name], config["methods"], "method")
            if "guard" not in config["methods"].get(name, {}).get("data", {"guard": None}):
                yield f"{path}: {name} samples nothing that a released set could stand in for; drop it"
            for role in ("harmful", "benign"):
                if (given := entry[role]["columns"].keys() - {"category"}) != {"prompt", "response"}:
                    has = ", ".join(sorted(given)) or "none"
                    yield f"{path}.{role}.columns: needs prompt, response, and has {has}"


# format: (columns that it reads, columns that it may read, its own option)
FORMATS = {
    "direct-refusal": ({"prompt", "response"}, set(), "thought"),
    "safechain": ({"prompt", "response"}, set(), None),
    "star1": ({"prompt", "response"}, set(), None),
    "safepath": ({"prompt"}, set(), "primer"),
    "safekey": ({"prompt", "response"}, {"query_end", "key_end"}, None),
}
OF_LOSS = {"primer": "safepath", "safekey": "safekey"}  # losses that read one format only


@reads("corpora")
def _corpora(config: Config) -> Iterator[str]:
    for name, corpus in config["corpora"].items():
        path, form = f"corpora.{name}", corpus["format"]
        needed, possible, option = FORMATS[form]
        roles = [role for role in ("harmful", "benign") if role in corpus]
        if not roles:
            yield f"{path}: has no rows; give harmful, benign, or both"
        for role in roles:
            given = corpus[role]["columns"].keys() - {"category"}
            if not needed <= given <= needed | possible or len(given & possible) == 1:
                more = f", or these with {' and '.join(sorted(possible))}" if possible else ""
                has = ", ".join(sorted(given)) or "none"
                yield f"{path}.{role}.columns: {form} needs {', '.join(sorted(needed))}{more}, and has {has}"
        if option and option not in corpus:
            yield f"{path}.{option}: missing, which format {form} needs"
        for key in corpus.keys() & {"thought", "primer"} - {option}:
            yield f"{path}.{key}: means nothing for format {form}; drop it ({key}: null)"


@reads("methods", "corpora")
def _losses(config: Config) -> Iterator[str]:
    for name, method in config["methods"].items():
        corpus, loss = method.get("data", {}).get("corpus"), next(iter(method.get("loss", {"nll": {}})))
        if corpus is not None:
            yield from _unknown(f"methods.{name}.data.corpus", [corpus], config["corpora"], "corpus")
        form, wanted = config["corpora"].get(corpus, {}).get("format"), OF_LOSS.get(loss)
        if wanted and form != wanted and (corpus is None or form):
            yield f"methods.{name}.loss: {loss} learns from a corpus of format {wanted}, not from {form or 'responses'}"
        roles = {"harmful", "benign"} & config["corpora"].get(corpus, {}).keys()
        if loss == "kl" and len(roles) == 1:
            yield f"methods.{name}.loss: kl learns from harmful and benign rows, and {corpus} has {min(roles)} ones"
        if form == "safepath" and loss != "primer":
            yield f"methods.{name}.loss: {loss} would teach to stop after the primer; say primer"


@reads("steerings")
def _steerings(config: Config) -> Iterator[str]:
    for name, text in config["steerings"].items():
        if (count := text.count("{prompt}")) != 1:
            yield f"steerings.{name}: holds {{prompt}} {count} times; it must stand there exactly once"


@reads("engine")
def _engine(config: Config) -> Iterator[str]:
    engine = config["engine"]
    if engine["name"] == "transformers" and engine["tensor_parallel"] > 1:
        parallel = engine["tensor_parallel"]
        yield f"engine.tensor_parallel: transformers runs a model in one piece, not {parallel}; set 1, or name: vllm"


@reads("guards", "audit", "judge_study")
def _guards(config: Config) -> Iterator[str]:
    yield from _unknown("audit", config["audit"], config["guards"], "guard")
    yield from _unknown("judge_study.guards", config["judge_study"]["guards"], config["guards"], "guard")
    for name, guard in config["guards"].items():
        path, oracle = f"guards.{name}", guard["kind"] == "oracle"
        if oracle and "source" in guard:
            yield f"{path}.source: an oracle has no model; drop it (source: null), or change kind"
        if not oracle:
            lacking = [key for key in ("source", "max_prompt_tokens", "batch_size") if key not in guard]
            if lacking:
                yield f"{path}: {', '.join(lacking)} missing, which kind {guard['kind']} needs"
        if guard["kind"] == "wildguard" and "format" not in guard:
            yield f"{path}.format: missing; name the file with the guard's prompt, such as config/guards/wildguard.txt"
        if guard["kind"] != "wildguard" and "format" in guard:
            yield f"{path}.format: only kind wildguard reads it; drop it (format: null)"


@reads("benchmarks", "guards")
def _judges(config: Config) -> Iterator[str]:
    for name, benchmark in config["benchmarks"].items():
        path, kind = f"benchmarks.{name}", benchmark["kind"]
        needed, foreign = ("guard",), ("task", "template")
        if kind == "reasoning":
            needed, foreign = foreign, needed
        for key in needed:
            if key not in benchmark:
                yield f"{path}.{key}: missing, which kind {kind} needs"
        for key in foreign:
            if key in benchmark:
                yield f"{path}.{key}: means nothing for kind {kind}; drop it ({key}: null)"
        if kind == "reasoning" and (count := benchmark.get("template", "{problem}").count("{problem}")) != 1:
            yield f"{path}.template: holds {{problem}} {count} times; it must stand there exactly once"
        if kind != "reasoning" and "guard" in benchmark:
            yield from _unknown(f"{path}.guard", [benchmark["guard"]], config["guards"], "guard")
            judge = config["guards"].get(benchmark["guard"], {}).get("kind")
            if judge and judge not in KINDS[kind]:
                able = [guard for guard, facts in config["guards"].items() if facts["kind"] in KINDS[kind]]
                yield f"{path}.guard: a {judge} guard tells no {kind}; take one of {', '.join(able) or KINDS[kind]}"


@reads("benchmarks", "prompts")
def _columns(config: Config) -> Iterator[str]:
    sets = {f"prompts.{name}": part for name, part in config["prompts"].items()}
    sets |= {f"benchmarks.{name}": part for name, part in config["benchmarks"].items()}
    for path, part in sets.items():
        reasoning, choices = part.get("kind") == "reasoning", {"problem", "correct", "incorrect"}
        given = part["columns"].keys() - {"category"}
        if given not in ([{"problem", "answer"}, choices] if reasoning else [{"prompt"}]):
            need = "problem with answer, or problem with correct and incorrect" if reasoning else "prompt"
            yield f"{path}.columns: needs {need}, and has {', '.join(sorted(given)) or 'none'}"
        elif given == choices and part.get("task", "gpqa") != "gpqa":
            yield f"{path}.columns: choices are asked for by letter, not by task {part['task']}; map answer"
        elif len(part["columns"].get("incorrect", [])) > 3:
            yield f"{path}.columns.incorrect: holds more than three; letters go from A to D"
        if "option_order" in part and "correct" not in part["columns"]:
            yield f"{path}.option_order: there are no options without columns.correct; drop it (option_order: null)"


@reads("prompts", "benchmarks", "corpora")
def _filters(config: Config) -> Iterator[str]:
    sets = {f"prompts.{name}": part for name, part in config["prompts"].items()}
    sets |= {f"benchmarks.{name}": part for name, part in config["benchmarks"].items()}
    for name, corpus in config["corpora"].items():
        sets |= {f"corpora.{name}.{role}": corpus[role] for role in ("harmful", "benign") if role in corpus}
    for path, part in sets.items():
        for column, values in part.get("leave_out", {}).items():
            taken = part["where"].get(column)
            if taken is None:
                yield f"{path}.leave_out.{column}: where has no {column}; say which rows are taken, or drop this"
            elif both := sorted(set(values) & set(taken)):
                yield f"{path}.leave_out.{column}: {', '.join(both)} is taken by where; leave it in one of them"
        if part.get("source_rows", part.get("rows", 0)) < part.get("rows", 0):
            yield f"{path}.source_rows: {part['source_rows']} rows before any are left out, and {part['rows']} after"
        there = part.get("rows", part.get("source_rows"))
        if there is not None and part.get("take", 0) > there:
            yield f"{path}.take: {part['take']} are asked for and there are {there}; lower it, or take: null"
    harmful, benign = config["prompts"]["harmful"], config["prompts"]["benign"]
    if harmful["source"] == benign["source"]:
        for column in sorted(harmful["where"].keys() & benign["where"].keys()):
            if both := sorted(set(harmful["where"][column]) & set(benign["where"][column])):
                yield f"prompts: {column} {', '.join(both)} is harmful and benign; leave it in one `where` only"


def _row_sets(config: Config) -> dict[str, Mapping]:
    """Return the prompt sets and the selected benchmarks by path; an unknown benchmark has nothing."""
    sets = {f"prompts.{name}": part for name, part in config["prompts"].items()}
    return sets | {f"benchmarks.{name}": config["benchmarks"].get(name, {}) for name in config["select"]["benchmarks"]}


def _used(config: Config) -> tuple[dict[str, Mapping], dict[str, Mapping]]:
    """Return the models and guards that the selection uses by path; an unknown one has nothing."""
    select = config["select"]
    methods = [config["methods"].get(name, {}) for name in select["methods"]]
    methods = [
        method for method in methods if set(method.get("students", select["students"])) & set(select["students"])
    ]
    teachers = [method["data"]["from"] for method in methods if "from" in method.get("data", {})]
    methods += [
        config["methods"].get(method["data"]["base_method"], {})
        for method in methods
        if "base_method" in method.get("data", {})
    ]
    models = {f"models.{name}": config["models"].get(name, {}) for name in [*select["students"], *teachers]}
    names = {part.get("guard") for part in _row_sets(config).values()} | set(config["audit"])
    names |= set(config["judge_study"]["guards"] if config["judge_study"]["in_all"] else ())
    names |= {method.get(part, {}).get("guard") for method in methods for part in ("data", "grpo")}
    guards = {f"guards.{name}": config["guards"].get(name, {}) for name in sorted(names - {None})}
    return models, guards


def _corpus_parts(config: Config) -> dict[str, Mapping]:
    """Return the parts of the corpora that the selection trains on by path."""
    methods = [config["methods"].get(name, {}) for name in config["select"]["methods"]]
    names = sorted({method["data"]["corpus"] for method in methods if "corpus" in method.get("data", {})})
    return {
        f"corpora.{name}.{role}": config["corpora"][name][role]
        for name in names
        for role in ("harmful", "benign")
        if role in config["corpora"].get(name, {})
    }


@reads("select", "models", "guards", "audit", "judge_study", "methods", "prompts", "corpora", "benchmarks", "world")
def _sources(config: Config) -> Iterator[str]:
    models, guards = _used(config)
    for path, part in {**models, **guards, **_row_sets(config), **_corpus_parts(config)}.items():
        source = part.get("source", {})
        made = {"world", "published", "built"} & source.keys()
        if (made or part.get("kind") == "oracle") and "world" not in config:
            where = f"{path}.source" if source else path
            yield f"{where}: needs a synthetic world, and there is no `world:`; add --configfile config/miniature.yaml"
        built = source.get("built")
        if built and (built == "guard") != path.startswith("guards."):
            able = "guard" if path.startswith("guards.") else "student or teacher"
            yield f"{path}.source.built: a {built} cannot stand here; say {able}"
        for key, exists, what in (("file", Path.is_file, "file"), ("folder", Path.is_dir, "folder")):
            if key in source and not exists(Path(source[key])):
                yield f"{path}.source.{key}: there is no {what} {source[key]}"
        folder = Path(source.get("folder", "."))
        if "folder" in source and folder.is_dir() and not (folder / "config.json").is_file():
            yield f"{path}.source.folder: {folder} holds no model (config.json is missing)"


@reads("select", "models", "guards", "audit", "judge_study", "methods", "prompts", "benchmarks")
def _formats(config: Config) -> Iterator[str]:
    for path, guard in _used(config)[1].items():
        if guard.get("kind") != "wildguard" or "format" not in guard:
            continue
        file = Path(guard["format"])
        if not file.is_file():
            yield f"{path}.format: there is no file {file}"
            continue
        text = file.read_text(encoding="utf-8")
        for field in ("{prompt}", "{response}"):
            if text.count(field) != 1:
                yield f"{path}.format: {file} holds {field} {text.count(field)} times; it must stand there exactly once"


@reads("select", "benchmarks", "shards")
def _shards(config: Config) -> Iterator[str]:
    for name in config["select"]["benchmarks"]:
        benchmark = config["benchmarks"].get(name, {})
        section = "reasoning" if benchmark.get("kind") == "reasoning" else "safety"
        jobs, rows = config["shards"][section], benchmark.get("rows")
        if rows and jobs > rows:
            yield f"shards.{section}: {jobs} jobs for the {rows} rows of {name} would leave some empty; lower it"


@reads("prompts", "benchmarks", "select", "world")
def _worlds_rows(config: Config) -> Iterator[str]:
    rows = config.get("world", {}).get("rows")
    if rows is None:
        return
    for path, part in _row_sets(config).items():
        name = part.get("source", {}).get("world")
        if name is None:
            continue
        yield from _unknown(f"{path}.source.world", [name], rows, "set of the world")
        if name in rows and part.get("rows", rows[name]) != rows[name]:
            yield f"{path}.rows: {part['rows']} are expected and world.rows.{name} makes {rows[name]}; set both alike"


@reads("world", "models")
def _worlds_models(config: Config) -> Iterator[str]:
    if "world" not in config:
        return
    for task, text in config["world"]["templates"].items():
        if (count := text.count("{problem}")) != 1:
            yield f"world.templates.{task}: holds {{problem}} {count} times; it must stand there exactly once"
    for role in ("student", "teacher"):
        if not sum(config["world"][role]["mix"].values()):
            yield f"world.{role}.mix: every weight is 0; give at least one kind a weight"
    built = {name: model for name, model in config["models"].items() if "built" in model["source"]}
    students = {model["family"] for model in built.values() if model["source"]["built"] == "student"}
    for name, model in built.items():
        if model["source"]["built"] == "teacher" and model["family"] not in students:
            yield f"models.{name}: a built teacher goes on from a built student, and {model['family']} has none"
