"""ThinkSafe, from prompts to the final tables: the contents page. Sections and tables are the paper's."""

import gc
import os

from snakemake.utils import min_version

from thinksafe.config import settings

min_version("9.27")
# The DAG is many objects that live to the end: looking for garbage among them takes a fifth of a plan's time.
gc.set_threshold(20_000, 20, 50)


configfile: "config/config.yaml"


try:
    # Read again in layers: an overlay's `source` replaces the paper's instead of mixing with it.
    config = settings.of_workflow(workflow, settings.SCHEMA.with_name("config.yaml"), config)
except settings.SettingsError as error:
    raise WorkflowError(str(error)) from None


# An image with every environment (containers/), for `--sdm conda apptainer`; docs/environments.md.
if "THINKSAFE_IMAGE" in os.environ:

    containerized: os.environ["THINKSAFE_IMAGE"]


pathvars:
    results=f"results/{config['run']}",


include: "rules/common.smk"


wildcard_constraints:
    model=one_of(config["models"]),
    student=one_of(config["models"]),
    method=one_of(config["methods"]),
    guard=one_of(config["guards"]),
    steering=one_of(config["steerings"]),
    benchmark=one_of(config["benchmarks"]),
    prompts="harmful|benign",
    corpus=one_of(config["corpora"]) or "none",
    family=one_of(config["families"]),
    claim=r"[A-Z]\d\d",
    replicate=r"\d+",
    draws=r"\d+",
    part=r"\d+",


include: "rules/hub.smk"  # models and data from the hub: their commits, their download
include: "rules/miniature.smk"  # the miniature's world, students, guards and teacher
include: "rules/rehearsal.smk"  # the rehearsal's data, in the formats of the published sets
include: "rules/data.smk"  # Sec. 3, B: training prompts and benchmarks
include: "rules/generation.smk"  # Sec. 4, A: steered sampling, guard verdicts, filtering
include: "rules/training.smk"  # Sec. 4, 5.1: LoRA fine-tuning
include: "rules/grpo.smk"  # Sec. 5.3, E: online reinforcement learning
include: "rules/evaluation.smk"  # Sec. 5.1, B: answers, verdicts and scores on eight benchmarks
include: "rules/tables.smk"  # Tables 1 to 3, 6, 7, Figures 1, 7, 9, 10
include: "rules/comparison.smk"  # Sec. 5.3, 5.5: Figures 3 and 8, cost
include: "rules/figures.smk"  # Sec. 5.4, D: Figures 4 to 6, 11 to 13
include: "rules/samples.smk"  # Sec. 1: Figure 2
include: "rules/judge_study.smk"  # Sec. 5.1, D.4: the same answers under other judges
include: "rules/claims.smk"  # what the run says of the paper's claims
include: "rules/report.smk"  # the page
include: "rules/targets.smk"  # a name for each of them


if config["use_paper_scores"]:

    include: "rules/printed.smk"  # the paper's own cells instead of samples


rule all:
    """Every table, figure and claim that the config selects."""
    default_target: True
    input:
        PAPER,


# The same in steps, for one's own model (config/own-model.yaml, docs/own-model.md).
rule chat:
    """What is known of each student's chat format, before anything is sampled."""
    input:
        [f"<results>/chat/{student}.md" for student in STUDENTS],


rule dataset:
    """The training sets of all methods."""
    input:
        rules.chat.input,
        [
            training_set_of(cell["method"]).format(**cell)
            for cell in trained_cells()
            if "data" in config["methods"][cell["method"]]
        ],


rule adapter:
    """The adapters of all methods."""
    input:
        rules.dataset.input,
        [f"{ADAPTER}.identity.json".format(**cell) for cell in trained_cells()],


rule evaluation:
    """The tables of each family: every adapter on every benchmark."""
    input:
        rules.adapter.input,
        family_tables(),
