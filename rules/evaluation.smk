# Needs: benchmarks, students, adapters, guards. Yields: answers, verdicts, scores. Paper: Sec. 5.1, B.

CELL = "{student}/trained-with/{method}/replicate-{replicate}/on/{benchmark}"


def answers_spec(wildcards):
    """Everything that one part of a benchmark's answers depends on from config."""
    kind = kind_of(wildcards.benchmark)
    return spec(
        student=wildcards.student,
        model=config["models"][wildcards.student]["source"],
        chat=chat_of(wildcards.student),
        steering="{prompt}",
        samples=config["benchmarks"][wildcards.benchmark]["samples"],
        sampling=sampling_of(kind, wildcards.student),
        engine=config["engine"],
        shard=int(wildcards.part),
        shards=config["shards"][kind],
        # The same seeds for every method: what differs between two rows of a table is the training alone.
        seed=["evaluation", config["seeds"]["evaluation"], int(wildcards.replicate), wildcards.student],
    )


def adapter_files(wildcards):
    return [] if wildcards.method == "initial" else [f"{ADAPTER}.identity.json"]


def parts_of_cell(pattern, guard=None):
    """Return a function that lists the parts of a cell's answers, or of the verdicts on them."""

    def parts(wildcards):
        entry = config["benchmarks"][wildcards.benchmark]
        numbers = range(config["shards"][kind_of(wildcards.benchmark)])
        return expand(pattern, **wildcards, guard=guard or entry.get("guard"), part=numbers)

    return parts


def audits_of(benchmark):
    """Return the further guards that judge a benchmark beside its own, as far as they can: Llama-Guard sees no refusal."""
    entry = config["benchmarks"][benchmark]
    able = KINDS.get(entry["kind"], ())
    return [g for g in config["audit"] if g != entry.get("guard") and config["guards"][g]["kind"] in able]


def audit_verdicts(wildcards):
    return [
        path
        for guard in audits_of(wildcards.benchmark)
        for path in parts_of_cell(f"<results>/verdicts/by-{{guard}}/on-answers/{CELL}/part-{{part}}.parquet", guard)(
            wildcards
        )
    ]


rule sample_answers:
    """Sample a trained student's answers to a benchmark, its adapter served live (Sec. 5.1, B)."""
    input:
        prompts="<results>/benchmarks/{benchmark}.parquet",
        model=student_files,
        adapter=adapter_files,
    output:
        answers=f"<results>/answers/{CELL}/part-{{part}}.parquet",
        identity=f"<results>/answers/{CELL}/part-{{part}}.identity.json",
    log:
        f"<results>/logs/sample_answers/{CELL}/part-{{part}}.log",
    conda:
        SAMPLING_ENV
    resources:
        gpu=on_gpu(1),
        mem_mb=megabytes(16000, per_billion=4000),
        runtime=minutes(120, per_billion=150),
    params:
        spec=answers_spec,
        code=code_of("sample_answers", config["engine"]["name"]),
        environment=environment_of(f"sampling-{config['engine']['name']}"),
    script:
        "../scripts/evaluation/sample_answers.py"


use rule judge_responses as judge_answers with:
    input:
        responses=f"<results>/answers/{CELL}/part-{{part}}.parquet",
        prompts="<results>/benchmarks/{benchmark}.parquet",
        model=guard_files,
        form=lambda wildcards: guard_format(wildcards.guard),
    output:
        verdicts=f"<results>/verdicts/by-{{guard}}/on-answers/{CELL}/part-{{part}}.parquet",
        identity=f"<results>/verdicts/by-{{guard}}/on-answers/{CELL}/part-{{part}}.identity.json",
    log:
        f"<results>/logs/judge_answers/{{guard}}/{CELL}/part-{{part}}.log",


rule score_safety:
    """Share of harmful responses, or of safe prompts refused (Sec. 5.1)."""
    input:
        answers=parts_of_cell(f"<results>/answers/{CELL}/part-{{part}}.parquet"),
        verdicts=parts_of_cell(f"<results>/verdicts/by-{{guard}}/on-answers/{CELL}/part-{{part}}.parquet"),
        audits=audit_verdicts,
    output:
        score=f"<results>/scores/safety/{CELL}.json",
        rows=f"<results>/scores/safety/{CELL}.parquet",
        identity=f"<results>/scores/safety/{CELL}.identity.json",
    log:
        f"<results>/logs/score_safety/{CELL}.log",
    conda:
        "../envs/scoring.yaml"
    resources:
        mem_mb=8000,
        runtime=minutes(30),
    params:
        spec=lambda wildcards: spec(
            kind=config["benchmarks"][wildcards.benchmark]["kind"],
            audits=audits_of(wildcards.benchmark),  # in the order of input.audits
            shards=config["shards"]["safety"],
            confidence=config["scoring"]["confidence"],
        ),
        code=code_of("score_safety"),
        environment=environment_of("tables"),
    script:
        "../scripts/evaluation/score_safety.py"


rule score_reasoning:
    """Average pass@1 over eight samples per problem, by SkyThought's task handlers (Sec. 5.1, B)."""
    input:
        answers=parts_of_cell(f"<results>/answers/{CELL}/part-{{part}}.parquet"),
        prompts="<results>/benchmarks/{benchmark}.parquet",
    output:
        score=f"<results>/scores/reasoning/{CELL}.json",
        rows=f"<results>/scores/reasoning/{CELL}.parquet",
        identity=f"<results>/scores/reasoning/{CELL}.identity.json",
    log:
        f"<results>/logs/score_reasoning/{CELL}.log",
    conda:
        f"../envs/{config['scoring']['environment']}.yaml"
    resources:
        mem_mb=8000,
        runtime=minutes(60),
    params:
        spec=lambda wildcards: spec(
            task=config["benchmarks"][wildcards.benchmark]["task"],
            timeout_seconds=config["scoring"]["timeout_seconds"],
            confidence=config["scoring"]["confidence"],
        ),
        code=code_of("score_reasoning"),
        environment=environment_of(config["scoring"]["environment"]),
    script:
        "../scripts/evaluation/score_reasoning.py"
