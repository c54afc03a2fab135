"""One table of the rules: what each makes, with which script and pinned versions, and how its time is counted."""

from dataclasses import dataclass

# Levels of artifacts, from the ground: a bundle of a level holds it and all above it (docs/reproducing.md).
LEVELS = ("sources", "datasets", "adapters", "responses", "scores", "tables")
# Categories of the time of jobs (docs/cost.md), in the order of a run; the last is everything else.
COSTS = ("generation", "filtering", "training", "reinforcement", "evaluation", "processor")


@dataclass(frozen=True)
class Stage:
    """What is known of a rule besides its inputs and outputs.

    Attributes
    ----------
    level : what it makes, one of `LEVELS`
    environment : the kind of job in envs/versions.yaml whose versions can change its numbers; None where none can.
        ``{engine}`` is the engine of the config.
    cost : the category of its time, one of `COSTS`
    shows_text : whether what it makes may show prompts or responses, so that a public bundle leaves it out
    """

    level: str
    environment: str | None = None
    cost: str = "processor"
    shows_text: bool = True

    @property
    def depth(self) -> int:
        """The place of its level in `LEVELS`."""
        return LEVELS.index(self.level)


# Rules by what is known of them.
STAGES = {
    # data, and the miniature's and the rehearsal's world
    Stage("sources"): "make_world write_corpus write_rehearsal_data prepare_prompts prepare_corpus prepare_benchmark",
    Stage("sources", "world", shows_text=False): "build_tokenizer pretrain_model train_guard",
    Stage("sources", "world"): "describe_chat",
    # generation
    Stage("datasets", "sampling-{engine}", cost="generation"): "sample_responses",
    Stage("datasets", "sampling-{engine}", cost="filtering", shows_text=False): "judge_responses",
    Stage("datasets", cost="filtering"): "filter_responses",
    Stage("datasets", "training", cost="filtering"): "import_released",
    Stage("datasets"): "derive_training_set",
    # training
    Stage("adapters", "training", cost="training", shows_text=False): "train_student",
    Stage("adapters", "grpo", cost="reinforcement", shows_text=False): "train_grpo",
    # evaluation
    Stage("responses", "sampling-{engine}", cost="evaluation"): "sample_answers",
    Stage("scores", "sampling-{engine}", cost="evaluation", shows_text=False): "judge_answers judge_other_view",
    Stage("scores", "tables", shows_text=False): "score_safety write_printed_scores",
    Stage("scores", "scoring", shows_text=False): "score_reasoning",
    Stage("scores", "training", cost="evaluation", shows_text=False): "score_perplexity",
    # tables, figures and pages
    Stage("tables", "tables"): """
        write_main_table write_table3 write_table5 write_beside_paper write_averages write_gains write_effects
        write_figure8_table write_judge_study judge_claims judge_claim
        claim_table3 claim_figure8 claim_effects""",
    Stage("tables", "tables", shows_text=False): "write_table4 write_lengths claim_lengths",
    Stage("tables"): "write_figure2_table write_cost write_figure3_cost claim_cost write_appendix",
    Stage("tables", "figures"): """
        plot_tradeoff plot_averages plot_gains plot_perplexity plot_reinforcement plot_samples plot_judge_study""",
    Stage("tables", "figures", shows_text=False): "plot_lengths",
    Stage("tables", "report"): "write_report",
}
RULES = {rule: stage for stage, rules in STAGES.items() for rule in rules.split()}
# Scripts of the rules that do not have one of their own name.
SCRIPTS = {
    **dict.fromkeys(("judge_answers", "judge_other_view"), "judge_responses"),
    **dict.fromkeys(("write_figure3_cost", "claim_cost"), "write_cost"),
    "judge_claim": "judge_claims",
    "claim_table3": "write_table3",
    "claim_lengths": "write_lengths",
    "claim_figure8": "write_figure8_table",
    "claim_effects": "write_effects",
    "plot_reinforcement": "plot_averages",
}


def stage_of(rule: str) -> Stage:
    """Return the stage of a rule; one that is not listed makes nothing that is kept."""
    return RULES.get(rule, Stage("tables"))


def script_of(rule: str) -> str:
    """Return the name of a rule's script."""
    return SCRIPTS.get(rule, rule)
