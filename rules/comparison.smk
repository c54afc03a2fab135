# Needs: scores, training sets, students. Yields: how close training sets are to the student, what methods cost.
# Paper: Sec. 5.3, 5.5, Figures 3 and 8.

FIGURE3 = ("initial", "thinksafe", "thinksafe-kl", "grpo")
PERPLEXITY = "<results>/scores/perplexity/{student}/of/{method}/replicate-{replicate}"


TOKEN_SETTINGS = {"think"}  # settings of a loss that say which tokens are learnt


def perplexity_spec(wildcards):
    """Everything that likelihoods depend on from config: the method's loss, as far as it chooses tokens."""
    ((name, settings),) = method_of(wildcards.method)["loss"].items()
    return spec(
        model=config["models"][wildcards.student]["source"],
        chat=chat_of(wildcards.student),
        loss={name: {key: value for key, value in settings.items() if key in TOKEN_SETTINGS}},
        dtype=config["engine"]["dtype"],
    )


def figure3_students():
    """Return the students for which ThinkSafe and one of its rivals of Figure 3 are selected."""
    rivals = {"thinksafe-kl", "grpo"}
    return [
        student
        for student in STUDENTS
        if {"initial", "thinksafe"} <= set(methods_of(student)) and rivals & set(methods_of(student))
    ]


def figure8_methods():
    """Return the selected methods with a training set of their own; with KL it is ThinkSafe's."""
    return [m for m in METHODS if "data" in config["methods"][m] and m not in ELSEWHERE]


def figure8_cells():
    return [
        dict(student=student, method=method, replicate=replicate)
        for student in STUDENTS
        for method in methods_of(student)
        if method in figure8_methods()
        for replicate in REPLICATES
    ]


def cost_spec(students=STUDENTS, methods=METHODS):
    return spec(
        jobs=[job for job, _ in cost_jobs(students, methods)],
        students=labelled("models", students),
        methods=labelled("methods", [method for method in methods if method in METHODS]),
    )


def cost_jobs(students=STUDENTS, methods=METHODS):
    """Return student, method, replicate and stage of each job behind an adapter, with the identity of what it made."""
    jobs = []
    for student in students:
        # What others' sampling has cost is not known.
        for method in (
            method for method in methods_of(student) if method in methods and samples_itself(student, method)
        ):
            for replicate in REPLICATES if method != "initial" else ():
                cell = dict(student=student, method=method, replicate=replicate)
                made = [("training", f"{ADAPTER}.identity.json")]
                halves = halves_of(student, method)
                sets = sorted({*halves.values(), *([(student, method)] if method in DERIVED else [])})
                for who, what in sets:
                    names = dict(student=who, method=what, replicate=replicate)
                    made.append(("filtering", f"{SET}.identity.json".format(**names)))
                for role, (who, what) in halves.items():
                    for stage, pattern in (
                        ("generation", f"<results>/responses/{RAW}.identity.json"),
                        ("filtering", f"<results>/verdicts/by-{{guard}}/on-responses/{RAW}.identity.json"),
                    ):
                        made += [(stage, path) for path in raw_parts(pattern, role, who, what, replicate)]
                jobs += [(cell | {"stage": stage}, path.format(**cell)) for stage, path in made]
    return jobs


rule score_perplexity:
    """Read a method's training set with the untrained student (Sec. 5.5)."""
    input:
        dataset=training_set,
        model=student_files,
    output:
        rows=f"{PERPLEXITY}.parquet",
        identity=f"{PERPLEXITY}.identity.json",
    log:
        "<results>/logs/score_perplexity/{student}/{method}/replicate-{replicate}.log",
    wildcard_constraints:
        method=one_of(name for name, entry in config["methods"].items() if "data" in entry),
    conda:
        "../envs/training.yaml"
    resources:
        gpu=on_gpu(1),
        mem_mb=megabytes(16000, per_billion=6000),
        runtime=minutes(60, per_billion=30),
    params:
        spec=perplexity_spec,
        code=lambda wildcards: code_of("score_perplexity", loss=next(iter(method_of(wildcards.method)["loss"]))),
        environment=environment_of("training"),
    script:
        "../scripts/evaluation/score_perplexity.py"


rule write_figure8_table:
    """Perplexity of each method's training set under the untrained student, as numbers (Figure 8)."""
    input:
        scores=[f"{PERPLEXITY}.parquet".format(**cell) for cell in figure8_cells()],
    output:
        csv="<results>/tables/figure8.csv",
        identity="<results>/tables/figure8.identity.json",
    log:
        "<results>/logs/write_figure8_table.log",
    conda:
        "../envs/scoring.yaml"
    params:
        spec=spec(
            cells=figure8_cells(),
            students=labelled("models", STUDENTS),
            methods=labelled("methods", figure8_methods()),
            confidence=config["scoring"]["confidence"],
        ),
        code=code_of("write_figure8_table"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/write_figure8_table.py"


rule plot_perplexity:
    """Perplexity of each method's training set under the untrained student (Figure 8)."""
    input:
        table="<results>/tables/figure8.csv",
    output:
        png=report("<results>/figures/figure8.png", caption="../report/figure8.rst", category="Figures"),
        pdf="<results>/figures/figure8.pdf",
        identity="<results>/figures/figure8.identity.json",
    log:
        "<results>/logs/plot_perplexity.log",
    conda:
        "../envs/paper.yaml"
    params:
        spec=spec(students=labelled("models", STUDENTS), methods=labelled("methods", figure8_methods())),
        code=code_of("plot_perplexity"),
        environment=environment_of("figures"),
    script:
        "../scripts/figures/plot_perplexity.py"


use rule write_figure7_table as write_figure3_table with:
    input:
        scores=score_files(cells_of(figure3_students(), FIGURE3)),
        rows=seed_rows(cells_of(figure3_students(), FIGURE3)),
    output:
        csv="<results>/tables/figure3.csv",
        identity="<results>/tables/figure3.identity.json",
    log:
        "<results>/logs/write_figure3_table.log",
    params:
        spec=table_spec(figure3_students(), FIGURE3),
        code=code_of("write_averages"),
        environment=environment_of("tables"),


rule write_cost:
    """Wall and device time of generation, filtering and training, by method (Sec. 5.3); differs from run to run."""
    input:
        identities=[path for _, path in cost_jobs()],
    output:
        csv="<results>/tables/cost.csv",
        identity="<results>/tables/cost.identity.json",
    log:
        "<results>/logs/write_cost.log",
    conda:
        "../envs/scoring.yaml"
    params:
        spec=cost_spec(),
        code=code_of("write_cost"),
        environment=environment_of(),
    script:
        "../scripts/tables/write_cost.py"


use rule write_cost as write_figure3_cost with:
    input:
        identities=[path for _, path in cost_jobs(figure3_students(), FIGURE3)],
    output:
        csv="<results>/tables/figure3-cost.csv",
        identity="<results>/tables/figure3-cost.identity.json",
    log:
        "<results>/logs/write_figure3_cost.log",
    params:
        spec=cost_spec(figure3_students(), FIGURE3),
        code=code_of("write_cost"),
        environment=environment_of(),


rule plot_reinforcement:
    """Safety, reasoning and time of ThinkSafe against online reinforcement learning (Figure 3)."""
    input:
        table="<results>/tables/figure3.csv",
        cost="<results>/tables/figure3-cost.csv",
    output:
        png=report("<results>/figures/figure3.png", caption="../report/figure3.rst", category="Figures"),
        pdf="<results>/figures/figure3.pdf",
        identity="<results>/figures/figure3.identity.json",
    log:
        "<results>/logs/plot_reinforcement.log",
    conda:
        "../envs/paper.yaml"
    params:
        spec=spec(
            students=labelled("models", figure3_students()),
            methods=labelled("methods", [method for method in FIGURE3 if method in METHODS]),
        ),
        code=code_of("plot_reinforcement"),
        environment=environment_of("figures"),
    script:
        "../scripts/figures/plot_reinforcement.py"


if not config["use_paper_scores"]:
    if figure3_students():
        PAPER.append("<results>/figures/figure3.png")
    # ThinkSafe and rejection sampling alone compare with nobody's data.
    if len(figure8_methods()) > 2:
        PAPER.append("<results>/figures/figure8.png")
