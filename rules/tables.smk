# Needs: scores, training sets. Yields: the paper's tables, and the numbers behind its figures (thinksafe/study/paper.py
# says what each shows). Paper: Tables 1 to 7, Figures 2 to 13.


rule write_main_table:
    """Safety and reasoning of every method on one family of students (Tables 1, 2; with WildGuard 6, 7)."""
    input:
        scores=lambda wildcards: paths.scores(study.table(wildcards.table).cells),
        rows=lambda wildcards: paths.rows(study.table(wildcards.table).cells),
    output:
        multiext("<results>/tables/table{table}", csv=".csv", tex=".tex", identity=".identity.json"),
        md=report("<results>/tables/table{table}.md", caption="../report/main-table.rst", category="Tables"),
    log:
        "<results>/logs/write_main_table/table{table}.log",
    wildcard_constraints:
        table=one_of([*study.paper.families, *COMPANIONS]),
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/write_main_table.py"


rule write_table3:
    """Fraction of responses that the guard filters out (Table 3)."""
    input:
        statistics=paths.training_sets(study.paper.table3_arms(), ".statistics.json"),
    output:
        multiext("<results>/tables/table3", csv=".csv", tex=".tex", identity=".identity.json"),
        md=report("<results>/tables/table3.md", caption="../report/table3.rst", category="Tables"),
    log:
        "<results>/logs/write_table3.log",
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/write_table3.py"


rule write_table4:
    """What each method was trained on, and for how long (Table 4)."""
    input:
        sets=[path for arm in study.trained for path in paths.trained_on(*arm)],
        adapters=paths.adapters(study.trained),
        paper=local(f"{study.config.paper}/table4.csv"),
    output:
        multiext("<results>/tables/table4", csv=".csv", tex=".tex", identity=".identity.json"),
        md=report("<results>/tables/table4.md", caption="../report/table4.rst", category="Tables"),
    log:
        "<results>/logs/write_table4.log",
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/write_table4.py"


rule write_table5:
    """The instructions to refuse (Table 5)."""
    input:
        paper=local(f"{study.config.paper}/table5.csv"),
    output:
        multiext("<results>/tables/table5", csv=".csv", tex=".tex", identity=".identity.json"),
        md=report("<results>/tables/table5.md", caption="../report/table5.rst", category="Tables"),
    log:
        "<results>/logs/write_table5.log",
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/write_table5.py"


rule write_beside_paper:
    """A table of the paper beside ours: differences, their intervals and verdicts (Tables 1, 2, 3, 6, 7)."""
    input:
        ours="<results>/tables/table{table}.csv",
        paper=f"{study.config.paper}/table{{table}}.csv",
        sizes=f"{study.config.paper}/sizes.csv",
    output:
        multiext("<results>/tables/table{table}-beside-paper", csv=".csv", identity=".identity.json"),
        md=report("<results>/tables/table{table}-beside-paper.md", caption="../report/beside.rst", category="Tables"),
    log:
        "<results>/logs/write_beside_paper/table{table}.log",
    wildcard_constraints:
        table=one_of([*SCORES, "3"]),
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/write_beside_paper.py"


rule write_averages:
    """Averages over safety and reasoning benchmarks by method (Figures 3, 4, 7, 11, 13)."""
    input:
        scores=lambda wildcards: paths.scores(study.figure(wildcards.figure).cells),
        rows=lambda wildcards: paths.rows(study.figure(wildcards.figure).cells),
    output:
        multiext("<results>/tables/figure{figure}", csv=".csv", identity=".identity.json"),
    log:
        "<results>/logs/write_averages/figure{figure}.log",
    wildcard_constraints:
        figure=one_of(AVERAGES),
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/write_averages.py"


rule write_gains:
    """Gains of a student trained on its own or a teacher's responses (Figures 5, 6, 12)."""
    input:
        rows=lambda wildcards: paths.scores(study.figure(wildcards.figure).cells, ".parquet"),
    output:
        multiext("<results>/tables/figure{figure}", csv=".csv", identity=".identity.json"),
    log:
        "<results>/logs/write_gains/figure{figure}.log",
    wildcard_constraints:
        figure=one_of(GAINS),
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/write_gains.py"


rule write_effects:
    """Effects of steering, ThinkSafe and rejection sampling: paired differences with verdicts (Sec. 5.2, 5.4)."""
    input:
        steered=study.paper.raw_harm(study.paper.effect_arms(), STEERED),
        direct=study.paper.raw_harm(study.paper.effect_arms(), DIRECT),
        rows=paths.scores(study.paper.effect_cells(), ".parquet"),
    output:
        multiext("<results>/tables/effects", csv=".csv", identity=".identity.json"),
        md=report("<results>/tables/effects.md", caption="../report/effects.rst", category="Tables"),
    log:
        "<results>/logs/write_effects.log",
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/write_effects.py"


rule write_lengths:
    """Numbers and mean lengths of the kept responses (Figures 9 and 10)."""
    input:
        datasets=lambda wildcards: paths.training_sets(study.paper.lengths_arms(wildcards.figure)),
    output:
        multiext("<results>/tables/figure{figure}", csv=".csv", identity=".identity.json"),
    log:
        "<results>/logs/write_lengths/figure{figure}.log",
    wildcard_constraints:
        figure=one_of(LENGTHS),
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/write_lengths.py"


rule write_cost:
    """Wall and device time of generation, filtering and training, by method (Sec. 5.3); differs from run to run."""
    input:
        identities=study.paper.cost_files(study.trained),
    output:
        multiext("<results>/tables/cost", csv=".csv", identity=".identity.json"),
    log:
        "<results>/logs/write_cost.log",
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/write_cost.py"
