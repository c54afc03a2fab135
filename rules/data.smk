# Needs: the sources that config names. Yields: prompt sets and benchmarks in one form. Paper: Sec. 3, 5.1, B.


rule prepare_prompts:
    """Harmful and benign training prompts: D_h and D_b (Sec. 3)."""
    input:
        source=lambda wildcards: paths.of_source(getattr(study.config.prompts, wildcards.prompts)),
    output:
        multiext(f"<results>/{layout.PROMPTS}", prompts=".parquet", identity=".identity.json"),
    log:
        "<results>/logs/prepare_prompts/{prompts}.log",
    conda:
        "../envs/data.yaml"
    script:
        "../scripts/data/prepare_prompts.py"


rule prepare_corpus:
    """A baseline's published training data in the form of a training set (Sec. 5.1, Table 4)."""
    input:
        harmful=lambda wildcards: paths.of_source(study.config.corpora[wildcards.corpus].harmful),
        benign=lambda wildcards: paths.of_source(study.config.corpora[wildcards.corpus].benign),
    output:
        multiext(
            f"<results>/{layout.CORPUS}", corpus=".parquet", statistics=".statistics.json", identity=".identity.json"
        ),
    log:
        "<results>/logs/prepare_corpus/{corpus}.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=16000,
    script:
        "../scripts/data/prepare_corpus.py"


rule prepare_benchmark:
    """The prompts of a benchmark as students get them, with gold answers (Sec. 5.1, B)."""
    input:
        source=lambda wildcards: paths.of_source(study.config.benchmarks[wildcards.benchmark]),
    output:
        multiext(f"<results>/{layout.BENCHMARK}", prompts=".parquet", identity=".identity.json"),
    log:
        "<results>/logs/prepare_benchmark/{benchmark}.log",
    conda:
        "../envs/data.yaml"
    script:
        "../scripts/data/prepare_benchmark.py"


rule describe_chat:
    """Chat format found in a student's files, and what config must add (A.1; docs/own-model.md)."""
    input:
        model=lambda wildcards: paths.of_model(wildcards.student),
    output:
        multiext("<results>/chat/{student}", report=".md", identity=".identity.json"),
    log:
        "<results>/logs/describe_chat/{student}.log",
    conda:
        "../envs/world.yaml"
    script:
        "../scripts/data/describe_chat.py"
