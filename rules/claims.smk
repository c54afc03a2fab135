# Needs: scores, tables. Yields: the claims board. Paper: all claims of Sec. 1, 4, 5, A, D (config/claims.yaml).

from thinksafe.analysis.claims import ClaimError, asked, check_metrics, counted, read_claims
from thinksafe.analysis.scores import AVERAGES

# Metrics that no score has, and the table where they are.
METRIC_TABLES = {
    "filtered_out_pct_harmful": "table3",
    "filtered_out_pct_benign": "table3",
    "unsafe_pct_train_harmful": "effects",
    "perplexity": "figure8",
    "mean_tokens_harmful": "lengths",
    "mean_tokens_benign": "lengths",
    "train_hours": "cost",
    "generation:train_hours": "cost",
}

try:
    CLAIMS = settings.read(ROOT / "config/claims.yaml")
    read_claims(CLAIMS, list(config["families"]))
    check_metrics(CLAIMS, list(config["families"]), {*config["benchmarks"], *AVERAGES, *METRIC_TABLES})
except ClaimError as error:
    raise WorkflowError(f"config/claims.yaml: {error}") from None
except settings.SettingsError as error:
    raise WorkflowError(str(error)) from None
OWN_SETS = {"students": sorted(STUDENTS), **{family: sorted(students_of(family)) for family in config["families"]}}
MEANT = {student: set(methods_of(student)) for student in STUDENTS}


def claimed_tables():
    """Return the tables with metrics that no score has, as far as the selection has something for them."""
    if config["use_paper_scores"]:
        return [f"{config['paper']}/{name}.csv" for name in ("table3", "text_cells")]
    behind = {
        "table3": "table3.md",
        "effects": "effects.md",
        "figure8": "figure8.png",
        "figure9": "figure9.png",
        "figure10": "figure10.png",
        "cost": "figure3.png",
    }
    made = {Path(path).name for path in PAPER}
    return [f"<results>/tables/{table}.csv" for table, shown in behind.items() if shown in made]


def is_meant(cell):
    """Return whether a cell that a claim asks for is in the run by its config."""
    student, method, metric = cell
    if method not in MEANT.get(student, ()):
        return False
    if metric not in METRIC_TABLES:
        return set(AVERAGES.get(metric, [metric])) <= set(BENCHMARKS)
    return (
        not config["use_paper_scores"]
        and {
            "table3": method in ("thinksafe", "rejection")
            and "thinksafe" in MEANT[student]
            and not is_released(student, method)
            and student in counted_students(),
            "effects": method == "initial" and student in steered_students(),
            "figure8": method in figure8_methods(),
            "lengths": method == "thinksafe" and family_of(student) in LENGTHS.values(),
            "cost": method != "initial" and samples_itself(student, method),
        }[METRIC_TABLES[metric]]
    )


def claimed_cells():
    """Return the cells in an order of their own, as no verdict depends on that of the selection."""
    return sorted(cells_of(STUDENTS), key=canonical)


@lru_cache(maxsize=None)
def students_over(claim):
    """Return the students that count in a claim; printed numbers say for themselves what is printed."""
    predicate = CLAIMS["claims"][claim]
    return {} if config["use_paper_scores"] else counted(predicate, CLAIMS["sets"], OWN_SETS, is_meant)


@lru_cache(maxsize=None)
def asked_by(claim):
    """Return the run's cells that decide a claim.

    Raises
    ------
    WorkflowError
        If it cannot be decided, with what is not there. Printed numbers say for themselves what they decide.
    """
    predicate, sets = CLAIMS["claims"][claim], {**CLAIMS["sets"], **OWN_SETS, **students_over(claim)}
    cells = sorted({cell for cell in asked(predicate, sets, correlated=True) if is_meant(cell)})
    lacking = sorted({cell for cell in asked(predicate, sets) if not is_meant(cell)})
    few = predicate.get("at_least", 0) > min(map(len, students_over(claim).values()), default=len(OWN_SETS["students"]))
    if (not cells or few or lacking) and not config["use_paper_scores"]:
        some = "; ".join(" ".join(cell) for cell in lacking[:3]) + (", ..." if len(lacking) > 3 else "")
        raise WorkflowError(
            f"claim_{claim}: this run cannot decide it, as it has not {some or 'the students that it counts'}. Add the "
            "students, methods and benchmarks to `select` (docs/claims.md)"
        )
    return cells


def claim_cells(claim):
    """Return the scored cells that decide a claim."""
    wanted = {
        (student, method, benchmark)
        for student, method, metric in asked_by(claim)
        if metric not in METRIC_TABLES
        for benchmark in AVERAGES.get(metric, [metric])
    }
    return [cell for cell in claimed_cells() if (cell["student"], cell["method"], cell["benchmark"]) in wanted]


def claim_arms(claim, table):
    """Return student, method and replicate of the sets or adapters that a claim asks a table about."""
    wanted = {cell[:2] for cell in asked_by(claim) if METRIC_TABLES.get(cell[2]) == table}
    return [
        dict(student=student, method=method, replicate=replicate)
        for student, method in sorted(wanted)
        for replicate in REPLICATES
    ]


def claim_tables(wildcards):
    """Return the tables that a claim asks, made of nothing but what it asks of them."""
    if config["use_paper_scores"]:
        return claimed_tables()
    tables = sorted({METRIC_TABLES[metric] for *_, metric in asked_by(wildcards.claim) if metric in METRIC_TABLES})
    return [f"<results>/claims/{wildcards.claim}/{table}.csv" for table in tables]


def claims_spec(cells, names):
    """Return what a verdict takes from config, for some of the claims."""
    return spec(
        cells=cells,
        students=[[student, student] for student in OWN_SETS["students"]],
        methods=[[method, method] for method in sorted(METHODS)],
        benchmarks=[dict(id=name, kind=config["benchmarks"][name]["kind"]) for name in sorted(BENCHMARKS)],
        families={family: OWN_SETS[family] for family in config["families"]},
        confidence=config["scoring"]["confidence"],
        use_paper_scores=config["use_paper_scores"],
        claims={**CLAIMS, "claims": {name: CLAIMS["claims"][name] for name in names}},
        over={name: over for name in names if (over := students_over(name))},
    )


rule judge_claims:
    """What the run says of each claim of the paper: holds, fails, undecided or not run (all sections)."""
    input:
        scores=score_files(claimed_cells()),
        rows=[] if config["use_paper_scores"] else score_files(claimed_cells(), "parquet"),
        tables=claimed_tables(),
    output:
        json="<results>/claims.json",
        md=report("<results>/claims.md", caption="../report/claims.rst", category="Claims"),
        identity="<results>/claims.identity.json",
    log:
        "<results>/logs/judge_claims.log",
    conda:
        "../envs/scoring.yaml"
    params:
        spec=lambda wildcards: claims_spec(claimed_cells(), CLAIMS["claims"]),
        code=code_of("judge_claims"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/judge_claims.py"


use rule judge_claims as judge_claim with:
    input:
        scores=lambda wildcards: score_files(claim_cells(wildcards.claim)),
        rows=lambda wildcards: (
            [] if config["use_paper_scores"] else score_files(claim_cells(wildcards.claim), "parquet")
        ),
        tables=claim_tables,
    output:
        json="<results>/claims/{claim}.json",
        md="<results>/claims/{claim}.md",
        identity="<results>/claims/{claim}.identity.json",
    log:
        "<results>/logs/judge_claim/{claim}.log",
    params:
        spec=lambda wildcards: claims_spec(claim_cells(wildcards.claim), [wildcards.claim]),
        code=code_of("judge_claims"),
        environment=environment_of("tables"),


use rule write_table3 as claim_table3 with:
    input:
        statistics=lambda wildcards: [
            f"{SET}.statistics.json".format(**cell) for cell in claim_arms(wildcards.claim, "table3")
        ],
    output:
        csv="<results>/claims/{claim}/table3.csv",
        md="<results>/claims/{claim}/table3.md",
        tex="<results>/claims/{claim}/table3.tex",
        identity="<results>/claims/{claim}/table3.identity.json",
    log:
        "<results>/logs/claim_table3/{claim}.log",
    params:
        spec=lambda wildcards: training_set_spec(OWN_SETS["students"], cells=claim_arms(wildcards.claim, "table3")),
        code=code_of("write_table3"),
        environment=environment_of("tables"),


use rule write_lengths as claim_lengths with:
    input:
        datasets=lambda wildcards: [f"{SET}.parquet".format(**cell) for cell in claim_arms(wildcards.claim, "lengths")],
    output:
        csv="<results>/claims/{claim}/lengths.csv",
        identity="<results>/claims/{claim}/lengths.identity.json",
    log:
        "<results>/logs/claim_lengths/{claim}.log",
    params:
        spec=lambda wildcards: training_set_spec(OWN_SETS["students"], cells=claim_arms(wildcards.claim, "lengths")),
        code=code_of("write_lengths"),
        environment=environment_of("tables"),


use rule write_figure8_table as claim_figure8 with:
    input:
        scores=lambda wildcards: [
            f"{PERPLEXITY}.parquet".format(**cell) for cell in claim_arms(wildcards.claim, "figure8")
        ],
    output:
        csv="<results>/claims/{claim}/figure8.csv",
        identity="<results>/claims/{claim}/figure8.identity.json",
    log:
        "<results>/logs/claim_figure8/{claim}.log",
    params:
        spec=lambda wildcards: spec(
            cells=claim_arms(wildcards.claim, "figure8"),
            students=labelled("models", OWN_SETS["students"]),
            methods=labelled("methods", figure8_methods()),
            confidence=config["scoring"]["confidence"],
        ),
        code=code_of("write_figure8_table"),
        environment=environment_of("tables"),


def claim_jobs(claim):
    """Return the jobs whose hours a claim asks for, as `cost_jobs` does."""
    wanted = {(cell["student"], cell["method"]) for cell in claim_arms(claim, "cost")}
    return [(job, path) for job, path in cost_jobs() if (job["student"], job["method"]) in wanted]


use rule write_cost as claim_cost with:
    input:
        identities=lambda wildcards: [path for _, path in claim_jobs(wildcards.claim)],
    output:
        csv="<results>/claims/{claim}/cost.csv",
        identity="<results>/claims/{claim}/cost.identity.json",
    log:
        "<results>/logs/claim_cost/{claim}.log",
    params:
        spec=lambda wildcards: spec(
            jobs=[job for job, _ in claim_jobs(wildcards.claim)],
            students=labelled("models", OWN_SETS["students"]),
            methods=labelled("methods", METHODS),
        ),
        code=code_of("write_cost"),
        environment=environment_of(),


def claim_pairs(claim):
    return [{key: cell[key] for key in ("student", "replicate")} for cell in claim_arms(claim, "effects")]


use rule write_effects as claim_effects with:
    input:
        steered=lambda wildcards: [path for cell in claim_pairs(wildcards.claim) for path in verdict_parts(**cell)],
        direct=lambda wildcards: [
            path for cell in claim_pairs(wildcards.claim) for path in verdict_parts(**cell, method="rejection")
        ],
        rows=[],
    output:
        csv="<results>/claims/{claim}/effects.csv",
        md="<results>/claims/{claim}/effects.md",
        identity="<results>/claims/{claim}/effects.identity.json",
    log:
        "<results>/logs/claim_effects/{claim}.log",
    params:
        spec=lambda wildcards: spec(
            pairs=claim_pairs(wildcards.claim),
            cells=[],
            students=labelled("models", OWN_SETS["students"]),
            methods=labelled("methods", ["initial", "rejection", "thinksafe"]),
            benchmarks=columns(),
            shards=config["shards"]["data"],
            confidence=config["scoring"]["confidence"],
            min_effect=config["scoring"]["min_effect"],
        ),
        code=code_of("write_effects"),
        environment=environment_of("tables"),


def verdict_on(claim):
    """Return a function that names the files of a claim's own target."""

    def files(wildcards):
        asked_by(claim)
        return f"<results>/claims/{claim}.json"

    return files


# One target per claim, which does the least work that decides it.
for claim in CLAIMS["claims"]:

    rule:
        name:
            f"claim_{claim}"
        input:
            verdict_on(claim),

    # The last rule: as a module's, it has another name (docs/module.md).
    list(workflow.rules)[-1].docstring = f"Claim {claim}: {CLAIMS['claims'][claim]['text']}"


if cells_of(STUDENTS):
    PAPER.append("<results>/claims.json")
