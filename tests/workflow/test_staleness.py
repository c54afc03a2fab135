"""Staleness is exact: every leaf of the config, every module and every pinned version against a declared table.

The plans compared are Snakemake's own (tests/workflow/dags.py); that its dry run decides from them as we do is tested
on a finished run whose scripts only wrote their identities. The table is staleness.yaml (docs/staleness.md).
"""

import ast
import copy
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.dags import ROOT, plans
from thinksafe.config import settings
from thinksafe.config.types import plain
from thinksafe.provenance import digests
from thinksafe.provenance.digests import canonical, script_path
from thinksafe.provenance.versions import pinned
from thinksafe.study.stages import RULES, script_of

TABLE = yaml.safe_load((Path(__file__).parent / "staleness.yaml").read_text(encoding="utf-8"))
BASE = plain(settings.load([ROOT / "config/config.yaml", ROOT / "config/miniature.yaml"]))
Key = tuple[str, tuple[tuple[str, str], ...], tuple[str, ...]]
Jobs = dict[Key, tuple[dict[str, str], list[str]]]


def leaves(node: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every leaf; a list is one, and so is a mapping that an overlay replaces as a whole."""
    for key, value in node.items():
        if isinstance(value, Mapping) and value and key not in settings.REPLACED:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


LEAVES = list(leaves(BASE))


def entry_of(leaf: tuple[str, ...], table: list[dict[str, Any]]) -> tuple[dict[str, Any], list[str]] | None:
    """Return the first entry of a table that matches a leaf, with what its stars stood for."""
    for entry in table:
        pattern = re.escape(named(entry["leaf"])).replace(r"\*", "(.+?)")
        pattern = re.sub(r"\\([(|)])", r"\1", pattern)
        if match := re.fullmatch(pattern, ".".join(leaf)):
            return entry, list(match.groups())
    return None


def named(text: str) -> str:
    """Return ``text`` with the names of the paper's section put in."""
    while re.search(r"\$[a-z]", text):
        text = re.sub(r"\$([a-z]+)", lambda match: TABLE["paper"]["names"][match[1]], text)
    return text


def filled(text: str, groups: list[str]) -> str:
    """Return ``text`` with $1, $2 as what the stars stood for, and names put in."""
    for number, group in enumerate(groups, 1):
        text = text.replace(f"${number}", group)
    return named(text)


def other(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.9 if value else 0.01
    if isinstance(value, str):
        return value + " more"
    raise TypeError(f"staleness.yaml must say to what {value!r} changes (to: ...)")


def put(config: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        config = config[key]
    config[path[-1]] = value


def at(config: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        config = config[key]
    return config


def mutant(base: dict[str, Any], leaf: tuple[str, ...], table: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a merged config in which one leaf, and what must go with it, is another."""
    entry, groups = entry_of(leaf, table)
    config = copy.deepcopy(base)
    put(config, leaf, entry["to"] if "to" in entry else other(at(base, leaf)))
    for path, value in entry.get("also", {}).items():
        put(config, tuple(filled(path, groups).split(".")), value)
    assert canonical(config) != canonical(base), f"{'.'.join(leaf)}: staleness.yaml changes it to what it is"
    return config


def jobs_of(plan: dict[str, Any]) -> Jobs:
    assert "error" not in plan, plan["error"]
    return {
        (rule, tuple(sorted(wildcards.items())), tuple(outputs)): (params, inputs)
        for rule, wildcards, params, inputs, outputs in plan["jobs"]
    }


def changed(before: Jobs, after: Jobs) -> set[Key]:
    """Return the jobs that are new, or whose params or inputs Snakemake finds changed (each compared as a set)."""
    return {
        key
        for key, (params, inputs) in after.items()
        if key not in before or set(params.values()) != set(before[key][0].values()) or inputs != before[key][1]
    }


def meant(patterns: list[str], jobs: Jobs) -> set[Key]:
    """Return the jobs that the patterns of an entry mean."""
    found: set[Key] = set()
    for pattern in patterns:
        rule, *conditions = pattern.split()
        wanted = {name: set(values.split("|")) for name, values in (item.split("=") for item in conditions)}
        found |= {
            key
            for key in jobs
            if (rule == "*" or key[0] in rule.split("|"))
            and all(dict(key[1]).get(name) in values for name, values in wanted.items())
        }
    return found


def downstream(stale: set[Key], jobs: Jobs) -> set[Key]:
    """Return the jobs and all that follow from them."""
    makers = {path: key for key in jobs for path in key[2]}
    users: dict[Key, set[Key]] = defaultdict(set)
    for key, (_, inputs) in jobs.items():
        for path in inputs:
            if path in makers:
                users[makers[path]].add(key)
    found, todo = set(), list(stale)
    while todo:
        if (key := todo.pop()) not in found:
            found.add(key)
            todo.extend(users[key])
    return found


def told(keys: set[Key]) -> list[str]:
    return sorted(f"{rule} " + " ".join(f"{name}={value}" for name, value in wildcards) for rule, wildcards, _ in keys)


def differences(what: str, got: set[Key], wanted: set[Key]) -> list[str]:
    """Return one line for what goes stale and should not, and one for what should and does not."""
    lines = []
    for verb, keys in (("makes stale what it should not", got - wanted), ("does not make stale", wanted - got)):
        if keys:
            names = told(keys)
            lines.append(f"{what} {verb}: {'; '.join(names[:6])}{f' and {len(names) - 6} more' * (len(names) > 6)}")
    return lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plans")


@pytest.fixture(scope="module")
def before(folder: Path) -> Jobs:
    """Return the jobs of the miniature as it is."""
    return jobs_of(plans([{"config": BASE}], folder)[0])


# ---------------------------------------------------------------- config
def test_every_leaf_is_declared() -> None:
    check_declared(LEAVES, TABLE["config"])


def check_declared(chosen: list[tuple[str, ...]], table: list[dict[str, Any]]) -> None:
    """Check that every leaf has an entry, and every entry a leaf."""
    found = {leaf: entry_of(leaf, table) for leaf in chosen}
    missing = [".".join(leaf) for leaf, entry in found.items() if entry is None]
    assert not missing, f"tests/workflow/staleness.yaml does not say what goes stale with: {', '.join(missing)}"
    used = {id(entry) for entry, _ in found.values()}
    assert not [entry["leaf"] for entry in table if id(entry) not in used]


def first_of_each(chosen: list[tuple[str, ...]], table: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return one leaf of each entry."""
    first: dict[int, tuple[str, ...]] = {}
    for leaf in chosen:
        first.setdefault(id(entry_of(leaf, table)[0]), leaf)
    return list(first.values())


def check_leaves(chosen: list[tuple[str, ...]], before: Jobs, folder: Path) -> None:
    wrong: list[str] = []
    found = plans([{"config": mutant(BASE, leaf, TABLE["config"])} for leaf in chosen], folder)
    for leaf, plan in zip(chosen, found, strict=True):
        name, (entry, groups) = ".".join(leaf), entry_of(leaf, TABLE["config"])
        if "error" in plan:
            wrong.append(f"{name}: {plan['error']}")
            continue
        after = jobs_of(plan)
        direct = changed(before, after)
        wanted = meant([filled(pattern, groups) for pattern in entry["stale"]], after)
        wrong += differences(name, direct, wanted)
    assert not wrong, "\n" + "\n".join(wrong)


def test_one_leaf_of_some_entries(before: Jobs, folder: Path) -> None:
    """A quick part of `test_every_leaf_of_the_miniature`."""
    check_leaves(first_of_each(LEAVES, TABLE["config"])[::32], before, folder)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_leaf_of_the_miniature(before: Jobs, folder: Path) -> None:
    check_leaves(LEAVES, before, folder)


# ---------------------------------------------------------------- modules and versions
def modules() -> set[str]:
    """Return the modules that a job may import: scripts by name, the library's with their folder."""
    folders = ("scripts", "thinksafe/training/losses")  # a loss is imported by its name in config
    files = [path for folder in folders for path in (ROOT / folder).rglob("[a-z]*.py")]
    found, todo = set(), [path.relative_to(ROOT).as_posix() for path in files]
    while todo:
        if (path := todo.pop()) not in found:
            found.add(path)
            todo.extend(digests.imported_modules(ast.parse((ROOT / path).read_text(encoding="utf-8"))))
    return {
        Path(path).stem if path.startswith("scripts/") else path.removeprefix("thinksafe/").removesuffix(".py")
        for path in found
    }


def module_path(name: str) -> str:
    library = Path("thinksafe") / f"{name}.py"
    return str(library) if (ROOT / library).exists() else script_path(name)


def users_of(name: str, jobs: Jobs) -> set[Key]:
    """Return the jobs that run a module."""
    path = module_path(name)
    entry = [Path(path).stem, digests.source_digest((ROOT / path).read_text(encoding="utf-8"))]
    return {key for key, (params, _) in jobs.items() if entry in map(list, json.loads(params["code"]).items())}


def declared(table: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return what each module makes stale: a script its own rules, the library what the table says, or nothing."""
    own = {name: [rule for rule in RULES if script_of(rule) == name] for name in modules() if "/" not in name}
    assert set(table) <= modules(), f"staleness.yaml: {set(table) - modules()} is no module that a job can import"
    return dict.fromkeys(modules(), []) | {name: rules for name, rules in own.items() if rules} | table


def check_modules(table: dict[str, list[str]], jobs: Jobs) -> None:
    wrong = []
    for name, patterns in table.items():
        wrong += differences(name, users_of(name, jobs), meant([named(text) for text in patterns], jobs))
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_kind_of_versions_is_declared() -> None:
    kinds = yaml.safe_load((ROOT / "envs/versions.yaml").read_text(encoding="utf-8"))
    assert set(TABLE["versions"]) == set(kinds), "staleness.yaml: versions"


def test_every_module(before: Jobs) -> None:
    check_modules(declared(TABLE["modules"]), before)


def test_every_version(before: Jobs) -> None:
    wrong = []
    for kind, patterns in TABLE["versions"].items():
        text = canonical(pinned(kind))
        users = {key for key, (params, _) in before.items() if params["environment"] == text}
        wrong += differences(f"envs/versions.yaml, {kind}", users, meant(patterns, before))
    assert not wrong, "\n" + "\n".join(wrong)


# ---------------------------------------------------------------- every method
FULL = plain(
    settings.load(
        [ROOT / "config/config.yaml", ROOT / "config/miniature-full.yaml"],
        {"select": {"students": ["qwen3-mini"], "benchmarks": ["harmbench", "gsm8k"]}},
    )
)


def check_full(entries: list[dict[str, Any]], folder: Path) -> Jobs:
    """Compare what each entry makes stale with the plan, and return the jobs of the config as it is."""
    configs = []
    for entry in entries:
        config, path = copy.deepcopy(FULL), tuple(entry["leaf"].split("."))
        put(config, path, entry["to"] if "to" in entry else other(at(FULL, path)))
        configs.append(config)
    before, *found = [jobs_of(plan) for plan in plans([{"config": config} for config in (FULL, *configs)], folder)]
    wrong = []
    for entry, after in zip(entries, found, strict=True):
        wrong += differences(entry["leaf"], changed(before, after), meant(entry["stale"], after))
    assert not wrong, "\n" + "\n".join(wrong)
    return before


def test_the_full_miniature(folder: Path) -> None:
    """Modules, and some leaves, of what config/miniature-full.yaml has more: corpora, losses, baselines' settings."""
    check_modules(TABLE["full"]["modules"], check_full(TABLE["full"]["config"][::24], folder))


@pytest.mark.slow
def test_every_leaf_of_the_full_miniature(folder: Path) -> None:
    check_full(TABLE["full"]["config"], folder)


# ---------------------------------------------------------------- the paper's own config
PAPER = plain(settings.load([ROOT / "config/config.yaml"]))
FEW = {"students": ["qwen3-0.6b"], "benchmarks": ["harmbench", "gsm8k"]}
CELLS = ("score_safety", "score_reasoning")


FEW_LEAVES = list(leaves({**PAPER, "select": PAPER["select"] | FEW}))
WHOLE = [tuple(re.split(r"\.(?!\d)", path)) for path in TABLE["paper"]["whole"]]


def check_paper(chosen: list[tuple[str, ...]], select: dict[str, Any], folder: Path) -> Jobs:
    """Compare what each leaf makes stale, and which cells in the end, with the plan; return the jobs as they are."""
    base, table = copy.deepcopy(PAPER), TABLE["paper"]["config"]
    base["select"] |= select
    first, *found = plans([{"config": base}, *({"config": mutant(base, leaf, table)} for leaf in chosen)], folder)
    before, wrong = jobs_of(first), []
    for leaf, plan in zip(chosen, found, strict=True):
        name, (entry, groups) = ".".join(leaf), entry_of(leaf, table)
        if "error" in plan:
            wrong.append(f"{name}: {plan['error']}")
            continue
        after = jobs_of(plan)
        direct = changed(before, after)
        wrong += differences(name, direct, meant([filled(text, groups) for text in entry["stale"]], after))
        cells = {key for key in downstream(direct, after) if key[0] in CELLS}
        wanted = meant([filled(text, groups) for text in entry.get("cells", [])], after)
        wrong += differences(f"{name}: cells", cells, {key for key in wanted if key[0] in CELLS})
    assert not wrong, "\n" + "\n".join(wrong)
    return before


def test_every_leaf_of_the_paper_is_declared() -> None:
    check_declared([*FEW_LEAVES, *WHOLE], TABLE["paper"]["config"])


def test_cells_of_the_paper(folder: Path) -> None:
    """A quick part of `test_every_leaf_of_the_paper`, and the modules."""
    before = check_paper(first_of_each(FEW_LEAVES, TABLE["paper"]["config"])[::120], FEW, folder)
    check_modules(declared(TABLE["paper"]["modules"]), before)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_leaf_of_the_paper(folder: Path) -> None:
    check_paper(FEW_LEAVES, FEW, folder)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_cell_of_the_paper(folder: Path) -> None:
    """Some of these leaves on the paper's whole selection: seven students, eight benchmarks."""
    check_paper(WHOLE, {}, folder)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_additions_to_the_paper_touch_no_other(folder: Path) -> None:
    """A student or a benchmark more resamples nothing, and changes no cell, of those that were there."""
    for key, wildcard, last in (("students", "student", "r1-llama-8b"), ("benchmarks", "benchmark", "gpqa")):
        fewer = copy.deepcopy(PAPER)
        fewer["select"][key] = [name for name in PAPER["select"][key] if name != last]
        before, after = [jobs_of(plan) for plan in plans([{"config": config} for config in (fewer, PAPER)], folder)]
        stale = downstream(changed(before, after), after)
        shown = ("write_", "plot_", "judge_claims")
        assert {dict(names).get(wildcard) for rule, names, _ in stale if not rule.startswith(shown)} == {last}


@pytest.mark.slow
def test_the_machine_makes_nothing_stale(folder: Path) -> None:
    """The same results on one GPU, two or eight are not stale to one another."""
    config = copy.deepcopy(PAPER)
    config["select"] |= {"students": ["qwen3-0.6b"], "benchmarks": ["harmbench"]}
    one, two, eight = [jobs_of(plan) for plan in plans([{"config": config, "gpus": n} for n in (1, 2, 8)], folder)]
    assert one and not told(changed(one, two)) and not told(changed(one, eight))


@pytest.mark.slow
def test_every_module_and_version_changed(before: Jobs, folder: Path) -> None:
    """The same by changing each of them: that a param has a digest is one thing, that it is the only place another."""
    cases = [({"module": module_path(name)}, patterns) for name, patterns in declared(TABLE["modules"]).items()]
    for kind, patterns in TABLE["versions"].items():
        cases += [({"package": [kind, package]}, patterns) for package in pinned(kind)]
    wrong = []
    for (mutation, patterns), plan in zip(
        cases, plans([{"config": BASE} | mutation for mutation, _ in cases], folder), strict=True
    ):
        after = jobs_of(plan)
        wrong += differences(str(mutation), changed(before, after), meant(patterns, after))
    assert not wrong, "\n" + "\n".join(wrong)


# ---------------------------------------------------------------- headlines
def edited(**changes: Any) -> dict[str, Any]:
    """Return the base with values put at paths that are written with __ for a dot."""
    config = copy.deepcopy(BASE)
    for path, value in changes.items():
        put(config, tuple(path.split("__")), value)
    return config


def without_order(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config with the order of every mapping turned round."""
    if isinstance(config, dict):
        return {key: without_order(value) for key, value in reversed(list(config.items()))}
    return config


ADDED = {"label": "Control", "data": BASE["methods"]["thinksafe"]["data"], "epochs": 3}


def test_order_means_nothing(before: Jobs, folder: Path) -> None:
    turned = edited(training__lora__targets=["v_proj", "q_proj"])
    sets = edited(methods__rejection__families=["r1", "qwen3"])
    after = [jobs_of(plan) for plan in plans([{"config": c} for c in (turned, sets, without_order(BASE))], folder)]
    assert [told(changed(before, jobs)) for jobs in after] == [[], [], []]
    pair = [edited(audit=guards) for guards in (["oracle", "wildguard"], ["wildguard", "oracle"])]
    one, other_way = [jobs_of(plan) for plan in plans([{"config": config} for config in pair], folder)]
    assert told(changed(one, other_way)) == []


def test_order_of_a_selection_is_a_tables_alone(before: Jobs, folder: Path) -> None:
    config = copy.deepcopy(BASE)
    config["select"] = {name: values[::-1] for name, values in config["select"].items()}
    after = jobs_of(plans([{"config": config}], folder)[0])
    stale = {rule for rule, _, _ in downstream(changed(before, after), after)} - {"judge_claims"}  # it reads tables
    assert {rule.split("_")[0] for rule in stale} == {"write", "plot"}


def test_additions_touch_no_other_job(before: Jobs, folder: Path) -> None:
    """A student, a method or a benchmark more: its own jobs, and the tables that show it."""
    student = edited(select__students=[*BASE["select"]["students"], "teacher-mini"])
    method = edited(methods__control=ADDED, select__methods=[*BASE["select"]["methods"], "control"])
    benchmark = edited(
        benchmarks__more=BASE["benchmarks"]["math500"] | {"label": "More"},
        select__benchmarks=[*BASE["select"]["benchmarks"], "more"],
    )
    own = [("student", "teacher-mini"), ("method", "control"), ("benchmark", "more")]
    for mine, plan in zip(own, plans([{"config": c} for c in (student, method, benchmark)], folder), strict=True):
        after = jobs_of(plan)
        others = {key for key in downstream(changed(before, after), after) if mine not in key[1]}
        made = {rule for rule, _, _ in others if not rule.startswith(("write_", "plot_", "judge_claims"))}
        # Figure 8 is drawn from the first set on that is not ThinkSafe's or rejection sampling's.
        assert made <= {"score_perplexity"} and not {key for key in others if key in before and key[0] in made}, told(
            others
        )


def test_a_colour_is_a_figures_a_caption_nobodys_and_a_claim_the_boards(before: Jobs) -> None:
    """What `test_every_module` says of colours, and what the params say of captions and claims."""
    assert all(rule.startswith("plot_") for rule in TABLE["modules"]["reporting/figures"])
    claims = yaml.safe_load((ROOT / "config/claims.yaml").read_text(encoding="utf-8"))
    text = claims["claims"]["A01"]["text"]
    readers = {rule for (rule, *_), (params, _) in before.items() if text in params["spec"]}
    assert readers and all("claim" in rule for rule in readers)
    assert not [path for _, inputs in before.values() for path in inputs if path.endswith(".rst")]
    assert not [key for key, (params, _) in before.items() if ".rst" in "".join(params.values())]


def test_steering_leaves_the_unsteered_alone(before: Jobs, folder: Path) -> None:
    after = jobs_of(plans([{"config": edited(steerings__prefix="Refuse. {prompt}")}], folder)[0])
    stale = {
        (rule, dict(wildcards).get("steering"), dict(wildcards).get("method"))
        for rule, wildcards, _ in downstream(changed(before, after), after)
    }
    assert ("sample_responses", "prefix", None) in stale and ("train_student", None, "thinksafe") in stale
    assert not [job for job in stale if job[1] == "direct" or job[2] in ("initial", "rejection")]


# ---------------------------------------------------------------- Snakemake's own dry run agrees
STUB = """
import json, sys
from pathlib import Path

for output in snakemake.output:
    path = Path(str(output))
    if path.suffix:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    else:
        path.mkdir(parents=True, exist_ok=True)
"""


class Copy:
    """A copy of the workflow whose jobs write empty outputs: Snakemake records them like any other job's."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        for name in ("Snakefile", "rules", "config", "profiles", "envs", "report"):
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
        # The modules that rules digest are here, the scripts that jobs run are stubs.
        for name in ("scripts", "thinksafe"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (folder / "rules").glob("*.smk"):
            path.write_text(path.read_text(encoding="utf-8").replace('"../scripts/', '"../stubs/'))
        for path in (ROOT / "scripts").glob("*/*.py"):
            stub = folder / "stubs" / path.relative_to(ROOT / "scripts")
            stub.parent.mkdir(parents=True, exist_ok=True)
            stub.write_text(STUB)

    def snakemake(self, *arguments: str, overlay: dict[str, Any] | None = None) -> str:
        files = ["config/smoke.yaml"]
        if overlay is not None:
            (self.root / "overlay.yaml").write_text(yaml.safe_dump({"run": "smoke", **overlay}))
            files.append("overlay.yaml")
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "all", "--configfile", *files, *arguments],
            cwd=self.root,
            env={**os.environ, "THINKSAFE_WARM": "off", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.returncode, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout + done.stderr

    def stale(self, overlay: dict[str, Any] | None = None) -> set[tuple[str, str]]:
        """Return rule and wildcards of each job that a dry run would run."""
        jobs: list[list[str]] = []
        for line in self.snakemake("--dry-run", "--quiet", "host", "reason", overlay=overlay).splitlines():
            if match := re.match(r"(?:local)?rule (\w+):$", line):
                jobs.append([match[1], ""])
            elif match := re.match(r"    wildcards: (.+)$", line):
                jobs[-1][1] = ", ".join(sorted(match[1].split(", ")))
        return {(rule, wildcards) for rule, wildcards in jobs if rule != "all"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Return a copy in which everything has been made."""
    copied = Copy(tmp_path_factory.mktemp("made"))
    copied.snakemake("--cores", "2", "--quiet", "all")
    return copied


SMOKE = plain(settings.load([ROOT / "config/config.yaml", ROOT / "config/smoke.yaml"]))
OVERLAYS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a flag": {"world": {"guard": {"shuffled_labels": True}}},
    "two values swapped": {"training": {"lora": {"rank": 16, "alpha": 32}}},
    "a limit": {"sampling": {"safety": {"max_tokens": 63}}},
    "a template": {"benchmarks": {"gsm8k": {"template": "{problem} Say it."}}},
    "steering": {"steerings": {"prefix": "Refuse. {prompt}"}},
    "more draws": {"methods": {"thinksafe": {"data": {"benign": {"samples": 2}}}}},
    "one audit less": {"audit": []},
    "shards": {"shards": {"data": 2}},
    "a replicate": {"replicates": [0, 1]},
    "a label": {"models": {"qwen3-mini": {"label": "Another"}}},
    "a method": {"select": {"methods": ["initial", "thinksafe", "rejection"]}},
    "a set in another order": {"training": {"lora": {"targets": ["v_proj", "q_proj"]}}},
    "a default said": {"benchmarks": {"harmbench": {"samples": 1, "contains": None}}},
    "checkpoints": {"training": {"checkpoint_steps": 7}},
}
CHANGED = ("analysis/scores", "inference/guards", "jobs/run")
NOTHING = ("nothing", "a set in another order", "a default said", "checkpoints")


def names(keys: set[Key]) -> set[tuple[str, str]]:
    return {(rule, ", ".join(sorted(f"{name}={value}" for name, value in wildcards))) for rule, wildcards, _ in keys}


@pytest.mark.slow
def test_the_dry_run_agrees_on_config(made: Copy, folder: Path) -> None:
    configs = [plain(settings.validate(settings.merge([SMOKE, overlay]))) for overlay in OVERLAYS.values()]
    first, *found = [jobs_of(plan) for plan in plans([{"config": config} for config in (SMOKE, *configs)], folder)]
    for (what, overlay), after in zip(OVERLAYS.items(), found, strict=True):
        stale = names(downstream(changed(first, after), after))
        assert made.stale(overlay) == stale, what
        assert bool(stale) == (what not in NOTHING), what


@pytest.mark.slow
def test_the_dry_run_agrees_on_code(made: Copy, folder: Path) -> None:
    """A changed constant: the jobs that run the module and what follows; a touch, a comment, a docstring: nothing."""
    first, *found = (
        jobs_of(plan)
        for plan in plans(
            [{"config": SMOKE}] + [{"config": SMOKE, "module": module_path(n)} for n in CHANGED],
            folder,
        )
    )
    for name, after in zip(CHANGED, found, strict=True):
        path = made.root / module_path(name)
        text = path.read_text(encoding="utf-8")
        path.write_text(f"# A comment.\n{text}\n")
        assert made.stale() == set(), f"{name}: a comment"
        path.write_text(f"{text}\nNEW_CONSTANT = 1\n")
        assert made.stale() == names(downstream(changed(first, after), after)), f"{name}: a constant"
        path.write_text(text)
        assert made.stale() == set(), f"{name}: put back"


def test_touching_everything_makes_nothing_stale(made: Copy) -> None:
    for folder in ("config", "rules", "scripts", "thinksafe", "stubs"):
        for path in (made.root / folder).rglob("*"):
            path.touch()
    (made.root / "Snakefile").touch()
    assert made.stale() == set()


def explained(made: Copy, overlay: dict[str, Any]) -> str:
    (made.root / "config/edited.yaml").write_text(yaml.safe_dump({"extends": "smoke.yaml", "run": "smoke", **overlay}))
    command = [sys.executable, "-m", "thinksafe", "explain", "--configfile", "config/edited.yaml", "--gpus", "2"]
    done = subprocess.run(command, cwd=made.root, capture_output=True, text=True, check=False)
    (made.root / "config/edited.yaml").unlink()
    assert done.returncode == (not done.stdout.startswith("nothing is stale")), done.stdout + done.stderr
    return done.stdout


def test_what_is_stale_is_explained(made: Copy) -> None:
    """The leaf and the module that changed, what each reaches, and nothing where nothing did."""
    assert explained(made, {}).startswith("nothing is stale: all of ")
    path = made.root / "thinksafe/reporting/figures.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\nNEW_CONSTANT = 1\n")
    told = explained(made, {"steerings": {"prefix": "Refuse. {prompt}"}}).splitlines()
    path.write_text(text)
    at = next(n for n, line in enumerate(told) if line.startswith("config: steering: "))
    assert told[at].endswith('-> "Refuse. {prompt}"') and told[at + 1].strip() == "by itself: 1 sample_responses"
    assert (
        "2 cells; " in told[at + 2] and "table1" in told[at + 2]
    )  # ThinkSafe's two benchmarks, not the initial model's
    at = told.index("code: thinksafe/reporting/figures.py changed")
    assert "0 cells; figure" in told[at + 2] and "table1" not in told[at + 2]
    assert any(line.startswith("GPU-hours: ") for line in told)


def test_the_driver_leaves_its_list_for_make_status(made: Copy) -> None:
    plan = json.loads((made.root / ".snakemake/thinksafe/smoke.json").read_text(encoding="utf-8"))
    assert plan["run"] == "smoke" and {job["rule"] for job in plan["jobs"]} >= {
        "make_world",
        "train_student",
        "write_main_table",
    }
    assert all((made.root / job["identity"]).exists() for job in plan["jobs"]) and not plan["elsewhere"]
    titles = {job["title"] for job in plan["jobs"]}  # as the jobs say them
    assert "sample responses qwen3-mini prefix 1 0 harmful 0" in titles


@pytest.mark.slow
def test_the_dry_run_agrees_on_a_version_and_says_why(made: Copy) -> None:
    path = made.root / "envs/versions.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("matplotlib:", "matplotlib: '0.0.0'  #", 1))
    assert {rule for rule, _ in made.stale()} == {"plot_tradeoff", "plot_lengths"}
    reasons = made.snakemake("--dry-run", "--quiet", "host")
    assert "Params have changed" in reasons and "0.0.0" in reasons
    path.write_text(text)


@pytest.mark.slow
def test_an_edited_input_counts_by_content(made: Copy) -> None:
    """The same bytes written again change nothing, other bytes do."""
    rows = next(made.root.glob("results/smoke/prompts/benign.parquet"))
    text = rows.read_bytes()
    rows.write_bytes(text)
    assert made.stale() == set()
    rows.write_bytes(b"other")
    assert {rule for rule, _ in made.stale()} >= {"sample_responses", "train_student"}
    rows.write_bytes(text)
