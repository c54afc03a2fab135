# Needs: `world` in config (the miniature). Yields: prompts and benchmarks of the synthetic world, and its models as
# ordinary Hugging Face folders. From there on every rule is the paper's (docs/miniature.md).

BUILT = {
    kind: [
        name
        for section in ("models", "guards")
        for name, entry in config[section].items()
        if (entry.get("source") or {}).get("built") == kind
    ]
    for kind in ("student", "teacher", "guard")
}
HARM_SETS = ("harmbench", "strongreject", "wildjailbreak")  # share the world's held-out deeds, in this order
FITTING = ("hidden_size", "layers", "examples", "batch_size", "learning_rate")  # what no text depends on


def world_of(*names):
    """Return these entries of config's `world`, and its seed."""
    return {name: config["world"][name] for name in ("seed", *names)}


def rows_of(*names):
    """Return what these sets of the world depend on from config."""
    # A harm benchmark begins where the ones before it end.
    before = {key for name in names if name in HARM_SETS for key in HARM_SETS[: HARM_SETS.index(name)]}
    entry = world_of() | {"rows": {key: config["world"]["rows"][key] for key in {*names, *before}}}
    if "benign" in names:
        entry["templates"] = config["world"]["templates"]
    return entry


def rows_spec(wildcards):
    return spec(name=wildcards.rows, world=rows_of(wildcards.rows))


def tokenizer_spec(wildcards):
    """Return what the texts for a tokenizer depend on, which are both speakers' whatever models are selected."""
    habits = {
        role: {key: value for key, value in config["world"][role].items() if key not in FITTING}
        for role in ("student", "teacher")
    }
    return spec(family=wildcards.family, world=world_of("vocabulary", "templates", "phrases") | habits)


def pretraining_spec(wildcards):
    names = ["student", "templates"] + (["teacher"] if wildcards.student in BUILT["teacher"] else [])
    world = world_of(*names)
    world["student"] = world["student"] | config["world"].get("sizes", {}).get(wildcards.student, {})
    source = config["models"][wildcards.student]["source"]
    shape = {"shape": source["shape"]} if "shape" in source else {}
    return spec(model=wildcards.student, family=family_of(wildcards.student), world=world, **shape)


def parent_of(wildcards):
    """Return the identity of the student that a teacher goes on from: the first one of its family."""
    if wildcards.student not in BUILT["teacher"]:
        return []
    family = family_of(wildcards.student)
    return [f"<results>/models/{name}{IDENTITY}" for name in BUILT["student"] if family_of(name) == family][:1]


rule make_world:
    """Prompts or questions of the synthetic world, none of which occurs in pretraining (docs/miniature.md)."""
    output:
        rows="<results>/world/{rows}.parquet",
        identity="<results>/world/{rows}.identity.json",
    log:
        "<results>/logs/make_world/{rows}.log",
    wildcard_constraints:
        rows=one_of(["harmful", "benign", *config["benchmarks"]]),
    conda:
        "../envs/world.yaml"
    params:
        spec=rows_spec,
        code=code_of("make_world"),
        environment=environment_of(),
    script:
        "../scripts/miniature/make_world.py"


# What the counterparts of published training sets are made of: a method whose training set the teacher gets.
PUBLISHED = {"directrefusal": None, "safechain": "rejection", "star1": "thinksafe", "safekey": "thinksafe"}


def traces_of(wildcards):
    """Return what the teacher said and the guard kept; the same for every replicate of the students."""
    method = PUBLISHED[wildcards.published]
    return [f"{SET}.parquet".format(student=BUILT["teacher"][0], method=method, replicate=0)] if method else []


rule write_corpus:
    """A counterpart of a baseline's published training set, with the original's columns (docs/miniature.md)."""
    input:
        harmful="<results>/prompts/harmful.parquet",
        benign="<results>/prompts/benign.parquet",
        traces=traces_of,
    output:
        rows="<results>/world/{published}.parquet",
        identity="<results>/world/{published}.identity.json",
    log:
        "<results>/logs/write_corpus/{published}.log",
    wildcard_constraints:
        published=one_of(PUBLISHED),
    conda:
        "../envs/world.yaml"
    params:
        spec=lambda wildcards: spec(corpus=wildcards.published, seed=config["world"]["seed"]),
        code=code_of("write_corpus"),
        environment=environment_of(),
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
    params:
        spec=tokenizer_spec,
        code=code_of("build_tokenizer"),
        environment=environment_of("world"),
    script:
        "../scripts/miniature/build_tokenizer.py"


rule pretrain_model:
    """A student (or the teacher, which goes on from one) really trained on the world's texts."""
    input:
        tokenizer=lambda wildcards: f"<results>/world/tokenizers/{family_of(wildcards.student)}.identity.json",
        parent=parent_of,
    output:
        folder=directory("<results>/models/{student}"),
        identity="<results>/models/{student}.identity.json",
    log:
        "<results>/logs/pretrain_model/{student}.log",
    wildcard_constraints:
        student=one_of(BUILT["student"] + BUILT["teacher"]) or "none",
    priority: 10
    conda:
        "../envs/world.yaml"
    params:
        spec=pretraining_spec,
        code=code_of("pretrain_model"),
        environment=environment_of("world"),
    script:
        "../scripts/miniature/pretrain_model.py"


rule train_guard:
    """A guard really trained on the world's texts, which answers as Llama-Guard-3 or as WildGuard does."""
    input:
        form=lambda wildcards: guard_format(wildcards.guard),
    output:
        folder=directory("<results>/models/{guard}"),
        identity="<results>/models/{guard}.identity.json",
    log:
        "<results>/logs/train_guard/{guard}.log",
    wildcard_constraints:
        guard=one_of(BUILT["guard"]) or "none",
    conda:
        "../envs/world.yaml"
    params:
        spec=lambda wildcards: spec(
            guard=wildcards.guard,
            kind=config["guards"][wildcards.guard]["kind"],
            # No student's habit reaches a guard, which is shown every kind of response (corpus.guard_pairs).
            world=world_of("vocabulary", "guard", "templates") | {"student": {}},
        ),
        code=code_of("train_guard"),
        environment=environment_of("world"),
    script:
        "../scripts/miniature/train_guard.py"
