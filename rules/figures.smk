# Needs: scores. Yields: the ablations' figures and the numbers behind them. Paper: Sec. 5.4, D, Figures 4 to 6, 11 to 13.

WITHOUT_REASONING = {"4": "r1", "11": "qwen3"}  # which family a figure shows
SMALLER = ("qwen3-1.7b", "r1-qwen-1.5b", "qwen3-mini", "r1-mini")  # Figure 6 shows these, Figure 12 all others


def ablated(figure):
    """Return the methods that a figure of averages compares, the default first."""
    return ("thinksafe", *(STRATEGIES if figure == "13" else ("thinksafe-noreason",)))


def ablated_students(figure):
    """Return the students for which the default and one of its rivals are selected."""
    default, *rivals = ablated(figure)
    return [
        student
        for student in (STUDENTS if figure == "13" else students_of(WITHOUT_REASONING[figure]))
        if default in methods_of(student) and set(rivals) & set(methods_of(student))
    ]


def teachers_of(student, figure):
    """Return the selected methods by which a student learns from the teachers of a figure."""
    if figure != "5" and (student in SMALLER) != (figure == "6"):
        return []
    same = [
        (method, family_of(config["methods"][method]["data"]["from"]) == family_of(student))
        for method in methods_of(student)
        if method in TAUGHT
    ]
    return [method for method, alike in same if alike == (figure == "5")]


def taught_students(figure):
    """Return the students of a figure: a teacher and the two to compare with are selected."""
    return [s for s in STUDENTS if {"initial", "thinksafe"} <= set(methods_of(s)) and teachers_of(s, figure)]


def taught_methods(figure):
    found = {method for student in taught_students(figure) for method in teachers_of(student, figure)}
    return [method for method in METHODS if method in {"initial", "thinksafe"} | found]


def taught_cells(figure):
    cells = cells_of(taught_students(figure), taught_methods(figure))
    own = {student: {"initial", "thinksafe", *teachers_of(student, figure)} for student in STUDENTS}
    return [cell for cell in cells if cell["method"] in own[cell["student"]]]


def sources(figure):
    """Return whose responses each method of a figure learns from."""
    teachers = [(method, config["methods"][method]["data"]["from"]) for method in taught_methods(figure)[2:]]
    return [["thinksafe", "Self"], *([method, config["models"][name]["label"]] for method, name in teachers)]


use rule write_figure7_table as write_averages with:
    input:
        scores=lambda wildcards: score_files(cells_of(ablated_students(wildcards.figure), ablated(wildcards.figure))),
        rows=lambda wildcards: seed_rows(cells_of(ablated_students(wildcards.figure), ablated(wildcards.figure))),
    output:
        csv="<results>/tables/figure{figure}.csv",
        identity="<results>/tables/figure{figure}.identity.json",
    log:
        "<results>/logs/write_averages/figure{figure}.log",
    wildcard_constraints:
        figure=one_of([*WITHOUT_REASONING, "13"]),
    params:
        spec=lambda wildcards: table_spec(ablated_students(wildcards.figure), ablated(wildcards.figure)),
        code=code_of("write_averages"),
        environment=environment_of("tables"),


use rule plot_rejection as plot_averages with:
    input:
        table="<results>/tables/figure{figure}.csv",
    output:
        png=report("<results>/figures/figure{figure}.png", caption="../report/averages.rst", category="Figures"),
        pdf="<results>/figures/figure{figure}.pdf",
        identity="<results>/figures/figure{figure}.identity.json",
    log:
        "<results>/logs/plot_averages/figure{figure}.log",
    wildcard_constraints:
        figure=one_of([*WITHOUT_REASONING, "13"]),
    params:
        spec=lambda wildcards: spec(
            students=labelled("models", ablated_students(wildcards.figure)),
            methods=labelled("methods", ablated(wildcards.figure)),
        ),
        code=code_of("plot_averages"),
        environment=environment_of("figures"),


rule write_gains:
    """What training on a teacher's responses gains, beside one's own, as numbers (Figures 5, 6, 12)."""
    input:
        rows=lambda wildcards: score_files(taught_cells(wildcards.figure), "parquet"),
    output:
        csv="<results>/tables/figure{figure}.csv",
        identity="<results>/tables/figure{figure}.identity.json",
    log:
        "<results>/logs/write_gains/figure{figure}.log",
    wildcard_constraints:
        figure="5|6|12",
    conda:
        "../envs/scoring.yaml"
    params:
        spec=lambda wildcards: spec(
            cells=taught_cells(wildcards.figure),
            students=labelled("models", taught_students(wildcards.figure)),
            methods=labelled("methods", taught_methods(wildcards.figure)),
            benchmarks=columns(),
            confidence=config["scoring"]["confidence"],
        ),
        code=code_of("write_gains"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/write_gains.py"


rule plot_gains:
    """Gains of a student by whose responses it learns from (Figures 5, 6, 12)."""
    input:
        table="<results>/tables/figure{figure}.csv",
    output:
        png=report("<results>/figures/figure{figure}.png", caption="../report/gains.rst", category="Figures"),
        pdf="<results>/figures/figure{figure}.pdf",
        identity="<results>/figures/figure{figure}.identity.json",
    log:
        "<results>/logs/plot_gains/figure{figure}.log",
    wildcard_constraints:
        figure="5|6|12",
    conda:
        "../envs/paper.yaml"
    params:
        spec=lambda wildcards: spec(
            students=labelled("models", taught_students(wildcards.figure)),
            sources=sources(wildcards.figure),
            metrics=["gain_ratio"] if wildcards.figure == "5" else ["safety_gain", "reasoning_gain"],
        ),
        code=code_of("plot_gains"),
        environment=environment_of("figures"),
    script:
        "../scripts/figures/plot_gains.py"


PAPER += [f"<results>/figures/figure{n}.png" for n in (*WITHOUT_REASONING, "13") if ablated_students(n)]
PAPER += [f"<results>/figures/figure{n}.png" for n in ("5", "6", "12") if taught_students(n)]
