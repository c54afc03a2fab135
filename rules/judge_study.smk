# Needs: answers, verdicts. Yields: the judge study, what another guard or view would have said. Paper: Sec. 5.1, D.4.

VIEWS = ("full", "answer")


def judged_benchmarks():
    """Return the selected harm benchmarks: Llama-Guard tells no refusal."""
    return [name for name in BENCHMARKS if config["benchmarks"][name]["kind"] == "harm"]


def judges():
    """Return guard and view of every judge, the one that the tables go by first.

    Those of `judge_study` judge in both views; further guards of `audit` in their own, as their verdicts are there.
    """
    first = config["benchmarks"][judged_benchmarks()[0]]["guard"]
    pairs = [(first, config["guards"][first]["judged_text"])]
    pairs += [(guard, view) for guard in config["judge_study"]["guards"] for view in VIEWS]
    pairs += [(guard, config["guards"][guard]["judged_text"]) for guard in config["audit"]]
    return list(dict.fromkeys(pairs))


def judged_cells():
    """Return the cells of the methods that Tables 1, 2, 6 and 7 compare, on the harm benchmarks that were answered."""
    if config["use_paper_scores"]:
        return []
    return [cell for cell in cells_of(STUDENTS, table_methods("6")) if cell["benchmark"] in judged_benchmarks()]


def verdicts_of(cell, guard, view):
    """Return the parts of one judge's verdicts on a cell; those that the tables are made of where the view is theirs."""
    place = f"by-{guard}" if view == config["guards"][guard]["judged_text"] else f"by-{guard}/of-{view}"
    answers = CELL.format(**cell)
    return [
        f"<results>/verdicts/{place}/on-answers/{answers}/part-{part}.parquet"
        for part in range(config["shards"][kind_of(cell["benchmark"])])
    ]


use rule judge_answers as judge_other_view with:
    output:
        verdicts=f"<results>/verdicts/by-{{guard}}/of-{{view}}/on-answers/{CELL}/part-{{part}}.parquet",
        identity=f"<results>/verdicts/by-{{guard}}/of-{{view}}/on-answers/{CELL}/part-{{part}}.identity.json",
    log:
        f"<results>/logs/judge_other_view/{{guard}}/{{view}}/{CELL}/part-{{part}}.log",
    wildcard_constraints:
        view=one_of(VIEWS),
    params:
        spec=lambda wildcards: guard_spec(wildcards.guard, wildcards.view),
        code=lambda wildcards: guard_code(wildcards.guard),
        environment=lambda wildcards: guard_environment(wildcards.guard),


rule write_judge_study:
    """Which guard and which view says what, how far they agree, and whether methods change places (Sec. 5.1, D.4)."""
    input:
        verdicts=lambda wildcards: [
            path for cell in judged_cells() for judge in judges() for path in verdicts_of(cell, *judge)
        ],
    output:
        csv="<results>/judge-study.csv",
        md="<results>/judge-study.md",
        identity="<results>/judge-study.identity.json",
    log:
        "<results>/logs/write_judge_study.log",
    conda:
        "../envs/scoring.yaml"
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        spec=lambda wildcards: spec(
            cells=judged_cells(),
            judges=[list(judge) for judge in judges()],
            shards=config["shards"]["safety"],
            students=labelled("models", STUDENTS),
            methods=labelled("methods", table_methods("6")),
            benchmarks=judged_benchmarks(),
            confidence=config["scoring"]["confidence"],
        ),
        code=code_of("write_judge_study"),
        environment=environment_of("tables"),
    script:
        "../scripts/tables/write_judge_study.py"


rule plot_judge_study:
    """Agreement of the judges, and each method's share of harm at every threshold (Sec. 5.1, D.4)."""
    input:
        table="<results>/judge-study.csv",
    output:
        png=report("<results>/figures/judge-study.png", caption="../report/judge-study.rst", category="Figures"),
        pdf="<results>/figures/judge-study.pdf",
        identity="<results>/figures/judge-study.identity.json",
    log:
        "<results>/logs/plot_judge_study.log",
    conda:
        "../envs/paper.yaml"
    params:
        spec=lambda wildcards: spec(
            judges=[list(judge) for judge in judges()], methods=labelled("methods", table_methods("6"))
        ),
        code=code_of("plot_judge_study"),
        environment=environment_of("figures"),
    script:
        "../scripts/figures/plot_judge_study.py"


def judge_study_files():
    if not judged_cells():
        raise WorkflowError("judge_study: no answers to a harm benchmark are selected. Add one to `select.benchmarks`")
    return ["<results>/judge-study.html", "<results>/figures/judge-study.png"]


if config["judge_study"]["in_all"] and judged_cells():
    PAPER += judge_study_files()
