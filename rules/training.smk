# Needs: training sets, students. Yields: LoRA adapters. Paper: Sec. 4 (Training), 5.1, Table 4.

ADAPTER = "<results>/adapters/{student}/trained-with/{method}/replicate-{replicate}"


def training_spec(wildcards):
    return spec(
        student=wildcards.student,
        model=config["models"][wildcards.student]["source"],
        chat=chat_of(wildcards.student),
        epochs=config["methods"][wildcards.method]["epochs"],
        training={key: value for key, value in config["training"].items() if key != "checkpoint_steps"},
        seed=["training", config["seeds"]["training"], int(wildcards.replicate), wildcards.student],
    )


def rows_per_device(wildcards):
    """A machine fact: how many rows one device takes at once; accumulation makes up the total batch."""
    built = "built" in config["models"][wildcards.student]["source"]
    return config["training"]["batch_size"] if built else 1


rule train_student:
    """Fine-tune a LoRA adapter of the student on a training set (Eq. 2, Sec. 5.1)."""
    input:
        dataset=f"{SET}.parquet",
        model=student_files,
    output:
        adapter=directory(ADAPTER),
        identity=f"{ADAPTER}.identity.json",
    log:
        "<results>/logs/train_student/{student}/{method}/replicate-{replicate}.log",
    conda:
        "../envs/training.yaml"
    resources:
        gpu=on_gpu(1),
        mem_mb=64000,
        runtime=1440,
        per_device_batch=rows_per_device,
        checkpoint_steps=config["training"]["checkpoint_steps"],
    params:
        spec=training_spec,
        code=code_of("train_student"),
        environment=environment_of("training"),
    script:
        "../scripts/train_student.py"
