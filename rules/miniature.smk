# Needs: `world` in config (the miniature). Yields: prompts and benchmarks of the synthetic world, and its models as
# ordinary Hugging Face folders. From there on every rule is the paper's (docs/miniature.md).


rule make_world:
    """Prompts or questions of the synthetic world, none of which occurs in pretraining (docs/miniature.md)."""
    output:
        multiext("<results>/world/{rows}", rows=".parquet", identity=".identity.json"),
    log:
        "<results>/logs/make_world/{rows}.log",
    wildcard_constraints:
        rows=one_of(["harmful", "benign", *study.config.benchmarks]),
    conda:
        "../envs/world.yaml"
    script:
        "../scripts/miniature/make_world.py"


rule write_corpus:
    """A counterpart of a baseline's published training set, with the original's columns (docs/miniature.md)."""
    input:
        harmful="<results>/prompts/harmful.parquet",
        benign="<results>/prompts/benign.parquet",
        traces=lambda wildcards: study.miniature.traces_of(wildcards.published),
    output:
        multiext("<results>/world/{published}", rows=".parquet", identity=".identity.json"),
    log:
        "<results>/logs/write_corpus/{published}.log",
    wildcard_constraints:
        published=one_of(COUNTERPARTS),
    conda:
        "../envs/world.yaml"
    script:
        "../scripts/miniature/write_corpus.py"


rule build_tokenizer:
    """The tokenizer of one family: one vocabulary, each family's own control tokens and chat template."""
    output:
        folder=directory("<results>/world/tokenizers/{family}"),
        identity="<results>/world/tokenizers/{family}.identity.json",
    log:
        "<results>/logs/build_tokenizer/{family}.log",
    priority: 20  # the students wait for it, and everything waits for the students
    conda:
        "../envs/world.yaml"
    script:
        "../scripts/miniature/build_tokenizer.py"


rule pretrain_model:
    """A student, or the teacher, which continues from a student, trained on the world's texts."""
    input:
        tokenizer=lambda wildcards: study.miniature.tokenizer_of(wildcards.student),
        parent=lambda wildcards: study.miniature.parent_of(wildcards.student),
    output:
        folder=directory("<results>/models/{student}"),
        identity="<results>/models/{student}.identity.json",
    log:
        "<results>/logs/pretrain_model/{student}.log",
    wildcard_constraints:
        student=one_of(study.miniature.built("student") + study.miniature.built("teacher")),
    priority: 10
    conda:
        "../envs/world.yaml"
    script:
        "../scripts/miniature/pretrain_model.py"


rule train_guard:
    """A guard trained on the world's texts that answers in the format of Llama-Guard-3 or WildGuard."""
    input:
        form=lambda wildcards: paths.guard_format(wildcards.guard),
    output:
        folder=directory("<results>/models/{guard}"),
        identity="<results>/models/{guard}.identity.json",
    log:
        "<results>/logs/train_guard/{guard}.log",
    wildcard_constraints:
        guard=one_of(study.miniature.built("guard")),
    conda:
        "../envs/world.yaml"
    script:
        "../scripts/miniature/train_guard.py"
