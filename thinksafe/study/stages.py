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
    script : its script, where its name is not the rule's
    shows_text : whether what it makes may show prompts or responses, so that a public bundle leaves it out
    """

    level: str
    environment: str | None = None
    cost: str = "processor"
    script: str | None = None
    shows_text: bool = True

    @property
    def depth(self) -> int:
        """The place of its level in `LEVELS`."""
        return LEVELS.index(self.level)


RULES = {
    # the miniature's and the rehearsal's world
    "make_world": Stage("sources"),
    "write_corpus": Stage("sources"),
    "write_rehearsal_data": Stage("sources"),
    "build_tokenizer": Stage("sources", "world", shows_text=False),
    "pretrain_model": Stage("sources", "world", shows_text=False),
    "train_guard": Stage("sources", "world", shows_text=False),
    # data
    "prepare_prompts": Stage("sources"),
    "prepare_corpus": Stage("sources"),
    "prepare_benchmark": Stage("sources"),
    "describe_chat": Stage("sources", "world"),
    # generation
    "sample_responses": Stage("datasets", "sampling-{engine}", cost="generation"),
    "judge_responses": Stage("datasets", "sampling-{engine}", cost="filtering", shows_text=False),
    "filter_responses": Stage("datasets", cost="filtering"),
    "import_released": Stage("datasets", "training", cost="filtering"),
    "derive_training_set": Stage("datasets"),
    # training
    "train_student": Stage("adapters", "training", cost="training", shows_text=False),
    "train_grpo": Stage("adapters", "grpo", cost="reinforcement", shows_text=False),
    # evaluation
    "sample_answers": Stage("responses", "sampling-{engine}", cost="evaluation"),
    "judge_answers": Stage(
        "scores", "sampling-{engine}", cost="evaluation", script="judge_responses", shows_text=False
    ),
    "judge_other_view": Stage(
        "scores", "sampling-{engine}", cost="evaluation", script="judge_responses", shows_text=False
    ),
    "score_safety": Stage("scores", "tables", shows_text=False),
    "score_reasoning": Stage("scores", "scoring", shows_text=False),
    "score_perplexity": Stage("scores", "training", cost="evaluation", shows_text=False),
    "write_printed_scores": Stage("scores", "tables", shows_text=False),
    # tables, figures and pages
    "write_main_table": Stage("tables", "tables"),
    "write_table3": Stage("tables", "tables"),
    "write_table4": Stage("tables", "tables", shows_text=False),
    "write_table5": Stage("tables", "tables"),
    "write_beside_paper": Stage("tables", "tables"),
    "write_averages": Stage("tables", "tables"),
    "write_gains": Stage("tables", "tables"),
    "write_effects": Stage("tables", "tables"),
    "write_lengths": Stage("tables", "tables", shows_text=False),
    "write_figure2_table": Stage("tables"),
    "write_figure8_table": Stage("tables", "tables"),
    "write_cost": Stage("tables"),
    "write_figure3_cost": Stage("tables", script="write_cost"),
    "write_judge_study": Stage("tables", "tables"),
    "judge_claims": Stage("tables", "tables"),
    "judge_claim": Stage("tables", "tables", script="judge_claims"),
    "claim_table3": Stage("tables", "tables", script="write_table3"),
    "claim_lengths": Stage("tables", "tables", script="write_lengths"),
    "claim_figure8": Stage("tables", "tables", script="write_figure8_table"),
    "claim_effects": Stage("tables", "tables", script="write_effects"),
    "claim_cost": Stage("tables", script="write_cost"),
    "plot_tradeoff": Stage("tables", "figures"),
    "plot_averages": Stage("tables", "figures"),
    "plot_gains": Stage("tables", "figures"),
    "plot_lengths": Stage("tables", "figures", shows_text=False),
    "plot_perplexity": Stage("tables", "figures"),
    "plot_reinforcement": Stage("tables", "figures", script="plot_averages"),
    "plot_samples": Stage("tables", "figures"),
    "plot_judge_study": Stage("tables", "figures"),
    "write_report": Stage("tables", "report"),
    "write_appendix": Stage("tables"),
}


def stage_of(rule: str) -> Stage:
    """Return the stage of a rule; one that is not listed makes nothing that is kept."""
    return RULES.get(rule, Stage("tables"))


def script_of(rule: str) -> str:
    """Return the name of a rule's script."""
    return stage_of(rule).script or rule
