# Needs: benchmarks, students, adapters, guards. Yields: answers, verdicts, scores. Paper: Sec. 5.1, 5.5, B.


rule sample_answers:
    """Sample a student's answers to a benchmark, with its adapter loaded beside the model (Sec. 5.1, B)."""
    input:
        prompts=f"<results>/{layout.BENCHMARK}.parquet",
        model=lambda wildcards: paths.of_model(wildcards.student),
        adapter=lambda wildcards: paths.adapters([Arm(wildcards.student, wildcards.method, wildcards.replicate)]),
    output:
        multiext(f"<results>/{layout.ANSWERS}", answers=".parquet", identity=".identity.json"),
    log:
        f"<results>/logs/sample_answers/{layout.CELL}/{layout.SHARD}.log",
    conda:
        f"../envs/sampling{'-transformers' if study.on_processors else ''}.yaml"
    resources:
        gpu=study.gpus(1),
        mem_mb=study.megabytes(16000, per_billion=4000),
        runtime=study.minutes(120, per_billion=150),
    script:
        "../scripts/evaluation/sample_answers.py"


use rule judge_responses as judge_answers with:
    input:
        responses=f"<results>/{layout.ANSWERS}.parquet",
        model=lambda wildcards: paths.of_model(wildcards.guard),
        form=lambda wildcards: paths.guard_format(wildcards.guard),
    output:
        multiext(f"<results>/{layout.ANSWER_VERDICTS}", verdicts=".parquet", identity=".identity.json"),
    log:
        f"<results>/logs/judge_answers/{{guard}}/{layout.CELL}/{layout.SHARD}.log",


rule score_safety:
    """Fraction of harmful responses, or of safe prompts refused (Sec. 5.1)."""
    input:
        answers=lambda wildcards: paths.answers_of(Cell(*wildcards)),
        verdicts=lambda wildcards: paths.verdicts_of(Cell(*wildcards)),
        audits=lambda wildcards: study.report.audit_verdicts(Cell(*wildcards)),
    output:
        multiext(f"<results>/scores/safety/{layout.CELL}", score=".json", rows=".parquet", identity=".identity.json"),
    log:
        f"<results>/logs/score_safety/{layout.CELL}.log",
    conda:
        "../envs/scoring.yaml"
    resources:
        mem_mb=8000,
        runtime=study.minutes(30),
    script:
        "../scripts/evaluation/score_safety.py"


rule score_reasoning:
    """Average pass@1 over eight samples per problem, by SkyThought's task handlers (Sec. 5.1, B)."""
    input:
        answers=lambda wildcards: paths.answers_of(Cell(*wildcards)),
        prompts=f"<results>/{layout.BENCHMARK}.parquet",
    output:
        multiext(f"<results>/scores/reasoning/{layout.CELL}", score=".json", rows=".parquet", identity=".identity.json"),
    log:
        f"<results>/logs/score_reasoning/{layout.CELL}.log",
    conda:
        f"../envs/{study.config.scoring.environment}.yaml"
    resources:
        mem_mb=8000,
        runtime=study.minutes(60),
    script:
        "../scripts/evaluation/score_reasoning.py"


rule score_perplexity:
    """Likelihood of a method's training set under the untrained student (Sec. 5.5)."""
    input:
        dataset=lambda wildcards: paths.set_of(*wildcards),
        model=lambda wildcards: paths.of_model(wildcards.student),
    output:
        multiext(f"<results>/{layout.PERPLEXITY}", rows=".parquet", identity=".identity.json"),
    log:
        "<results>/logs/score_perplexity/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        method=one_of(study.sets.with_data),
    conda:
        "../envs/training.yaml"
    resources:
        gpu=study.gpus(1),
        mem_mb=study.megabytes(16000, per_billion=6000),
        runtime=study.minutes(60, per_billion=30),
    script:
        "../scripts/evaluation/score_perplexity.py"
