# Needs: prompt sets, students, guards. Yields: raw responses, verdicts, training sets. Paper: Sec. 4, 5.4, A.

RAW = "{student}/steered-by/{steering}/draws-{draws}/replicate-{replicate}/{prompts}/part-{part}"
SET = "<results>/datasets/{student}/for/{method}/replicate-{replicate}"


def responses_spec(wildcards):
    """Everything that the sampled responses of one part depend on from config."""
    return spec(
        student=wildcards.student,
        model=config["models"][wildcards.student]["source"],
        chat=chat_of(wildcards.student),
        take=config["prompts"][wildcards.prompts].get("take"),
        steering=config["steerings"][wildcards.steering],
        samples=int(wildcards.draws),
        sampling=sampling_of("data", wildcards.student),
        engine=config["engine"],
        shard=int(wildcards.part),
        shards=config["shards"]["data"],
        seed=["data", config["seeds"]["data"], int(wildcards.replicate), wildcards.student, wildcards.steering],
    )


def chat_spec(wildcards):
    return spec(
        student=wildcards.student,
        model=config["models"][wildcards.student]["source"],
        family=family_of(wildcards.student),
        chat=chat_of(wildcards.student),
        max_tokens=max(entry["max_tokens"] for entry in config["sampling"].values()),
    )


def guard_entry(guard):
    """Return what verdicts depend on of a guard's entry; its format is an input."""
    entry = config["guards"][guard]
    return {name: entry.get(name) for name in ("kind", "source", "judged_text", "batch_size", "max_prompt_tokens")}


def guard_spec(guard, view=None):
    """Return what verdicts depend on; ``view`` takes the place of what the guard is shown elsewhere (`judged_text`)."""
    oracle = config["guards"][guard]["kind"] == "oracle"
    return spec(
        guard=guard_entry(guard) | ({"judged_text": view} if view else {}),
        engine=None if oracle else {**config["engine"], "batch_size": None},
    )


def guard_format(guard):
    """Return the file with the guard's question, for a guard whose tokenizer has no template for it."""
    return [local(config["guards"][guard]["format"])] if config["guards"][guard].get("format") else []


def guard_code(guard):
    oracle = config["guards"][guard]["kind"] == "oracle"
    return code_of("judge_responses", None if oracle else config["engine"]["name"], oracle)


def guard_environment(guard):
    oracle = config["guards"][guard]["kind"] == "oracle"
    return environment_of(None if oracle else f"sampling-{config['engine']['name']}")


def raw_parts(pattern, role, student, method, replicate):
    """Return the parts of one role's raw responses behind a training set, or of the verdicts on them."""
    data = config["methods"][method]["data"]
    return expand(
        pattern,
        student=student,
        steering=data[role]["steering"],
        draws=data[role]["samples"],
        replicate=replicate,
        prompts=role,
        guard=data["guard"],
        part=range(config["shards"]["data"]),
    )


def parts_of(pattern, role):
    """Return a function that lists `raw_parts` for a rule's wildcards."""
    return lambda wildcards: raw_parts(pattern, role, wildcards.student, wildcards.method, wildcards.replicate)


SAMPLED = [name for name, entry in config["methods"].items() if "guard" in entry.get("data", {})]
# Methods whose training set is made of another's; a teacher's whole set is taken as it is.
DERIVED = [
    name
    for name, entry in config["methods"].items()
    for data in [entry.get("data", {})]
    if data.get("strip_reasoning") or data.get("benign_half") == "own"
]


def halves_of(student, method):
    """Return student and method of the filtered sets that the halves of a training set come from, by role."""
    data = config["methods"][method].get("data", {})
    if "base_method" not in data:
        return {role: (student, method) for role in ("harmful", "benign") if method in SAMPLED}
    teacher = data.get("from", student)
    return {
        "harmful": (teacher, data["base_method"]),
        "benign": (student if data.get("benign_half") == "own" else teacher, data["base_method"]),
    }


def is_released(student, method):
    """Return whether a set that others have released stands in for what the student would sample (`sources`)."""
    return method in config["sources"].get(student, {})


def samples_itself(student, method):
    """Return whether this run samples and filters all that a method learns from; GRPO and corpora need none of it."""
    return not any(is_released(*half) for half in halves_of(student, method).values())


def half(role):
    """Return a function that names the filtered set with one half of a derived one."""

    def dataset(wildcards):
        student, method = halves_of(wildcards.student, wildcards.method)[role]
        return f"{SET}.parquet".format(student=student, method=method, replicate=wildcards.replicate)

    return dataset


def filter_spec(wildcards):
    # Which responses and which guard is in the inputs' paths; which draw is taken depends on these alone.
    return spec(seed=["pick", config["seeds"]["data"], int(wildcards.replicate), wildcards.student])


rule describe_chat:
    """What a student's chat format was found to be, and what config has to say (A.1; docs/own-model.md)."""
    input:
        model=student_files,
    output:
        report="<results>/chat/{student}.md",
        identity="<results>/chat/{student}.identity.json",
    log:
        "<results>/logs/describe_chat/{student}.log",
    conda:
        "../envs/world.yaml"
    params:
        spec=chat_spec,
        code=code_of("describe_chat"),
        environment=environment_of("world"),
    script:
        "../scripts/data/describe_chat.py"


rule sample_responses:
    """Sample training responses: harmful prompts steered, benign prompts directly (Sec. 4, A.1)."""
    input:
        prompts="<results>/prompts/{prompts}.parquet",
        model=student_files,
    output:
        responses=f"<results>/responses/{RAW}.parquet",
        identity=f"<results>/responses/{RAW}.identity.json",
    log:
        f"<results>/logs/sample_responses/{RAW}.log",
    conda:
        SAMPLING_ENV
    resources:
        gpu=on_gpu(1),
        mem_mb=megabytes(16000, per_billion=4000),
        runtime=minutes(120, per_billion=150),
    params:
        spec=responses_spec,
        code=code_of("sample_responses", config["engine"]["name"]),
        environment=environment_of(f"sampling-{config['engine']['name']}"),
    script:
        "../scripts/generation/sample_responses.py"


rule judge_responses:
    """Ask a guard whether each training response is safe (Sec. 4, Filtering)."""
    input:
        responses=f"<results>/responses/{RAW}.parquet",
        prompts="<results>/prompts/{prompts}.parquet",
        model=guard_files,
        form=lambda wildcards: guard_format(wildcards.guard),
    output:
        verdicts=f"<results>/verdicts/by-{{guard}}/on-responses/{RAW}.parquet",
        identity=f"<results>/verdicts/by-{{guard}}/on-responses/{RAW}.identity.json",
    log:
        f"<results>/logs/judge_responses/{{guard}}/{RAW}.log",
    conda:
        SAMPLING_ENV
    resources:
        gpu=on_gpu(1),
        mem_mb=megabytes(48000),
        runtime=minutes(240),
    params:
        spec=lambda wildcards: guard_spec(wildcards.guard),
        code=lambda wildcards: guard_code(wildcards.guard),
        environment=lambda wildcards: guard_environment(wildcards.guard),
    script:
        "../scripts/generation/judge_responses.py"


rule filter_responses:
    """Keep what the guard calls safe, and merge both halves into one training set (Sec. 4, Eq. 2, 5.4)."""
    input:
        harmful_responses=parts_of(f"<results>/responses/{RAW}.parquet", "harmful"),
        benign_responses=parts_of(f"<results>/responses/{RAW}.parquet", "benign"),
        harmful_verdicts=parts_of(f"<results>/verdicts/by-{{guard}}/on-responses/{RAW}.parquet", "harmful"),
        benign_verdicts=parts_of(f"<results>/verdicts/by-{{guard}}/on-responses/{RAW}.parquet", "benign"),
    output:
        dataset=f"{SET}.parquet",
        statistics=f"{SET}.statistics.json",
        identity=f"{SET}.identity.json",
    log:
        "<results>/logs/filter_responses/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        method=one_of(SAMPLED),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        spec=filter_spec,
        code=code_of("filter_responses"),
        environment=environment_of(),
    script:
        "../scripts/generation/filter_responses.py"


def released_spec(wildcards):
    entry = config["sources"][wildcards.student][wildcards.method]
    drawn = any(entry[role].get("order") == "random" for role in ("harmful", "benign"))
    return spec(
        student=wildcards.student,
        method=wildcards.method,
        model=config["models"][wildcards.student]["source"],
        chat=chat_of(wildcards.student),
        seed=["sources", config["seeds"]["data"], wildcards.student, wildcards.method] if drawn else None,
        **{
            role: {"where": {}, "leave_out": {}, "contains": {}, "order": "first", "take": None, **entry[role]}
            for role in ("harmful", "benign")
        },
    )


def released_files(role):
    """Return a function that names the local file behind one role of a released set, if it has one."""
    return lambda wildcards: source_files(config["sources"][wildcards.student][wildcards.method][role])


ruleorder: import_released > filter_responses


rule import_released:
    """A training set that others have released, in place of a student's own sampling (Sec. 4, `sources`)."""
    input:
        harmful=released_files("harmful"),
        benign=released_files("benign"),
        model=student_files,
    output:
        dataset=f"{SET}.parquet",
        statistics=f"{SET}.statistics.json",
        identity=f"{SET}.identity.json",
    log:
        "<results>/logs/import_released/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        # Together with the method, as each student has its own.
        student="|".join(
            f"{re.escape(student)}(?=/for/(?:{one_of(entries)})/)" for student, entries in config["sources"].items()
        )
        or "(?!)",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        spec=released_spec,
        code=code_of("import_released"),
        environment=environment_of("training"),
    script:
        "../scripts/generation/import_released.py"


rule derive_training_set:
    """Two halves of filtered sets as one, refusals with or without their reasoning (Sec. 5.4, Figures 4, 11)."""
    input:
        harmful=half("harmful"),
        benign=half("benign"),
    output:
        dataset=f"{SET}.parquet",
        identity=f"{SET}.identity.json",
    log:
        "<results>/logs/derive_training_set/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        method=one_of(DERIVED) or "(?!)",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        spec=lambda wildcards: spec(
            strip_reasoning=config["methods"][wildcards.method]["data"].get("strip_reasoning", False)
        ),
        code=code_of("derive_training_set"),
        environment=environment_of(),
    script:
        "../scripts/generation/derive_training_set.py"
