# Needs: answers, verdicts. Yields: the judge study, verdicts of other guards and views on the same answers. Paper: Sec. 5.1, D.4.


use rule judge_answers as judge_other_view with:
    output:
        multiext(f"<results>/{layout.VIEW_VERDICTS}", verdicts=".parquet", identity=".identity.json"),
    log:
        f"<results>/logs/judge_other_view/{{guard}}/{{view}}/{layout.CELL}/{layout.SHARD}.log",
    wildcard_constraints:
        view=one_of(VIEWS),


rule write_judge_study:
    """Verdicts by guard and view, their agreement, and changes in the order of methods (Sec. 5.1, D.4)."""
    input:
        verdicts=lambda wildcards: study.report.judge_verdicts,
    output:
        multiext("<results>/judge-study", csv=".csv", identity=".identity.json"),
        md=report("<results>/judge-study.md", caption="../report/judge-study.rst", category="Tables"),
    log:
        "<results>/logs/write_judge_study.log",
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=16000,
    script:
        "../scripts/tables/write_judge_study.py"


rule plot_judge_study:
    """Agreement of the judges, and each method's fraction of harm at every threshold (Sec. 5.1, D.4)."""
    input:
        table="<results>/judge-study.csv",
    output:
        multiext("<results>/figures/judge-study", pdf=".pdf", identity=".identity.json"),
        png=report("<results>/figures/judge-study.png", caption="../report/judge-study.rst", category="Figures"),
    log:
        "<results>/logs/plot_judge_study.log",
    conda:
        "../envs/paper.yaml"
    script:
        "../scripts/figures/plot_judge_study.py"
