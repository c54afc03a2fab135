# Needs: training sets, students. Yields: LoRA adapters. Paper: Sec. 4 (Training), 5.1, Table 4.

ADAPTER = "<results>/adapters/{student}/trained-with/{method}/replicate-{replicate}"


def method_of(name):
    """Return a method's loss, epochs and training settings, its own over the section `training`."""
    entry = config["methods"][name]
    layers = [entry] + ([entry.get("original", {})] if config["baseline_settings"] == "original" else [])
    training = dict(config["training"])
    for layer in layers:
        training |= layer.get("training", {})
    return {
        "loss": entry.get("loss", {"nll": {}}),
        "epochs": layers[-1].get("epochs", entry["epochs"]),
        "training": training,
    }


def training_set_of(method):
    """Return the training set of a method: what its student or a teacher has said, or a corpus that is everybody's."""
    data = config["methods"][method]["data"]
    if "corpus" in data:
        return f"<results>/corpora/{data['corpus']}.parquet"
    if "from" in data and method not in DERIVED:
        return f"{SET}.parquet".format(student=data["from"], method=data["base_method"], replicate="{replicate}")
    return f"{SET}.parquet"


def training_set(wildcards):
    return training_set_of(wildcards.method)


def training_spec(wildcards):
    method = method_of(wildcards.method)
    return spec(
        student=wildcards.student,
        model=config["models"][wildcards.student]["source"],
        chat=chat_of(wildcards.student),
        epochs=method["epochs"],
        loss=method["loss"],
        training={key: value for key, value in method["training"].items() if key != "checkpoint_steps"},
        seed=["training", config["seeds"]["training"], int(wildcards.replicate), wildcards.student],
    )


def rows_per_device(wildcards):
    """A machine fact: how many rows one device takes at once; accumulation makes up the total batch."""
    built = "built" in config["models"][wildcards.student]["source"]
    return method_of(wildcards.method)["training"]["batch_size"] if built else 1


BY_REWARD = [name for name, entry in config["methods"].items() if "grpo" in entry]  # rules/grpo.smk


rule train_student:
    """Fine-tune a LoRA adapter of the student on a training set (Eq. 2, Sec. 5.1)."""
    input:
        dataset=training_set,
        model=student_files,
    output:
        adapter=directory(ADAPTER),
        identity=f"{ADAPTER}.identity.json",
    log:
        "<results>/logs/train_student/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        method=one_of(set(config["methods"]) - set(BY_REWARD)),
    conda:
        "../envs/training.yaml"
    resources:
        gpu=on_gpu(1),
        mem_mb=megabytes(32000, per_billion=8000),
        runtime=minutes(240, per_billion=150),
        per_device_batch=rows_per_device,
        checkpoint_steps=lambda wildcards: method_of(wildcards.method)["training"]["checkpoint_steps"],
    params:
        spec=training_spec,
        code=lambda wildcards: code_of("train_student", loss=next(iter(method_of(wildcards.method)["loss"]))),
        environment=environment_of("training"),
    script:
        "../scripts/training/train_student.py"
