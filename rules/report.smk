# Needs: everything that a run has made. Yields: its page and its appendix (docs/report.md, docs/appendix.md).


rule write_report:
    """The run as one page that opens offline: tables, claims, cost, curves, and a reader of samples."""
    input:
        tables=study.report.tables,
        claims=study.report.claims,
        scores=paths.scores(study.cells()),
        rows=paths.scores(study.report.cells, ".parquet"),
        answers=study.report.answers,
        verdicts=study.report.verdicts,
        prompts=study.report.prompts,
        adapters=paths.adapters(study.report.arms),
        identities=lambda wildcards: study.report.identities,
    output:
        html=report("<results>/report/index.html", caption="../report/page.rst", category="Page"),
        identity="<results>/report/index.identity.json",
    log:
        "<results>/logs/write_report.log",
    conda:
        "../envs/paper.yaml"
    script:
        "../scripts/report/write_report.py"


rule write_appendix:
    """Facts that reviewers ask for: compute, seeds, licences, intervals, how to rerun, and a filled checklist."""
    input:
        identities=lambda wildcards: study.report.appendix_identities,
        tables=study.report.own_tables,
        claims=study.report.claims,
    output:
        multiext("<results>/appendix", appendix=".md", identity=".identity.json"),
        checklist="<results>/checklist.md",
    log:
        "<results>/logs/write_appendix.log",
    conda:
        "../envs/paper.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    script:
        "../scripts/report/write_appendix.py"
