# Needs: tables, training sets. Yields: the paper's figures (thinksafe/study/paper.py says what each shows).
# Paper: Figures 1 to 13.


rule plot_tradeoff:
    """Safety against reasoning for every method and student of a family (Figure 1)."""
    input:
        table="<results>/tables/table1.csv",
    output:
        multiext("<results>/figures/figure1", pdf=".pdf", identity=".identity.json"),
        png=report("<results>/figures/figure1.png", caption="../report/figure1.rst", category="Figures"),
    log:
        "<results>/logs/plot_tradeoff.log",
    conda:
        "../envs/paper.yaml"
    script:
        "../scripts/figures/plot_tradeoff.py"


rule write_figure2_table:
    """A student's response to a harmful prompt, direct and steered, and a teacher's (Figure 2)."""
    input:
        direct_responses=lambda wildcards: study.paper.figure2_files(layout.RESPONSES, DIRECT),
        direct_verdicts=lambda wildcards: study.paper.figure2_files(layout.RESPONSE_VERDICTS, DIRECT),
        steered_responses=lambda wildcards: study.paper.figure2_files(layout.RESPONSES, STEERED),
        steered_verdicts=lambda wildcards: study.paper.figure2_files(layout.RESPONSE_VERDICTS, STEERED),
        teacher_responses=lambda wildcards: study.paper.figure2_files(layout.RESPONSES, None),
        teacher_verdicts=lambda wildcards: study.paper.figure2_files(layout.RESPONSE_VERDICTS, None),
    output:
        multiext("<results>/tables/figure2", json=".json", identity=".identity.json"),
    log:
        "<results>/logs/write_figure2_table.log",
    conda:
        "../envs/scoring.yaml"
    resources:
        mem_mb=16000,
    script:
        "../scripts/tables/write_figure2_table.py"


rule plot_samples:
    """One harmful prompt answered directly, by a teacher, and under refusal steering (Figure 2)."""
    input:
        table="<results>/tables/figure2.json",
    output:
        multiext("<results>/figures/figure2", pdf=".pdf", identity=".identity.json"),
        png=report("<results>/figures/figure2.png", caption="../report/figure2.rst", category="Figures"),
    log:
        "<results>/logs/plot_samples.log",
    conda:
        "../envs/paper.yaml"
    script:
        "../scripts/figures/plot_samples.py"


use rule write_cost as write_figure3_cost with:
    input:
        identities=study.paper.cost_files(study.paper.arms_of(3)),
    output:
        multiext("<results>/tables/figure3-cost", csv=".csv", identity=".identity.json"),
    log:
        "<results>/logs/write_figure3_cost.log",


rule plot_averages:
    """Averages without refusal reasoning, without steering, and by steering strategy (Figures 4, 7, 11, 13)."""
    input:
        table="<results>/tables/figure{figure}.csv",
    output:
        multiext("<results>/figures/figure{figure}", pdf=".pdf", identity=".identity.json"),
        png=report("<results>/figures/figure{figure}.png", caption="../report/averages.rst", category="Figures"),
    log:
        "<results>/logs/plot_averages/figure{figure}.log",
    wildcard_constraints:
        figure=one_of(set(AVERAGES) - {"3"}),
    conda:
        "../envs/paper.yaml"
    script:
        "../scripts/figures/plot_averages.py"


use rule plot_averages as plot_reinforcement with:
    input:
        table="<results>/tables/figure3.csv",
        cost="<results>/tables/figure3-cost.csv",
    output:
        multiext("<results>/figures/figure3", pdf=".pdf", identity=".identity.json"),
        png=report("<results>/figures/figure3.png", caption="../report/figure3.rst", category="Figures"),
    log:
        "<results>/logs/plot_reinforcement.log",


rule plot_gains:
    """Gains of a student trained on its own or a teacher's responses (Figures 5, 6, 12)."""
    input:
        table="<results>/tables/figure{figure}.csv",
    output:
        multiext("<results>/figures/figure{figure}", pdf=".pdf", identity=".identity.json"),
        png=report("<results>/figures/figure{figure}.png", caption="../report/gains.rst", category="Figures"),
    log:
        "<results>/logs/plot_gains/figure{figure}.log",
    wildcard_constraints:
        figure=one_of(GAINS),
    conda:
        "../envs/paper.yaml"
    script:
        "../scripts/figures/plot_gains.py"


rule write_figure8_table:
    """Perplexity of each method's training set under the untrained student (Figure 8)."""
    input:
        scores=paths.perplexities(study.paper.figure8_arms()),
    output:
        multiext("<results>/tables/figure8", csv=".csv", identity=".identity.json"),
    log:
        "<results>/logs/write_figure8_table.log",
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/tables/write_figure8_table.py"


rule plot_perplexity:
    """Perplexity of each method's training set under the untrained student (Figure 8)."""
    input:
        table="<results>/tables/figure8.csv",
    output:
        multiext("<results>/figures/figure8", pdf=".pdf", identity=".identity.json"),
        png=report("<results>/figures/figure8.png", caption="../report/figure8.rst", category="Figures"),
    log:
        "<results>/logs/plot_perplexity.log",
    conda:
        "../envs/paper.yaml"
    script:
        "../scripts/figures/plot_perplexity.py"


rule plot_lengths:
    """Distributions of the kept responses' lengths (Figures 9 and 10)."""
    input:
        datasets=lambda wildcards: paths.training_sets(study.paper.lengths_arms(wildcards.figure)),
        lengths="<results>/tables/figure{figure}.csv",
    output:
        multiext("<results>/figures/figure{figure}", pdf=".pdf", identity=".identity.json"),
        png=report("<results>/figures/figure{figure}.png", caption="../report/figure9.rst", category="Figures"),
    log:
        "<results>/logs/plot_lengths/figure{figure}.log",
    wildcard_constraints:
        figure=one_of(LENGTHS),
    conda:
        "../envs/paper.yaml"
    script:
        "../scripts/figures/plot_lengths.py"
