# Needs: the sources that config names. Yields: prompt sets and benchmarks in one form. Paper: Sec. 3, 5.1, B.


def source_files(entry):
    """Return the local file behind a source, if it has one; the synthetic world's are files that rules make."""
    source = entry["source"]
    if "published" in source:
        return [f"<results>/published/{source['published']}"]
    if "world" in source:
        return [f"<results>/world/{source['world']}.parquet"]
    return [local(source["file"])] if "file" in source else []


def prompts_spec(wildcards):
    entry = config["prompts"][wildcards.prompts]
    return spec(
        role=wildcards.prompts,
        rows=entry.get("rows"),
        source_rows=entry.get("source_rows"),
        source=entry["source"],
        columns=entry["columns"],
        where=entry.get("where") or {},
        leave_out=entry.get("leave_out") or {},
        contains=entry.get("contains") or {},
    )


def benchmark_spec(wildcards):
    entry = config["benchmarks"][wildcards.benchmark]
    names = ("kind", "task", "template", "option_order", "rows", "source_rows", "source", "columns")
    asked = {name: entry.get(name) for name in names}
    return spec(
        benchmark=wildcards.benchmark,
        where=entry.get("where") or {},
        leave_out=entry.get("leave_out") or {},
        contains=entry.get("contains") or {},
        **asked,
    )


def corpus_files(corpus, role):
    """Return the local file behind one role's source of a corpus, if it has one."""
    part = config["corpora"][corpus].get(role)
    return source_files(part) if part else []


def corpus_spec(wildcards):
    entry = config["corpora"][wildcards.corpus]
    parts = {role: entry[role] for role in ("harmful", "benign") if role in entry}
    drawn = any(part.get("order") == "random" for part in parts.values())
    return spec(
        corpus=wildcards.corpus,
        format=entry["format"],
        seed=["corpus", config["seeds"]["data"], wildcards.corpus] if drawn else None,
        **{name: entry[name] for name in ("thought", "primer") if name in entry},
        **{role: {"where": {}, "contains": {}, "order": "first", "take": None, **part} for role, part in parts.items()},
    )


def corpus_environment(wildcards):
    parts = [config["corpora"][wildcards.corpus].get(role) for role in ("harmful", "benign")]
    return environment_of("data" if any("hub" in part["source"] for part in parts if part) else None)


rule prepare_prompts:
    """Harmful and benign training prompts: D_h and D_b (Sec. 3)."""
    input:
        source=lambda wildcards: source_files(config["prompts"][wildcards.prompts]),
    output:
        prompts="<results>/prompts/{prompts}.parquet",
        identity="<results>/prompts/{prompts}.identity.json",
    log:
        "<results>/logs/prepare_prompts/{prompts}.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        spec=prompts_spec,
        code=code_of("prepare_prompts"),
        environment=lambda wildcards: environment_of_source(config["prompts"][wildcards.prompts]),
    script:
        "../scripts/data/prepare_prompts.py"


rule prepare_corpus:
    """A baseline's published training data in the form of a training set (Sec. 5.1, Table 4)."""
    input:
        harmful=lambda wildcards: corpus_files(wildcards.corpus, "harmful"),
        benign=lambda wildcards: corpus_files(wildcards.corpus, "benign"),
    output:
        corpus="<results>/corpora/{corpus}.parquet",
        statistics="<results>/corpora/{corpus}.statistics.json",
        identity="<results>/corpora/{corpus}.identity.json",
    log:
        "<results>/logs/prepare_corpus/{corpus}.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        spec=corpus_spec,
        code=code_of("prepare_corpus"),
        environment=corpus_environment,
    script:
        "../scripts/data/prepare_corpus.py"


rule prepare_benchmark:
    """The prompts of a benchmark as they are asked, with gold answers (Sec. 5.1, B)."""
    input:
        source=lambda wildcards: source_files(config["benchmarks"][wildcards.benchmark]),
    output:
        prompts="<results>/benchmarks/{benchmark}.parquet",
        identity="<results>/benchmarks/{benchmark}.identity.json",
    log:
        "<results>/logs/prepare_benchmark/{benchmark}.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        spec=benchmark_spec,
        code=code_of("prepare_benchmark"),
        environment=lambda wildcards: environment_of_source(config["benchmarks"][wildcards.benchmark]),
    script:
        "../scripts/data/prepare_benchmark.py"
