# Needs: the paper's printed tables. Yields: scores, in a run with `use_paper_scores: true` (config/printed.yaml).


ruleorder: write_printed_scores > score_safety > score_reasoning


rule write_printed_scores:
    """The cells printed in the paper as scores (Tables 1, 2, 6, 7)."""
    input:
        tables=[local(f"{study.config.paper}/table{table}.csv") for table in SCORES],
    output:
        scores=paths.scores(study.cells()),
        identity="<results>/scores/printed.identity.json",
    log:
        "<results>/logs/write_printed_scores.log",
    conda:
        "../envs/scoring.yaml"
    script:
        "../scripts/evaluation/write_printed_scores.py"
