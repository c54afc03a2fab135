# Needs: training sets, students. Yields: LoRA adapters. Paper: Sec. 4 (Training), 5.1, Table 4.


rule train_student:
    """Fine-tune a LoRA adapter of the student on a training set (Eq. 2, Sec. 5.1)."""
    input:
        dataset=lambda wildcards: paths.set_of(*wildcards),
        model=lambda wildcards: paths.of_model(wildcards.student),
    output:
        adapter=directory(f"<results>/{layout.ADAPTER}"),
        identity=f"<results>/{layout.ADAPTER}.identity.json",
    log:
        "<results>/logs/train_student/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        method=one_of(set(study.config.methods) - set(study.sets.by_reward)),
    conda:
        "../envs/training.yaml"
    resources:
        gpu=study.gpus(1),
        mem_mb=study.megabytes(32000, per_billion=8000),
        runtime=study.minutes(240, per_billion=150),
        per_device_batch=lambda wildcards: study.rows_per_device(wildcards.student, wildcards.method),
        checkpoint_steps=lambda wildcards: study.sets.settings_of(wildcards.method)["checkpoint_steps"],
    script:
        "../scripts/training/train_student.py"
