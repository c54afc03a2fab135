"""Each rule that makes something has a stage, which tells what a bundle holds and what a public one leaves out."""

import re
from pathlib import Path

from thinksafe.study.stages import LEVELS, RULES, stage_of

ROOT = Path(__file__).parents[2]


def test_every_rule_that_makes_something_has_a_stage():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    makers = set(re.findall(r"^rule (\w+):\n(?:    .*\n|\n)*?    output:", text, re.M))
    makers |= set(re.findall(r"^use rule \w+ as (\w+) with:", text, re.M))
    assert makers == set(RULES)
    assert all(stage.level in LEVELS for stage in RULES.values())


def test_a_bundle_of_adapters_holds_what_is_made_from_them_and_not_what_they_are_made_from():
    assert stage_of("filter_responses").depth < stage_of("train_student").depth == LEVELS.index("adapters")
    assert stage_of("train_grpo").depth < stage_of("sample_answers").depth < stage_of("write_main_table").depth


def test_a_public_bundle_leaves_out_prompts_and_responses_and_keeps_scores():
    assert stage_of("sample_answers").shows_text and stage_of("filter_responses").shows_text
    assert not stage_of("judge_responses").shows_text and not stage_of("score_reasoning").shows_text
    assert stage_of("a_rule_that_nobody_has_looked_at").shows_text
