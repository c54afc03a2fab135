# Needs: everything that a run has made. Yields: pages to look at it (docs/report.md).

from scripts.lib.contents import content_of
from scripts.lib.page import PAGE


def report_tables():
    """Return the tidy tables that the selection has something for, the paper's beside ours where they are made."""
    named = {Path(path).name.partition(".")[0] for path in PAPER}
    companions = [path for path in PAPER if path.endswith("-beside-paper.csv")]
    drawn = {name for name in named if name.startswith("figure")} - {"figure1", "figure2"}
    numbers = {name for name in named if name.startswith("table")}
    tables = numbers | drawn | {"effects"} & named
    if not config["printed"] and trained_cells():
        tables.add("cost")
    ours = [f"<results>/tables/{name}.csv" for name in sorted(tables) if not name.endswith("-beside-paper")]
    return [*ours, *companions]


def report_cells():
    """Return every cell with the number of files that its answers and verdicts are in."""
    return [
        cell | {"answers": 0 if config["printed"] else parts, "verdicts": parts if judged else 0}
        for cell in cells_of(STUDENTS)
        for parts in [config["shards"][kind_of(cell["benchmark"])]]
        for judged in [kind_of(cell["benchmark"]) == "safety" and not config["printed"]]
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
        "../scripts/show_table.py"


PAPER += [path.removesuffix(".md") + ".html" for path in PAPER if path.endswith(".md")]


rule write_report:
    """The run as one page that opens offline: tables, claims, cost, curves, and a reader of samples."""
    input:
        tables=report_tables(),
        claims=[path for path in PAPER if Path(path).name == "claims.json"],
        scores=score_files(cells_of(STUDENTS)),
        rows=[] if config["printed"] else score_files(cells_of(STUDENTS), "parquet"),
        answers=report_parts("answers", f"<results>/answers/{CELL}/part-{{part}}.parquet"),
        verdicts=report_parts("verdicts", f"<results>/verdicts/by-{{guard}}/on-answers/{CELL}/part-{{part}}.parquet"),
        prompts=[] if config["printed"] else [f"<results>/benchmarks/{name}.parquet" for name in BENCHMARKS],
        adapters=[] if config["printed"] else [f"{ADAPTER}.identity.json".format(**cell) for cell in trained_cells()],
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
            cells=report_cells(),
            adapters=[] if config["printed"] else trained_cells(),
            students=labelled("models", STUDENTS),
            methods=labelled("methods", METHODS),
            benchmarks=columns(),
            template={kind: content_of(Path(workflow.basedir) / path) for kind, path in PAGE.items()},
            **config["report"],
        ),
        code=code_of("write_report"),
        environment=environment_of("report"),
    script:
        "../scripts/write_report.py"
