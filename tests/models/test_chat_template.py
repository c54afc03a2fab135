"""Chat formats found from templates: those that TRL ships, an invented one, and the message where one is unclear."""

import re

import pytest

from tests import tiny
from thinksafe.models.chat import completion_tokens, prompt_tokens
from thinksafe.models.chat_template import declare, require_rules, rules_of
from thinksafe.models.folder import load_tokenizer, stop_tokens

PLAIN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|over|>{% endfor %}"


def bare(template: str, *tokens: str):
    """A tokenizer without think tags of its own, with a template."""
    made = tiny.make_tokenizer("other")
    made.add_tokens(list(tokens))
    made.chat_template = template
    return made


@pytest.mark.parametrize(
    ("name", "opened", "end"),
    [
        ("qwen3", False, "<|im_end|>"),
        ("deepseek_r1_distill", True, "<｜end▁of▁sentence｜>"),
        ("qwen3_5_think", True, "<|im_end|>"),
        ("nemotron_3_nano", True, "<|im_end|>"),
    ],
)
def test_templates_that_trl_ships(name, opened, end):
    tokenizer = tiny.make_tokenizer("r1" if "r1" in name else "qwen3")
    tokenizer.chat_template = tiny.chat_template(name)
    rules = require_rules(tokenizer)
    assert (rules.markup.tags, rules.opened, rules.end) == (("<think>", "</think>"), opened, end)


def test_an_invented_format():
    rules = require_rules(tiny.make_tokenizer("other"))
    assert rules.markup.tags == ("<reasoning>", "</reasoning>") and rules.opened and rules.end == "<|over|>"


@pytest.mark.parametrize(
    "pair",
    [
        ("<think>", "</think>"),
        ("<thinking>", "</thinking>"),
        ("[THINK]", "[/THINK]"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("<|start_thinking|>", "<|end_thinking|>"),
        ("<seed:think>", "</seed:think>"),
        ("◁think▷", "◁/think▷"),
    ],
)
def test_tags_are_found_however_they_are_written(pair):
    template = PLAIN + "{% if add_generation_prompt %}<|assistant|>" + pair[0] + "\n{% endif %}{# " + pair[1] + " #}"
    rules = require_rules(bare(template))
    assert rules.markup.tags == pair and rules.opened and rules.end == "<|over|>"


def test_the_tag_that_the_prompt_opens_goes_before_others():
    template = PLAIN + "{# <thought></thought> <think></think> #}{% if add_generation_prompt %}<think>{% endif %}"
    assert require_rules(bare(template)).markup.tags == ("<think>", "</think>")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            PLAIN + "{# <thought></thought> <think></think> #}",
            "several pairs of think tags .*<thought>, </thought>",
        ),
        (
            PLAIN + "{% if add_generation_prompt %}<think>\n\n</think>\n\n{% endif %}",
            "thinking is off .*; set .*options",
        ),
        ("{{ raise_exception('no') }}", "the chat template fails: .*no"),
        (None, "has no chat template; add chat_template.jinja"),
    ],
)
def test_what_is_told_where_a_template_is_unclear(template, message):
    with pytest.raises(ValueError, match=message):
        require_rules(bare(template))


def test_tags_among_the_tokens_alone_make_no_thinking_model():
    """Qwen3-Instruct-2507 has Qwen3's tokens, and does not think."""
    tokenizer = tiny.make_tokenizer("qwen3")
    for template in (PLAIN, tiny.chat_template("qwen3_instruct_2507")):
        tokenizer.chat_template = template
        with pytest.raises(ValueError, match=re.escape("has <think> </think>); set chat: {think: none}")):
            require_rules(tokenizer)


def test_config_says_what_a_template_does_not():
    chat = {"think": ["<plan>", "</plan>"], "stop": ["<|over|>", "</s>"], "system": "Think first.", "opens_think": True}
    tokenizer = declare(bare("{{ '' }}" + PLAIN + "{% if add_generation_prompt %}<plan>{% endif %}"), chat)
    rules = require_rules(tokenizer)
    assert rules.markup.tags == ("<plan>", "</plan>") and rules.opened and rules.end == "<|over|>"
    assert tokenizer.decode(prompt_tokens(tokenizer, "Hi")) == "<|system|>Think first.<|over|><|user|>Hi<|over|><plan>"
    learnt = tokenizer.decode(completion_tokens(tokenizer, "<think>\na\n</think>\n\nb"))
    assert learnt == "a\n</plan>\n\nb<|over|>"
    assert stop_tokens("nowhere", tokenizer) == tuple(sorted(tokenizer.convert_tokens_to_ids(["<|over|>", "</s>"])))


def test_options_reach_the_template():
    template = PLAIN + "{% if add_generation_prompt %}{{ '<think>' if thinking else '<think></think>' }}{% endif %}"
    with pytest.raises(ValueError, match="thinking is off"):
        require_rules(bare(template))
    assert require_rules(declare(bare(template), {"options": {"thinking": True}})).opened


@pytest.mark.parametrize(
    ("chat", "message"),
    [
        ({"opens_think": False}, "chat.opens_think: false is wrong; the generation prompt ends .*<reasoning>"),
        ({"stop": ["the end"]}, "chat.stop: the end is no single token"),
    ],
)
def test_what_config_says_wrongly(chat, message):
    with pytest.raises(ValueError, match=message):
        require_rules(declare(tiny.make_tokenizer("other"), chat))


def test_the_turns_end_is_among_the_stop_tokens(tmp_path):
    """A folder that names the end of text alone would let a trained model run on after its turn."""
    tiny.make_model(tmp_path, "other")
    tokenizer = load_tokenizer(tmp_path)
    assert set(tokenizer.convert_ids_to_tokens(stop_tokens(tmp_path, tokenizer))) == {"</s>", "<|over|>"}


def test_a_changed_template_is_read_anew():
    tokenizer = tiny.make_tokenizer("qwen3")
    assert not rules_of(tokenizer).opened
    tokenizer.chat_template = tiny.chat_template("deepseek_r1_distill").replace("{{bos_token}}", "")
    assert rules_of(tokenizer).opened


# ---------------------------------------------------------------------------------- text that a template changes
TURN = "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}{# </think> #}"
PARTS = (
    "{% for m in messages %}<|{{ m.role }}|>{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% endif %}"
    "{% endfor %}<|over|>{% endfor %}"
)


def test_a_template_that_takes_content_parts_gets_them():
    tokenizer = bare(PARTS + TURN)
    assert require_rules(tokenizer).parts
    text = " Tell me\n\n\thow é 🙂 <|over|> {{ x }} "
    assert tokenizer.decode(prompt_tokens(tokenizer, text)) == f"<|user|>{text}<|over|><|assistant|><think>\n"


@pytest.mark.parametrize(
    "printed", ["m.content | tojson", "m.content | upper", "m.content[:3]", "m.content + m.content", "'the same'"]
)
def test_a_template_that_changes_the_text_is_refused(printed):
    template = "{% for m in messages %}<|{{ m.role }}|>{{ " + printed + " }}<|over|>{% endfor %}" + TURN
    with pytest.raises(ValueError, match="does not print the text of user once and as it is .*chat_template.jinja"):
        require_rules(bare(template))


def test_a_hint_that_names_a_tag_opens_nothing():
    hint = PLAIN.replace(
        "{{ m.content }}", "{{ m.content }}{% if m.role == 'user' %} (Use <think></think>.){% endif %}"
    )
    rules = require_rules(bare(hint + "{% if add_generation_prompt %}<|assistant|>{% endif %}"))
    assert not rules.opened and rules.markup.tags == ("<think>", "</think>")


def test_a_model_that_does_not_think_learns_its_answer_alone():
    tokenizer = declare(bare(PLAIN + "{% if add_generation_prompt %}<|assistant|>{% endif %}"), {"think": "none"})
    assert not require_rules(tokenizer).thinks
    assert tokenizer.decode(completion_tokens(tokenizer, "Sorry, no.")) == "Sorry, no.<|over|>"
    hybrid = tiny.make_tokenizer("qwen3")
    with pytest.raises(ValueError, match="turns thinking on .*enable_thinking: false"):
        require_rules(declare(hybrid, {"think": "none"}))
    off = {"think": "none", "options": {"enable_thinking": False}}
    assert tokenizer.decode(prompt_tokens(declare(hybrid, off), "Hi")) and not require_rules(hybrid).thinks
