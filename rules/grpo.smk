# Needs: prompt sets, students, guards. Yields: LoRA adapters, in the same places as those of rules/training.smk.
# Paper: Sec. 5.3, E.


rule train_grpo:
    """Train a LoRA adapter of the student by rewards on its own responses (Eq. 3 to 5, Sec. 5.3, E)."""
    input:
        prompts=lambda wildcards: paths.trained_on(*wildcards),
        model=lambda wildcards: paths.of_model(wildcards.student),
        guard=lambda wildcards: paths.of_model(study.config.methods[wildcards.method].grpo.guard),
        form=lambda wildcards: paths.guard_format(study.config.methods[wildcards.method].grpo.guard),
    output:
        adapter=directory(f"<results>/{layout.ADAPTER}"),
        identity=f"<results>/{layout.ADAPTER}.identity.json",
    log:
        "<results>/logs/train_grpo/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        method=one_of(study.sets.by_reward),
    conda:
        f"../envs/{'training' if study.on_processors else 'grpo'}.yaml"
    resources:
        gpu=lambda wildcards: study.grpo_gpus(wildcards.method),
        mem_mb=study.megabytes(64000, per_billion=8000),
        runtime=study.minutes(1440, per_billion=400),
        per_device_batch=lambda wildcards: study.rows_per_device(wildcards.student, wildcards.method),
        checkpoint_steps=lambda wildcards: study.sets.settings_of(wildcards.method)["checkpoint_steps"],
    script:
        "../scripts/training/train_grpo.py"
