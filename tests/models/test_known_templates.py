"""The formats of known templates, as packages ship them: what is found, what has to be said, and that nothing is lost.

The table in docs/own-model.md is this one.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tiny
from tests.templates import ABSENT, BROUGHT, mistral_template, tokenizer_for, trl_names
from thinksafe.models.chat import completion_tokens, own_form, prompt_tokens, stored_response, text_of
from thinksafe.models.chat_template import declare, require_rules, rules_of
from thinksafe.models.markup import JOINER, STORED, Bare, Markup
from thinksafe.models.tokenizer import controls

ON = {"options": {"enable_thinking": True}}
NONE = {"think": "none"}
SAME, GEMMA = Markup(), Markup("<|channel>thought\n", "\n<channel|>")
CHANNELS = Markup("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>")
RECIPIENTS = Markup(" to=self<|message|>", "<|eom|><|start|>assistant to=user<|message|>")
# template of trl: what config says, and the marks, what of them the prompt holds, and the end of a turn that are found
FORMATS = {
    "qwen3": ({}, SAME, "", "<|im_end|>"),
    "qwen3_5_think": ({}, SAME, "<think>\n", "<|im_end|>"),
    "qwen3_5_nothink": (ON, SAME, "<think>\n", "<|im_end|>"),
    "qwen3_6": ({}, SAME, "<think>\n", "<|im_end|>"),
    "qwen3_8": ({}, SAME, "<think>\n", "<|im_end|>"),
    "deepseek_r1_distill": ({}, SAME, "<think>\n", "<｜end▁of▁sentence｜>"),
    "deepseekv3": ({}, SAME, "<think>\n", "<｜end▁of▁sentence｜>"),
    "gptoss": ({}, CHANNELS, "", "<|return|>"),
    "muse_glimmer": ({}, RECIPIENTS, "", "<|eot|>"),
    "glm4moe": ({}, Markup("\n<think>", "</think>\n"), "", "<|user|>"),
    "nemotron_3_nano": ({}, Markup("<think>\n", "\n</think>\n"), "<think>\n", "<|im_end|>"),
    "nemotron_3_super": ({}, Markup("<think>\n", "\n</think>\n"), "<think>\n", "<|im_end|>"),
    "nemotron_3_ultra": ({}, Markup("<think>\n", "</think>"), "<think>\n", "<|im_end|>"),
    "nemotron_3_5_lightning": ({}, Markup("<think>\n", "</think>"), "<think>\n", "<|im_end|>"),
    "lfm2_2_5": ({}, Markup("<think>", "</think>"), "", "<|im_end|>"),
    "lfm2_2_5_v2": ({}, Markup("<think>", "</think>"), "", "<|im_end|>"),
    "lfm2_2_5_vl": ({}, Markup("<think>", "</think>"), "", "<|im_end|>"),
    "gemma4": (ON, GEMMA, "", "<turn|>"),
    "gemma4_v2": (ON | {"think": ["<|channel>thought\n", "\n<channel|>"]}, GEMMA, "", "<turn|>"),
    "gemma4_v3": (ON, GEMMA, "", "<turn|>"),
    "gemma4_v4": (ON, GEMMA, "", "<turn|>"),
    "gemma4_v5": (ON, GEMMA, "", "<turn|>"),
    "diffusion_gemma": (ON, GEMMA, "", "<turn|>"),
    "cohere": (NONE, Bare(), "", "<|END_OF_TURN_TOKEN|>"),
    "cohere2": (NONE, Bare(tail="<|END_RESPONSE|>"), "", "<|END_OF_TURN_TOKEN|>"),
    "gemma": (NONE, Bare(), "", "<end_of_turn>"),
    "gemma3": (NONE, Bare(), "", "<end_of_turn>"),
    "idefics3": (NONE, Bare(), "", "<end_of_utterance>"),
    "lfm2": (NONE, Bare(), "", "<|im_end|>"),
    "lfm2_v2": (NONE, Bare(), "", "<|im_end|>"),
    "llama3": (NONE, Bare(), "", "<|eot_id|>"),
    "llama3_1": (NONE, Bare(), "", "<|eot_id|>"),
    "llama3_2": (NONE, Bare(), "", "<|eot_id|>"),
    "llava_next": (NONE, Bare(), "", "</s>"),
    "phi3": (NONE, Bare(), "", "<|end|>"),
    "phi3_5": (NONE, Bare(), "", "<|end|>"),
    "qwen2_5": (NONE, Bare(), "", "<|im_end|>"),
    "qwen2_5_vl": (NONE, Bare(), "", "<|im_end|>"),
    "qwen3_instruct_2507": (NONE, Bare(), "", "<|im_end|>"),
    "qwen3_vl": (NONE, Bare(), "", "<|im_end|>"),
    "smolvlm": (NONE, Bare(), "", "<end_of_utterance>"),
}
# templates of our own, of the kinds that no package ships: section wrappers, tags as tokens, plain sentences


def invented(opening: str, closing: str, tail: str = "", prompt: str = "") -> str:
    """A template that prints reasoning between two marks, and an answer before a third."""
    return (
        "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' and m.reasoning_content %}"
        f"{{{{ {opening!r} + m.reasoning_content + {closing!r} }}}}{{% endif %}}{{{{ m.content }}}}"
        f"{{% if m.role == 'assistant' %}}{{{{ {tail!r} }}}}{{% endif %}}<|end|>{{% endfor %}}"
        f"{{% if add_generation_prompt %}}<|assistant|>{{{{ {prompt!r} }}}}{{% endif %}}"
    )


INVENTED = {
    "wrapped": ("<think>\n", "\n</think>\n<answer>\n", "\n</answer>", ""),
    "wrapped and opened": ("<think>\n", "\n</think>\n\n<response>\n", "\n</response>\n", "<think>\n"),
    "upper case": ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>", "<|END_RESPONSE|>", ""),
    "sentences": ("Here is my thought process: ", "\n\nHere is my response: ", "", ""),
    "sentences, opened": ("Here are my steps:\n", "\n[BEGIN FINAL RESPONSE]\n", "", "Here are my steps:\n"),
    "sections": ("<|open|>think<|sep|>", "<|close|>think<|sep|><|open|>response<|sep|>", "<|close|>response", ""),
}


def made(name: str):
    if name in FORMATS:
        chat, markup, held, end = FORMATS[name]
        return declare(tokenizer_for(tiny.chat_template(name)), chat), markup, held, end
    opening, closing, tail, held = INVENTED[name]
    return tokenizer_for(invented(opening, closing, tail, held)), Markup(opening, closing, tail=tail), held, "<|end|>"


def test_every_template_that_trl_ships_is_known():
    assert sorted(FORMATS) == trl_names()


@pytest.mark.parametrize("name", [*FORMATS, *INVENTED])
def test_the_format_that_is_found(name):
    tokenizer, markup, held, end = made(name)
    if rules_of(tokenizer).problems:  # nothing is guessed: what config has to say is asked for
        raise AssertionError(rules_of(tokenizer).problems)
    rules = require_rules(tokenizer)
    assert (rules.markup, rules.given, rules.end) == (markup, held, end)
    prompt = tokenizer.decode(prompt_tokens(tokenizer, "What is this?"))
    assert prompt.count("What is this?") == 1 and prompt.endswith(held)


@pytest.mark.parametrize("name", [name for name, (chat, *_) in FORMATS.items() if chat])
def test_what_has_to_be_said_is_asked_for(name):
    chat = FORMATS[name][0]
    with pytest.raises(ValueError) as error:
        require_rules(tokenizer_for(tiny.chat_template(name)))
    told = str(error.value)
    assert ("think: none" if chat is NONE else "enable_thinking: true" if chat is ON else "think: [") in told


def identity(tokenizer, response: str) -> None:
    """Check stored form, own form, tokens, own form, stored form."""
    tokens = completion_tokens(tokenizer, response)
    own = text_of(tokenizer, tokens, {tokens[-1]})
    assert own == own_form(tokenizer, response)
    assert stored_response(tokenizer, own) == response


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (n % 4 > 0)) for n, name in enumerate([*FORMATS, *INVENTED])],
)
@settings(max_examples=12)
@given(data=st.data())
def test_what_is_sampled_is_what_is_stored_and_learnt(name, data):
    tokenizer, markup, held, _ = TOKENIZERS.setdefault(name, made(name))
    marks = [*getattr(markup, "tags", ()), markup.tail, *STORED, JOINER, "\n", " ", *sorted(controls(tokenizer))[:40]]
    text = st.lists(st.sampled_from(marks) | st.text(max_size=8), max_size=6).map("".join)
    # Whatever a model samples, odd marks included, is stored without loss; what it learns then is what it has sampled.
    identity(tokenizer, stored_response(tokenizer, data.draw(text)))
    thought, answer = (data.draw(st.text(max_size=12)) for _ in range(2))
    if rules_of(tokenizer).thinks and not {JOINER, "<", "[", "H"} & {*thought, *answer}:
        response = f"{STORED[0]}{thought}{STORED[1]}{answer}"  # a row that somebody else has written
        identity(tokenizer, response)
        assert own_form(tokenizer, response) == (
            (markup.open + thought + markup.close + answer + markup.tail).removeprefix(held)
        )


TOKENIZERS: dict[str, tuple] = {}


@pytest.mark.skipif(not (BROUGHT / "stamp").is_file(), reason=ABSENT)
@pytest.mark.parametrize(
    ("version", "thinking", "markup"),
    [
        ("v3", None, None),
        ("v7", None, None),
        ("v11", "plain_thinking_support", Markup("<think>", "</think>")),
        ("v13", "thinking_support", Markup("[THINK]", "[/THINK]")),
    ],
)
def test_the_templates_of_mistral_common(version, thinking, markup):
    tokenizer = tokenizer_for(mistral_template(version, thinking))
    if markup is None:
        with pytest.raises(ValueError, match="think: none"):
            require_rules(tokenizer)
        declare(tokenizer, NONE)
    rules = require_rules(tokenizer)
    assert (rules.markup, rules.end) == (markup or Bare(), "</s>")
    identity(tokenizer, "<think>\na\n</think>\n\nb" if markup else "b")


# -------------------------------------------------------------------------------------------- the clock
@pytest.mark.parametrize("name", ["gptoss", "muse_glimmer", "llama3_2"])
def test_the_prompt_is_the_same_on_every_day(name, monkeypatch):
    from transformers.utils import chat_template_utils

    class Later(chat_template_utils.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2031, 7, 8)

    chat = NONE if name.startswith("llama") else {}
    template = tiny.chat_template(name)
    first = prompt_tokens(declare(tokenizer_for(template), chat), "Hi")
    monkeypatch.setattr(chat_template_utils, "datetime", Later)
    later = prompt_tokens(declare(tokenizer_for(template), chat), "Hi")
    assert first == later
    tokenizer = declare(tokenizer_for(template), chat | {"date": "2024-05-06"})
    other = tokenizer.decode(prompt_tokens(tokenizer, "Hi"))
    assert "2024" in other and "2031" not in other
