"""A rule's stage decides what a bundle holds and what a public one leaves out (test_rules.py: each rule has one)."""

from thinksafe.study.stages import COSTS, LEVELS, RULES, stage_of


def test_every_stage_has_a_level_and_a_cost():
    assert {stage.level for stage in RULES.values()} == set(LEVELS)
    assert {stage.cost for stage in RULES.values()} == set(COSTS)


def test_a_bundle_of_adapters_holds_what_is_made_from_them_and_not_what_they_are_made_from():
    assert stage_of("filter_responses").depth < stage_of("train_student").depth == LEVELS.index("adapters")
    assert stage_of("train_grpo").depth < stage_of("sample_answers").depth < stage_of("write_main_table").depth


def test_a_public_bundle_leaves_out_prompts_and_responses_and_keeps_scores():
    assert stage_of("sample_answers").shows_text and stage_of("filter_responses").shows_text
    assert not stage_of("judge_responses").shows_text and not stage_of("score_reasoning").shows_text
    assert stage_of("a_rule_that_nobody_has_looked_at").shows_text
