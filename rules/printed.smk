# Needs: the paper's printed tables. Yields: scores, in a run with `use_paper_scores: true` (config/printed.yaml).


ruleorder: write_printed_scores > score_safety > score_reasoning


rule write_printed_scores:
    """The paper's own printed cells as scores, all at once (Tables 1, 2, 6, 7)."""
    input:
        tables=[local(f"{config['paper']}/table{table}.csv") for table in (1, 2, 6, 7)],
    output:
        scores=score_files(cells_of(STUDENTS)),
        identity="<results>/scores/printed.identity.json",
    log:
        "<results>/logs/write_printed_scores.log",
    conda:
        "../envs/scoring.yaml"
    params:
        spec=spec(
            cells=cells_of(STUDENTS),
            benchmarks={
                name: dict(kind=entry["kind"], rows=entry["rows"], samples=entry["samples"])
                for name in BENCHMARKS
                for entry in [config["benchmarks"][name]]
            },
            confidence=config["scoring"]["confidence"],
        ),
        code=code_of("write_printed_scores"),
        environment=environment_of("tables"),
    script:
        "../scripts/evaluation/write_printed_scores.py"
