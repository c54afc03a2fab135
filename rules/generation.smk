# Needs: prompt sets, students, guards. Yields: raw responses, verdicts, training sets. Paper: Sec. 4, 5.4, A.


rule sample_responses:
    """Sample training responses: harmful prompts steered, benign prompts directly (Sec. 4, A.1)."""
    input:
        prompts=f"<results>/{layout.PROMPTS}.parquet",
        model=lambda wildcards: paths.of_model(wildcards.student),
    output:
        multiext(f"<results>/{layout.RESPONSES}", responses=".parquet", identity=".identity.json"),
    log:
        f"<results>/logs/sample_responses/{layout.RAW}/{layout.SHARD}.log",
    conda:
        f"../envs/sampling{'-transformers' if study.on_processors else ''}.yaml"
    resources:
        gpu=study.gpus(1),
        mem_mb=study.megabytes(16000, per_billion=4000),
        runtime=study.minutes(120, per_billion=150),
    script:
        "../scripts/generation/sample_responses.py"


rule judge_responses:
    """Ask a guard whether each training response is safe (Sec. 4, Filtering)."""
    input:
        responses=f"<results>/{layout.RESPONSES}.parquet",
        model=lambda wildcards: paths.of_model(wildcards.guard),
        form=lambda wildcards: paths.guard_format(wildcards.guard),
    output:
        multiext(f"<results>/{layout.RESPONSE_VERDICTS}", verdicts=".parquet", identity=".identity.json"),
    log:
        f"<results>/logs/judge_responses/{{guard}}/{layout.RAW}/{layout.SHARD}.log",
    conda:
        f"../envs/sampling{'-transformers' if study.on_processors else ''}.yaml"
    resources:
        gpu=study.gpus(1),
        mem_mb=study.megabytes(48000),
        runtime=study.minutes(240),
    script:
        "../scripts/generation/judge_responses.py"


rule filter_responses:
    """Keep the responses that the guard calls safe, and merge both halves into one training set (Sec. 4, Eq. 2, 5.4)."""
    input:
        harmful_responses=lambda wildcards: paths.raw(layout.RESPONSES, *wildcards, role="harmful"),
        benign_responses=lambda wildcards: paths.raw(layout.RESPONSES, *wildcards, role="benign"),
        harmful_verdicts=lambda wildcards: paths.raw(layout.RESPONSE_VERDICTS, *wildcards, role="harmful"),
        benign_verdicts=lambda wildcards: paths.raw(layout.RESPONSE_VERDICTS, *wildcards, role="benign"),
    output:
        multiext(
            f"<results>/{layout.TRAINING_SET}",
            dataset=".parquet",
            statistics=".statistics.json",
            identity=".identity.json",
        ),
    log:
        "<results>/logs/filter_responses/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        method=one_of(study.sets.sampled),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=16000,
    script:
        "../scripts/generation/filter_responses.py"


ruleorder: import_released > filter_responses


rule import_released:
    """A released training set, in place of a student's own sampling (Sec. 4, `sources`)."""
    input:
        harmful=lambda wildcards: paths.of_source(study.released(*wildcards).harmful),
        benign=lambda wildcards: paths.of_source(study.released(*wildcards).benign),
        model=lambda wildcards: paths.of_model(wildcards.student),
    output:
        multiext(
            f"<results>/{layout.TRAINING_SET}",
            dataset=".parquet",
            statistics=".statistics.json",
            identity=".identity.json",
        ),
    log:
        "<results>/logs/import_released/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        student=study.students_with_released_sets(),
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=16000,
    script:
        "../scripts/generation/import_released.py"


rule derive_training_set:
    """Halves of two filtered sets as one, with or without reasoning in refusals (Sec. 5.4, Figures 4, 11)."""
    input:
        harmful=lambda wildcards: paths.half(*wildcards, role="harmful"),
        benign=lambda wildcards: paths.half(*wildcards, role="benign"),
    output:
        multiext(f"<results>/{layout.TRAINING_SET}", dataset=".parquet", identity=".identity.json"),
    log:
        "<results>/logs/derive_training_set/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        method=one_of(study.sets.derived),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=16000,
    script:
        "../scripts/generation/derive_training_set.py"
