# Needs: scores, training sets. Yields: the paper's tables and figures. Paper: Tables 1 to 7, Figures 1, 7, 9, 10.

from types import SimpleNamespace

import yaml

from thinksafe.reporting.tables import read_csv

# A family's table has a number (Tables 1, 2), or else the family's name: table-own.csv.
FAMILY = {str(entry.get("table", f"-{family}")): family for family, entry in config["families"].items()}
COMPANION = {"6": "1", "7": "2"}  # tables with one more row, ThinkSafe with another guard
STRATEGIES = ("thinksafe-suffix", "thinksafe-risk", "thinksafe-intent")  # steering, in the order of Table 5
TAUGHT = [name for name, entry in config["methods"].items() if "from" in entry.get("data", {})]  # by another model
# Methods that a figure of their own shows.
ELSEWHERE = {"thinksafe-kl", "grpo", "thinksafe-noreason", *STRATEGIES, *TAUGHT}
LENGTHS = {"9": "qwen3", "10": "r1"}  # which family's lengths a figure shows


def labelled(section, names):
    """Return pairs of id and label, in the order given."""
    return [[name, config[section][name].get("label", name)] for name in names]


def cells_of(students, methods=None):
    """Return the cells of a table, in the order of its rows."""
    return [
        dict(student=student, method=method, replicate=replicate, benchmark=benchmark)
        for student in students
        for method in methods_of(student)
        if methods is None or method in methods
        for replicate in REPLICATES
        for benchmark in BENCHMARKS
    ]


def score_files(cells, ending="json"):
    return [
        f"<results>/scores/{kind}/{CELL}.{ending}".format(**cell)
        for cell in cells
        for kind in [kind_of(cell["benchmark"])]
    ]


def seed_rows(cells):
    """Return the rows per item behind cells of several replicates, over which their intervals are; else nothing."""
    return score_files(cells, "parquet") if len(REPLICATES) > 1 else []


def columns():
    """Return the selected benchmarks as a table's columns."""
    return [
        dict(id=name, label=config["benchmarks"][name]["label"], kind=config["benchmarks"][name]["kind"])
        for name in BENCHMARKS
    ]


def released_pairs(cells):
    """Return student and method of the cells whose training set others have released."""
    pairs = dict.fromkeys((cell["student"], cell["method"]) for cell in cells)
    return [list(pair) for pair in pairs if not samples_itself(*pair)]


def table_spec(students, methods=None):
    """Return what a table takes from config: which cells, in which order, under which labels."""
    chosen = [method for method in METHODS if methods is None or method in methods]
    cells = cells_of(students, methods)
    released = released_pairs(cells)
    return spec(
        cells=cells,
        **({"released": released} if released else {}),
        students=labelled("models", students),
        methods=labelled("methods", chosen),
        benchmarks=columns(),
        confidence=config["scoring"]["confidence"],
    )


def table_methods(table):
    """Return the methods that a table shows."""
    hidden = ELSEWHERE if table in COMPANION else ELSEWHERE | {"thinksafe-wildguard"}
    return tuple(method for method in METHODS if method not in hidden)


def table_students(table):
    return students_of(FAMILY.get(COMPANION.get(table, table)))


def figure7_students():
    """Return the students for which rejection sampling is selected, and its counterparts are too."""
    return [student for student in STUDENTS if {"initial", "thinksafe", "rejection"} <= set(methods_of(student))]


def thinksafe_students(family=None):
    """Return the selected students, of one family or of all, that ThinkSafe is meant for."""
    among = STUDENTS if family is None else students_of(family)
    return [student for student in among if "thinksafe" in methods_of(student)]


def counted_students():
    """Return the students of whose ThinkSafe responses it is known how many were left out (Table 3)."""
    return [student for student in thinksafe_students() if not is_released(student, "thinksafe")]


def steered_students():
    """Return the students of Figure 7 whose raw responses, steered and direct, are this run's."""
    sampled = ("thinksafe", "rejection")
    return [student for student in figure7_students() if not any(is_released(student, method) for method in sampled)]


def training_sets(students, ending):
    return [
        f"{SET}.{ending}".format(student=student, method="thinksafe", replicate=replicate)
        for student in students
        for replicate in REPLICATES
    ]


def training_set_spec(students, cells=None):
    return spec(
        cells=cells or [dict(student=student, replicate=replicate) for student in students for replicate in REPLICATES],
        students=labelled("models", students),
        confidence=config["scoring"]["confidence"],
    )


def filtered_cells(students):
    """Return the training sets of which Table 3 counts what was left out: rejection sampling's stand in its file only."""
    return [
        dict(student=student, method=method, replicate=replicate)
        for student in students
        for method in ("thinksafe", "rejection")
        if method in methods_of(student) and not is_released(student, method)
        for replicate in REPLICATES
    ]


rule write_main_table:
    """Safety and reasoning of every method on one family of students (Tables 1, 2; with WildGuard 6, 7)."""
    input:
        scores=lambda wildcards: score_files(cells_of(table_students(wildcards.table), table_methods(wildcards.table))),
        rows=lambda wildcards: seed_rows(cells_of(table_students(wildcards.table), table_methods(wildcards.table))),
    output:
        csv="<results>/tables/table{table}.csv",
        md="<results>/tables/table{table}.md",
        tex="<results>/tables/table{table}.tex",
        identity="<results>/tables/table{table}.identity.json",
    log:
        "<results>/logs/write_main_table/table{table}.log",
    wildcard_constraints:
        table=one_of([*FAMILY, *COMPANION]),
    conda:
        "../envs/scoring.yaml"
    params:
        spec=lambda wildcards: table_spec(table_students(wildcards.table), table_methods(wildcards.table)),
        code=code_of("write_main_table"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/write_main_table.py"


rule write_table3:
    """Share of responses that the guard filters out (Table 3)."""
    input:
        statistics=[f"{SET}.statistics.json".format(**cell) for cell in filtered_cells(counted_students())],
    output:
        csv="<results>/tables/table3.csv",
        md="<results>/tables/table3.md",
        tex="<results>/tables/table3.tex",
        identity="<results>/tables/table3.identity.json",
    log:
        "<results>/logs/write_table3.log",
    conda:
        "../envs/scoring.yaml"
    params:
        spec=training_set_spec(counted_students(), cells=filtered_cells(counted_students())),
        code=code_of("write_table3"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/write_table3.py"


rule plot_tradeoff:
    """Safety against reasoning for every method and student of a family (Figure 1)."""
    input:
        table="<results>/tables/table1.csv",
    output:
        png=report("<results>/figures/figure1.png", caption="../report/figure1.rst", category="Figures"),
        pdf="<results>/figures/figure1.pdf",
        identity="<results>/figures/figure1.identity.json",
    log:
        "<results>/logs/plot_tradeoff.log",
    conda:
        "../envs/paper.yaml"
    params:
        spec=spec(students=labelled("models", table_students("1")), methods=labelled("methods", table_methods("1"))),
        code=code_of("plot_tradeoff"),
        environment=environment_of("figures"),
    script:
        "../scripts/figures/plot_tradeoff.py"


rule write_figure7_table:
    """Averages over safety and reasoning benchmarks by method, as numbers (Figures 3, 4, 7, 11, 13)."""
    input:
        scores=score_files(cells_of(figure7_students(), ("initial", "rejection", "thinksafe"))),
        rows=seed_rows(cells_of(figure7_students(), ("initial", "rejection", "thinksafe"))),
    output:
        csv="<results>/tables/figure7.csv",
        identity="<results>/tables/figure7.identity.json",
    log:
        "<results>/logs/write_figure7_table.log",
    conda:
        "../envs/scoring.yaml"
    params:
        spec=table_spec(figure7_students(), ("initial", "rejection", "thinksafe")),
        code=code_of("write_averages"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/write_averages.py"


rule plot_rejection:
    """Averages with and without refusal steering (Figure 7)."""
    input:
        table="<results>/tables/figure7.csv",
    output:
        png=report("<results>/figures/figure7.png", caption="../report/figure7.rst", category="Figures"),
        pdf="<results>/figures/figure7.pdf",
        identity="<results>/figures/figure7.identity.json",
    log:
        "<results>/logs/plot_rejection.log",
    conda:
        "../envs/paper.yaml"
    params:
        spec=spec(
            students=labelled("models", figure7_students()),
            methods=labelled("methods", ["initial", "rejection", "thinksafe"]),
        ),
        code=code_of("plot_averages"),
        environment=environment_of("figures"),
    script:
        "../scripts/figures/plot_averages.py"


def verdict_parts(student, replicate, method="thinksafe"):
    """Return the filtering guard's verdicts on the raw harmful responses behind a method's training set."""
    return raw_parts(
        f"<results>/verdicts/by-{{guard}}/on-responses/{RAW}.parquet", "harmful", student, method, replicate
    )


def effects_cells():
    return [dict(student=student, replicate=replicate) for student in steered_students() for replicate in REPLICATES]


rule write_effects:
    """Does steering help, does ThinkSafe, does rejection sampling: paired differences with verdicts (Sec. 5.2, 5.4)."""
    input:
        steered=[path for cell in effects_cells() for path in verdict_parts(**cell)],
        direct=[path for cell in effects_cells() for path in verdict_parts(**cell, method="rejection")],
        rows=score_files(cells_of(steered_students(), ("initial", "rejection", "thinksafe")), "parquet"),
    output:
        csv="<results>/tables/effects.csv",
        md="<results>/tables/effects.md",
        identity="<results>/tables/effects.identity.json",
    log:
        "<results>/logs/write_effects.log",
    conda:
        "../envs/scoring.yaml"
    params:
        spec=spec(
            pairs=effects_cells(),
            cells=cells_of(steered_students(), ("initial", "rejection", "thinksafe")),
            students=labelled("models", steered_students()),
            methods=labelled("methods", ["initial", "rejection", "thinksafe"]),
            benchmarks=columns(),
            shards=config["shards"]["data"],
            confidence=config["scoring"]["confidence"],
            min_effect=config["scoring"]["min_effect"],
        ),
        code=code_of("write_effects"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/write_effects.py"


rule write_lengths:
    """Numbers and mean lengths of the kept responses (Figures 9 and 10)."""
    input:
        datasets=lambda wildcards: training_sets(thinksafe_students(LENGTHS[wildcards.figure]), "parquet"),
    output:
        csv="<results>/tables/figure{figure}.csv",
        identity="<results>/tables/figure{figure}.identity.json",
    log:
        "<results>/logs/write_lengths/figure{figure}.log",
    wildcard_constraints:
        figure=one_of(LENGTHS),
    conda:
        "../envs/scoring.yaml"
    params:
        spec=lambda wildcards: training_set_spec(thinksafe_students(LENGTHS[wildcards.figure])),
        code=code_of("write_lengths"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/write_lengths.py"


rule plot_lengths:
    """Distributions of the kept responses' lengths (Figures 9 and 10)."""
    input:
        datasets=lambda wildcards: training_sets(thinksafe_students(LENGTHS[wildcards.figure]), "parquet"),
        lengths="<results>/tables/figure{figure}.csv",
    output:
        png=report("<results>/figures/figure{figure}.png", caption="../report/figure9.rst", category="Figures"),
        pdf="<results>/figures/figure{figure}.pdf",
        identity="<results>/figures/figure{figure}.identity.json",
    log:
        "<results>/logs/plot_lengths/figure{figure}.log",
    wildcard_constraints:
        figure=one_of(LENGTHS),
    conda:
        "../envs/paper.yaml"
    params:
        spec=lambda wildcards: training_set_spec(thinksafe_students(LENGTHS[wildcards.figure])),
        code=code_of("plot_lengths"),
        environment=environment_of("figures"),
    script:
        "../scripts/figures/plot_lengths.py"


def family_tables():
    """Return the tables of safety and reasoning that have students to show."""
    tables = [*FAMILY, *(COMPANION if "thinksafe-wildguard" in METHODS else ())]
    shown = [table for table in tables if table_students(table)]
    return [f"<results>/tables/table{table}.{ending}" for table in shown for ending in ("csv", "md")]


def trained_cells():
    """Return student, method and replicate of every adapter that the selection names."""
    return [
        dict(student=student, method=method, replicate=replicate)
        for student in STUDENTS
        for method in methods_of(student)
        if method != "initial"
        for replicate in REPLICATES
    ]


def named_source(entry):
    """Return the name of a source: a set on the hub, or the file or part of the world that stands for one."""
    kind = next(name for name in ("hub", "url", "file", "published", "world") if name in entry["source"])
    place = entry["source"][kind]
    return place if kind == "hub" else place.rpartition("/")[2]


def training_data(student, method):
    """Return the names of the sets that a method's rows are from, and who wrote their responses."""
    entry = config["methods"][method]
    data = entry.get("data", {})
    halves = config["corpora"][data["corpus"]] if "corpus" in data else config["prompts"]
    found = [named_source(halves[role]) for role in ("harmful", "benign") if role in halves]
    if "corpus" in data:
        wrote = "the set's"
    elif "grpo" in entry:
        wrote = "own, while training"
    elif "from" in data:
        wrote = config["models"][data["from"]].get("label", data["from"])
        wrote += ", benign half own" if data.get("benign_half") == "own" else ""
    else:
        wrote = "own"
    if not samples_itself(student, method):
        halves = {
            role: config["sources"].get(who, {}).get(what) for role, (who, what) in halves_of(student, method).items()
        }
        found = [named_source(entry[role] if entry else config["prompts"][role]) for role, entry in halves.items()]
        wrote += " (released)"
    return {"source": ", ".join(dict.fromkeys(found)), "responses": wrote}


def table4_sets(cell):
    """Return the files whose rows an adapter is trained on."""
    wildcards = SimpleNamespace(**cell)
    return grpo_prompts(wildcards) if cell["method"] in BY_REWARD else [training_set(wildcards)]


def table4_cells():
    """Return what config says of each adapter's training; a budget of prompts is in its set already, but for GRPO's."""
    cells = []
    for cell in trained_cells():
        grpo = config["methods"][cell["method"]].get("grpo")
        said = dict(
            epochs=method_of(cell["method"])["epochs"],
            steps=grpo.get("steps") if grpo else None,
            take=grpo_take(grpo) if grpo else None,
            files=len(table4_sets(cell)),
        )
        cells.append(cell | said | training_data(cell["student"], cell["method"]))
    return cells


rule write_table4:
    """What each method was trained on, and for how long (Table 4)."""
    input:
        sets=lambda wildcards: [path.format(**cell) for cell in trained_cells() for path in table4_sets(cell)],
        adapters=lambda wildcards: [f"{ADAPTER}.identity.json".format(**cell) for cell in trained_cells()],
        paper=local(f"{config['paper']}/table4.csv"),
    output:
        csv="<results>/tables/table4.csv",
        md="<results>/tables/table4.md",
        tex="<results>/tables/table4.tex",
        identity="<results>/tables/table4.identity.json",
    log:
        "<results>/logs/write_table4.log",
    conda:
        "../envs/scoring.yaml"
    params:
        spec=lambda wildcards: spec(
            cells=table4_cells(), students=labelled("models", STUDENTS), methods=labelled("methods", METHODS)
        ),
        code=code_of("write_table4"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/write_table4.py"


def steerings_used():
    """Return each steering of harmful prompts with the selected methods that sample by it, in the config's order."""
    used = {name: [] for name in config["steerings"]}
    for method in METHODS:
        data = config["methods"][method].get("data", {})
        origin = data.get("base_method", method)
        if origin in SAMPLED and any(method in methods_of(student) for student in STUDENTS):
            used[config["methods"][origin]["data"]["harmful"]["steering"]].append(method)
    return [dict(id=name, template=config["steerings"][name], methods=names) for name, names in used.items() if names]


rule write_table5:
    """The instructions to refuse (Table 5)."""
    input:
        paper=local(f"{config['paper']}/table5.csv"),
    output:
        csv="<results>/tables/table5.csv",
        md="<results>/tables/table5.md",
        tex="<results>/tables/table5.tex",
        identity="<results>/tables/table5.identity.json",
    log:
        "<results>/logs/write_table5.log",
    conda:
        "../envs/scoring.yaml"
    params:
        spec=lambda wildcards: spec(steerings=steerings_used(), methods=labelled("methods", METHODS)),
        code=code_of("write_table5"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/write_table5.py"


@lru_cache(maxsize=None)
def printed_students(table):
    """Return the students that the paper's table has."""
    path = Path(config["paper"]) / f"table{table}.csv"
    return {row["student"] for row in read_csv(path)} if path.exists() else set()


def beside_students(table):
    """Return the students that both tables have. The miniature's have other names, and no numbers of the paper."""
    ours = counted_students() if table == "3" else table_students(table)
    return [student for student in ours if student in printed_students(table)]


@lru_cache(maxsize=None)
def footnotes():
    """Return where the paper's own numbers do not agree with one another."""
    return yaml.safe_load((Path(config["paper"]) / "footnotes.yaml").read_text(encoding="utf-8"))


def beside_spec(table):
    metrics = [(name, config["benchmarks"][name]["label"]) for name in BENCHMARKS]
    averages = [("safety_avg", "Safety average"), ("reasoning_avg", "Reasoning average")]
    filtered = [(f"filtered_out_pct_{half}", f"{half.capitalize()}, filtered out") for half in ("benign", "harmful")]
    return spec(
        table=table,
        students=labelled("models", beside_students(table)),
        methods=labelled("methods", table_methods(table)),
        labels=[*metrics, *averages, *filtered],
        footnotes=[note for note in footnotes() if int(table) in note["tables"]],
        confidence=config["scoring"]["confidence"],
        min_effect=config["scoring"]["min_effect"],
    )


rule write_beside_paper:
    """A table of the paper beside ours, with what can be said of the difference (Tables 1, 2, 3, 6, 7)."""
    input:
        ours="<results>/tables/table{table}.csv",
        paper=f"{config['paper']}/table{{table}}.csv",
        sizes=f"{config['paper']}/sizes.csv",
    output:
        csv="<results>/tables/table{table}-beside-paper.csv",
        md=report("<results>/tables/table{table}-beside-paper.md", caption="../report/beside.rst", category="Tables"),
        identity="<results>/tables/table{table}-beside-paper.identity.json",
    log:
        "<results>/logs/write_beside_paper/table{table}.log",
    wildcard_constraints:
        table="1|2|3|6|7",
    conda:
        "../envs/scoring.yaml"
    params:
        spec=lambda wildcards: beside_spec(wildcards.table),
        code=code_of("write_beside_paper"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/write_beside_paper.py"


def beside_tables():
    """Return the companions of the tables that are made; Tables 4 and 5 have the paper's columns themselves."""
    tables = [
        "1",
        "2",
        *(COMPANION if "thinksafe-wildguard" in METHODS else ()),
        *([] if config["use_paper_scores"] else ["3"]),
    ]
    return [f"<results>/tables/table{table}-beside-paper.csv" for table in tables if beside_students(table)]


def paper_files():
    """Return what `all` makes: every table and figure that the selection has something for."""
    files = family_tables() + beside_tables()
    if table_students("1"):
        files.append("<results>/figures/figure1.png")
    if config["use_paper_scores"]:
        return files  # there is nothing behind the cells
    files += [
        f"<results>/tables/table{n}.md" for n, any_of in (("4", trained_cells()), ("5", steerings_used())) if any_of
    ]
    if counted_students():
        files.append("<results>/tables/table3.md")
    if thinksafe_students():
        files += [f"<results>/figures/figure{n}.png" for n, family in LENGTHS.items() if thinksafe_students(family)]
    if figure7_students():
        files.append("<results>/figures/figure7.png")
    if steered_students():
        files.append("<results>/tables/effects.md")
    return files


PAPER = paper_files()
