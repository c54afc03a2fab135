"""ThinkSafe, from prompts to the final tables: the contents page. Sections and tables are the paper's."""

import gc
import os

from snakemake.utils import min_version

from thinksafe.config import settings

min_version("9.27")
# The DAG is many objects that live to the end, as do the modules: garbage collection among them would take a fifth of a
# plan's time.
gc.freeze()
gc.set_threshold(50_000, 50, 100)


configfile: "config/config.yaml"


try:
    # Read again in layers: an overlay's `source` replaces the paper's instead of mixing with it.
    typed = settings.of_workflow(workflow, settings.OURS / "config.yaml", config)
except settings.SettingsError as error:
    raise WorkflowError(str(error)) from None


# An image with every environment (containers/), for `--sdm conda apptainer`; docs/environments.md.
if "THINKSAFE_IMAGE" in os.environ:

    containerized: os.environ["THINKSAFE_IMAGE"]


pathvars:
    results=f"results/{typed.run}",


include: "rules/common.smk"


wildcard_constraints:
    model=one_of(study.config.models),
    student=one_of(study.config.models),
    method=one_of(study.config.methods),
    guard=one_of(study.config.guards),
    steering=one_of(study.config.steerings),
    benchmark=one_of(study.config.benchmarks),
    prompts="harmful|benign",
    corpus=one_of(study.config.corpora),
    family=one_of(study.config.families),
    claim=r"[A-Z]\d\d",
    replicate=r"\d+",
    samples=r"\d+",
    shard=r"\d+",


include: "rules/hub.smk"  # models and data from the hub: their commits, their download
include: "rules/miniature.smk"  # the miniature's world, students, guards and teacher
include: "rules/rehearsal.smk"  # the rehearsal's data, in the formats of the published sets
include: "rules/data.smk"  # Sec. 3, 5.1, B: training prompts, baselines' data, benchmarks
include: "rules/generation.smk"  # Sec. 4, A: steered sampling, guard verdicts, filtering
include: "rules/training.smk"  # Sec. 4, 5.1: LoRA fine-tuning
include: "rules/grpo.smk"  # Sec. 5.3, E: online reinforcement learning
include: "rules/evaluation.smk"  # Sec. 5.1, B: answers, verdicts and scores on eight benchmarks
include: "rules/tables.smk"  # Tables 1 to 7, and the numbers behind the figures
include: "rules/figures.smk"  # Figures 1 to 13
include: "rules/judge_study.smk"  # Sec. 5.1, D.4: the same answers under other judges
include: "rules/claims.smk"  # verdicts on the paper's claims
include: "rules/report.smk"  # the page and the appendix
include: "rules/targets.smk"  # a name for each of them


if study.config.use_paper_scores:

    include: "rules/printed.smk"  # the paper's own cells instead of samples


rule all:
    """Every table, figure and claim that the config selects."""
    default_target: True
    input:
        study.targets.all,


# Each rule with a script carries what its jobs depend on (docs/staleness.md); as a module's it has another name.
for name in (*RULES, *driver.ONLINE):
    if rules.has(name) and not (known := getattr(rules, name).rule).params:
        known.set_params(**study.depends(name, known.script))
