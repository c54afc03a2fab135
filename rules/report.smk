# Needs: everything that a run has made. Yields: pages to look at it (docs/report.md).

from thinksafe.provenance.local_files import content_of
from thinksafe.reporting.page import PAGE


def report_tables():
    """Return the tidy tables that the selection has something for, the paper's beside ours where they are made."""
    named = {Path(path).name.partition(".")[0] for path in PAPER}
    companions = [path for path in PAPER if path.endswith("-beside-paper.csv")]
    drawn = {name for name in named if name.startswith("figure")} - {"figure1", "figure2"}
    numbers = {name for name in named if name.startswith("table")}
    tables = numbers | drawn | {"effects"} & named
    if not config["use_paper_scores"] and trained_cells():
        tables.add("cost")
    ours = [f"<results>/tables/{name}.csv" for name in sorted(tables) if not name.endswith("-beside-paper")]
    return [*ours, *companions]


def report_cells():
    """Return every cell with the number of files that its answers and verdicts are in."""
    return [
        cell | {"answers": 0 if config["use_paper_scores"] else parts, "verdicts": parts if judged else 0}
        for cell in cells_of(STUDENTS)
        for parts in [config["shards"][kind_of(cell["benchmark"])]]
        for judged in [kind_of(cell["benchmark"]) == "safety" and not config["use_paper_scores"]]
    ]


def report_parts(which, pattern):
    """Return the parts of all cells, of their answers or of the verdicts that count."""
    return [
        pattern.format(**cell, guard=config["benchmarks"][cell["benchmark"]].get("guard"), part=part)
        for cell in report_cells()
        for part in range(cell[which])
    ]


def shown_tables():
    """Return the tables in Markdown, without their ending, that Snakemake's report shows as pages."""
    made = [path.removeprefix("<results>/").removesuffix(".md") for path in PAPER if path.endswith(".md")]
    return [*made, "judge-study"]


rule show_table:
    """A table as a page that Snakemake's report can show; it would only offer Markdown for download."""
    input:
        md="<results>/{shown}.md",
    output:
        html=report("<results>/{shown}.html", caption="../report/tables.rst", category="Tables"),
        identity="<results>/{shown}.html.identity.json",
    log:
        "<results>/logs/show_table/{shown}.log",
    wildcard_constraints:
        shown=one_of(shown_tables()),
    conda:
        "../envs/paper.yaml"
    params:
        spec=lambda wildcards: spec(title=wildcards.shown.rpartition("/")[2]),
        code=code_of("show_table"),
        environment=environment_of("pages"),
    script:
        "../scripts/report/show_table.py"


PAPER += [path.removesuffix(".md") + ".html" for path in PAPER if path.endswith(".md")]


rule write_report:
    """The run as one page that opens offline: tables, claims, cost, curves, and a reader of samples."""
    input:
        tables=report_tables(),
        claims=[path for path in PAPER if Path(path).name == "claims.json"],
        scores=score_files(cells_of(STUDENTS)),
        rows=[] if config["use_paper_scores"] else score_files(cells_of(STUDENTS), "parquet"),
        answers=report_parts("answers", f"<results>/answers/{CELL}/part-{{part}}.parquet"),
        verdicts=report_parts("verdicts", f"<results>/verdicts/by-{{guard}}/on-answers/{CELL}/part-{{part}}.parquet"),
        prompts=[] if config["use_paper_scores"] else [f"<results>/benchmarks/{name}.parquet" for name in BENCHMARKS],
        adapters=(
            []
            if config["use_paper_scores"]
            else [f"{ADAPTER}.identity.json".format(**cell) for cell in trained_cells()]
        ),
        identities=lambda wildcards: report_identities(),
    output:
        html="<results>/report/index.html",
        identity="<results>/report/index.identity.json",
    log:
        "<results>/logs/write_report.log",
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        spec=spec(
            run=config["run"],
            use_paper_scores=config["use_paper_scores"],
            cells=report_cells(),
            adapters=[] if config["use_paper_scores"] else trained_cells(),
            students=labelled("models", STUDENTS),
            methods=labelled("methods", METHODS),
            benchmarks=columns(),
            **({"released": released} if (released := released_pairs(cells_of(STUDENTS))) else {}),
            template={kind: content_of(ROOT / path) for kind, path in PAGE.items()},
            **config["report"],
        ),
        code=code_of("write_report"),
        environment=environment_of("report"),
    script:
        "../scripts/report/write_report.py"


def report_identities():
    """Return the identities of what stands behind the cells, as far as the page shows their lineage."""
    if config["use_paper_scores"]:
        return []
    cell = f"{CELL}/part-{{part}}.identity.json"
    verdict = f"<results>/verdicts/by-{{guard}}/on-answers/{cell}"
    found = [
        *score_files(cells_of(STUDENTS), "identity.json"),
        *report_parts("answers", f"<results>/answers/{cell}"),
        *report_parts("verdicts", verdict),
        *[
            verdict.format(**entry, guard=guard, part=part)
            for entry in report_cells()
            for part in range(entry["verdicts"])
            for guard in audits_of(entry["benchmark"])
        ],
        *[f"<results>/benchmarks/{name}.identity.json" for name in BENCHMARKS],
    ]
    behind = [path for _, path in cost_jobs()]
    found += behind
    found += [
        f"<results>/prompts/{p.split('/')[-2]}.identity.json" for p in behind if p.startswith("<results>/responses/")
    ]
    released = [
        half | {"replicate": cell["replicate"]}
        for cell in trained_cells()
        for student, method in halves_of(cell["student"], cell["method"]).values()
        for half in [dict(student=student, method=method)]
        if is_released(student, method)
    ]
    found += [f"{SET}.identity.json".format(**half) for half in released]
    sets = [training_set_of(cell["method"]) for cell in trained_cells() if "data" in config["methods"][cell["method"]]]
    found += [path.removesuffix(".parquet") + IDENTITY for path in sets if path.startswith("<results>/corpora/")]
    if config["judge_study"]["in_all"]:
        study = [path for cell in judged_cells() for judge in judges() for path in verdicts_of(cell, *judge)]
        found += [path.removesuffix(".parquet") + IDENTITY for path in study]
    return sorted(set(found))


LICENCES = settings.read(ROOT / "config/licences/assets.yaml")


def appendix_config():
    """Return the shipped overlay that names this run; nothing where it is the paper's config or one of the user's own."""
    path = Path("config") / f"{config['run']}.yaml"
    return str(path) if (ROOT / path).is_file() else None


def appendix_identities():
    """Return the identities of all that the run trains, samples, judges and scores, and of the models it builds."""
    built = [path for student in STUDENTS for path in model_files(student, config["models"][student])]
    behind = report_identities()
    guards = {part.removeprefix("by-") for path in behind for part in Path(path).parts if part.startswith("by-")}
    built += [path for guard in sorted(guards) for path in model_files(guard, config["guards"][guard])]
    return sorted({*behind, *[path for path in built if path.endswith(IDENTITY)]})


rule write_appendix:
    """What a reviewer asks for: compute, seeds, licences, intervals, how to rerun, and a filled checklist."""
    input:
        identities=lambda wildcards: appendix_identities(),
        tables=[
            path
            for path in report_tables()
            if not path.endswith("-beside-paper.csv") and Path(path).name != "cost.csv"
        ],
        claims=[path for path in PAPER if Path(path).name == "claims.json"],
    output:
        appendix="<results>/appendix.md",
        checklist="<results>/checklist.md",
        identity="<results>/appendix.identity.json",
    log:
        "<results>/logs/write_appendix.log",
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        spec=spec(
            run=config["run"],
            config=appendix_config(),
            use_paper_scores=config["use_paper_scores"],
            seeds=config["seeds"],
            replicates=REPLICATES,
            confidence=config["scoring"]["confidence"],
            students=[label for _, label in labelled("models", STUDENTS)],
            methods=[label for _, label in labelled("methods", METHODS)],
            benchmarks=[config["benchmarks"][name]["label"] for name in BENCHMARKS],
            licences=LICENCES,
        ),
        code=code_of("write_appendix"),
        environment=environment_of(),
    script:
        "../scripts/report/write_appendix.py"
