# Needs: raw responses, verdicts. Yields: Figure 2, a counterpart from real samples. Paper: Sec. 1, Figure 2.

PUBLISHED_TEACHER = "safechain"  # another model's responses to the prompts that the students get (Sec. 2)


def figure2_student():
    """Return the student whose samples are shown: the first with responses to harmful prompts, direct and steered."""
    return next(iter(steered_students()), None)


def figure2_teacher():
    """Return the method by which the student learns from another model: a published set, or else the largest teacher."""
    student = figure2_student()
    taught = [method for figure in ("12", "6", "5") for method in teachers_of(student, figure)]
    return PUBLISHED_TEACHER if PUBLISHED_TEACHER in methods_of(student) else next(reversed(taught), None)


def figure2_files(kind, method):
    """Return a function that lists the raw ``responses`` to harmful prompts, or the ``verdicts`` on them.

    ``method`` is whose training data they are: the student's own, or None for its teacher's.
    """

    def files(wildcards):
        student, origin = figure2_student(), method
        if method is None:
            teacher = figure2_teacher()
            data = config["methods"][teacher]["data"] if teacher else {}
            if "corpus" in data:
                return [training_set_of(teacher)] if kind == "responses" else []
            if not data:
                return []
            student, origin = data["from"], data["base_method"]
        folder = "responses" if kind == "responses" else "verdicts/by-{guard}/on-responses"
        return raw_parts(f"<results>/{folder}/{RAW}.parquet", "harmful", student, origin, REPLICATES[0])

    return files


def figure2_spec():
    """Return what the drawing says beside the samples: who they are, and what the steered student was told."""
    method = figure2_teacher()
    data = config["methods"][method]["data"] if method else {}
    label = config["methods"][method].get("label", method) if method else None
    who = f"{label}'s set" if "corpus" in data else data and config["models"][data["from"]].get("label", data["from"])
    steering = config["methods"]["thinksafe"]["data"]["harmful"]["steering"]
    return spec(
        student=config["models"][figure2_student()].get("label", figure2_student()),
        teacher=[who, method] if method else None,
        instruction=config["steerings"][steering],
    )


rule write_figure2_table:
    """What a student says to a harmful prompt as it is and when steered, and what a teacher says (Figure 2)."""
    input:
        direct_responses=figure2_files("responses", "rejection"),
        direct_verdicts=figure2_files("verdicts", "rejection"),
        steered_responses=figure2_files("responses", "thinksafe"),
        steered_verdicts=figure2_files("verdicts", "thinksafe"),
        teacher_responses=figure2_files("responses", None),
        teacher_verdicts=figure2_files("verdicts", None),
    output:
        json="<results>/tables/figure2.json",
        identity="<results>/tables/figure2.identity.json",
    log:
        "<results>/logs/write_figure2_table.log",
    conda:
        "../envs/scoring.yaml"
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        spec=spec(public=config["report"]["public"]),
        code=code_of("write_figure2_table"),
        environment=environment_of(),
    script:
        "../scripts/tables/write_figure2_table.py"


rule plot_samples:
    """The same harmful prompt answered as it is, by a teacher, and under refusal steering (Figure 2)."""
    input:
        table="<results>/tables/figure2.json",
    output:
        png=report("<results>/figures/figure2.png", caption="../report/figure2.rst", category="Figures"),
        pdf="<results>/figures/figure2.pdf",
        identity="<results>/figures/figure2.identity.json",
    log:
        "<results>/logs/plot_samples.log",
    conda:
        "../envs/paper.yaml"
    params:
        spec=lambda wildcards: figure2_spec(),
        code=code_of("plot_samples"),
        environment=environment_of("figures"),
    script:
        "../scripts/figures/plot_samples.py"


if figure2_student() and not config["use_paper_scores"]:
    PAPER.append("<results>/figures/figure2.png")
