# Needs: scores, tables. Yields: the summary of the claims. Paper: all claims of Sec. 1, 4, 5, A, D (config/claims.yaml).
# `claim_X` (rules/targets.smk) does the least work that decides claim X. The run's tables would need all methods and
# students (B05 needs one adapter, Figure 3's costs need four), so a claim has tables of its own arms.


rule judge_claims:
    """Verdict on each claim of the paper: holds, fails, undecided or not run (all sections)."""
    input:
        scores=study.claims.scores(),
        rows=study.claims.scores(ending=".parquet"),
        tables=study.claims.tables(),
    output:
        multiext("<results>/claims", json=".json", identity=".identity.json"),
        md=report("<results>/claims.md", caption="../report/claims.rst", category="Claims"),
    log:
        "<results>/logs/judge_claims.log",
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/judge_claims.py"


use rule judge_claims as judge_claim with:
    input:
        scores=lambda wildcards: study.claims.scores(wildcards.claim),
        rows=lambda wildcards: study.claims.scores(wildcards.claim, ".parquet"),
        tables=lambda wildcards: study.claims.tables(wildcards.claim),
    output:
        multiext("<results>/claims/{claim}", json=".json", md=".md", identity=".identity.json"),
    log:
        "<results>/logs/judge_claim/{claim}.log",


use rule write_table3 as claim_table3 with:
    input:
        statistics=lambda wildcards: paths.training_sets(
            study.claims.arms(wildcards.claim, "table3"), ".statistics.json"
        ),
    output:
        multiext("<results>/claims/{claim}/table3", csv=".csv", md=".md", tex=".tex", identity=".identity.json"),
    log:
        "<results>/logs/claim_table3/{claim}.log",


use rule write_lengths as claim_lengths with:
    input:
        datasets=lambda wildcards: paths.training_sets(study.claims.arms(wildcards.claim, "lengths")),
    output:
        multiext("<results>/claims/{claim}/lengths", csv=".csv", identity=".identity.json"),
    log:
        "<results>/logs/claim_lengths/{claim}.log",


use rule write_figure8_table as claim_figure8 with:
    input:
        scores=lambda wildcards: paths.perplexities(study.claims.arms(wildcards.claim, "figure8")),
    output:
        multiext("<results>/claims/{claim}/figure8", csv=".csv", identity=".identity.json"),
    log:
        "<results>/logs/claim_figure8/{claim}.log",


use rule write_cost as claim_cost with:
    input:
        identities=lambda wildcards: study.paper.cost_files(study.claims.arms(wildcards.claim, "cost")),
    output:
        multiext("<results>/claims/{claim}/cost", csv=".csv", identity=".identity.json"),
    log:
        "<results>/logs/claim_cost/{claim}.log",


use rule write_effects as claim_effects with:
    input:
        steered=lambda wildcards: study.paper.raw_harm(study.claims.arms(wildcards.claim, "effects"), STEERED),
        direct=lambda wildcards: study.paper.raw_harm(study.claims.arms(wildcards.claim, "effects"), DIRECT),
        rows=[],
    output:
        multiext("<results>/claims/{claim}/effects", csv=".csv", md=".md", identity=".identity.json"),
    log:
        "<results>/logs/claim_effects/{claim}.log",
