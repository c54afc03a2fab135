# Needs: scores, tables. Yields: the claims board. Paper: all claims of Sec. 1, 4, 5, A, D (config/claims.yaml).

import yaml

from scripts.lib.claims import ClaimError, read_claims

CLAIMS = yaml.safe_load((ROOT / "config/claims.yaml").read_text(encoding="utf-8"))
try:
    read_claims(CLAIMS, list(config["families"]))
except ClaimError as error:
    raise WorkflowError(f"config/claims.yaml: {error}") from None


def claimed_tables():
    """Return the tables with metrics that no score has, as far as the selection has something for them."""
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


def claimed_cells():
    """Return the cells in an order of their own, as no verdict depends on that of the selection."""
    return sorted(cells_of(STUDENTS), key=canonical)


rule judge_claims:
    """What the run says of each claim of the paper: holds, fails, undecided or not run (all sections)."""
    input:
        scores=score_files(claimed_cells()),
        rows=[] if config["printed"] else score_files(claimed_cells(), "parquet"),
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
        spec=spec(
            cells=claimed_cells(),
            students=[[student, student] for student in sorted(STUDENTS)],
            methods=[[method, method] for method in sorted(METHODS)],
            benchmarks=[dict(id=name, kind=config["benchmarks"][name]["kind"]) for name in sorted(BENCHMARKS)],
            families={family: sorted(students_of(family)) for family in config["families"]},
            confidence=config["scoring"]["confidence"],
            printed=config["printed"],
            claims=CLAIMS,
        ),
        code=code_of("judge_claims"),
        environment=environment_of("tables"),
    script:
        "../scripts/judge_claims.py"


if cells_of(STUDENTS):
    PAPER.append("<results>/claims.json")
