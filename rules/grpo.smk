# Needs: prompt sets, students, guards. Yields: LoRA adapters, in the places of those of rules/training.smk.
# Paper: Sec. 5.3, E.


def grpo_of(method):
    return config["methods"][method]["grpo"]


def grpo_prompts(wildcards):
    """Return the files with the prompts: all of D, or those that a training set keeps."""
    if grpo_of(wildcards.method)["prompts"] == "filtered":
        return [f"{SET}.parquet"]
    return [f"<results>/prompts/{role}.parquet" for role in ("harmful", "benign")]


def grpo_guard(wildcards):
    name = grpo_of(wildcards.method)["guard"]
    return model_files(name, config["guards"][name])


def grpo_take(grpo):
    """Return how many of each file's prompts are taken; a training set has been sampled from those already."""
    if grpo["prompts"] == "filtered":
        return [None]
    return [config["prompts"][role].get("take") for role in ("harmful", "benign")]


def grpo_spec(wildcards):
    """Everything that an adapter depends on from config; rows per step and their length are GRPO's own."""
    method, grpo = method_of(wildcards.method), grpo_of(wildcards.method)
    unused = ("batch_size", "max_tokens", "checkpoint_steps")
    return spec(
        student=wildcards.student,
        model=config["models"][wildcards.student]["source"],
        chat=chat_of(wildcards.student),
        epochs=method["epochs"],
        take=grpo_take(grpo),
        grpo={key: value for key, value in grpo.items() if key not in ("guard", "prompts")},  # these are inputs
        training={key: value for key, value in method["training"].items() if key not in unused},
        guard=guard_entry(grpo["guard"]),
        engine={key: config["engine"][key] for key in ("name", "dtype", "tensor_parallel")},
        seed=["training", config["seeds"]["training"], int(wildcards.replicate), wildcards.student],
    )


def own_sampler(wildcards):
    """Return the engine that samples inside the trainer, if no server and no vLLM does."""
    return "transformers" if grpo_of(wildcards.method)["sampler"] == "trainer" else None


def grpo_gpus(wildcards):
    """A GPU for the policy (with vLLM beside it or on one of its own) and those of the guard; more share the policy."""
    served = grpo_of(wildcards.method)["sampler"] == "server"
    return on_gpu(1 + served + config["engine"]["tensor_parallel"])


def rollouts_per_device(wildcards):
    """A machine fact: how many rollouts one device computes gradients of at once."""
    grpo = grpo_of(wildcards.method)
    built = "built" in config["models"][wildcards.student]["source"]
    return grpo["rollouts"] * grpo["prompts_per_step"] if built else 1


rule train_grpo:
    """Train a LoRA adapter of the student by rewards on its own responses (Eq. 3 to 5, Sec. 5.3, E)."""
    input:
        prompts=grpo_prompts,
        model=student_files,
        guard=grpo_guard,
        form=lambda wildcards: guard_format(grpo_of(wildcards.method)["guard"]),
    output:
        adapter=directory(ADAPTER),
        identity=f"{ADAPTER}.identity.json",
    log:
        "<results>/logs/train_grpo/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        method=one_of(BY_REWARD) or "(?!)",
    conda:
        GRPO_ENV
    resources:
        gpu=grpo_gpus,
        mem_mb=megabytes(64000, per_billion=8000),
        runtime=minutes(1440, per_billion=400),
        per_device_batch=rollouts_per_device,
        checkpoint_steps=lambda wildcards: method_of(wildcards.method)["training"]["checkpoint_steps"],
    params:
        spec=grpo_spec,
        code=lambda wildcards: code_of("train_grpo", config["engine"]["name"], sampler=own_sampler(wildcards)),
        environment=environment_of("training" if config["engine"]["name"] == "transformers" else "grpo"),
    script:
        "../scripts/training/train_grpo.py"
