"""Stored form and own form: one is the other's inverse, for any text in any format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinksafe.models import markup as markup_module
from thinksafe.models.markup import JOINER, STORED, Markup
from thinksafe.models.responses import CLOSE, OPEN, parts

FORMATS = {
    "qwen3": Markup(),
    "bare": Markup("<think>", "</think>"),
    "glm": Markup("\n<think>", "</think>\n"),
    "nemotron": Markup("<think>\n", "\n</think>\n"),
    "channels": Markup("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    "recipients": Markup(" to=self<|message|>", "<|eom|><|start|>assistant to=user<|message|>"),
    "wrapped": Markup("<think>\n", "\n</think>\n<answer>\n", tail="\n</answer>"),
    "upper case": Markup("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>", tail="<|END_RESPONSE|>"),
    "sentences": Markup("Here is my thought process: ", "\n\nHere is my response: "),
    "much white space": Markup("\n\n<think>\n\n", "\n\n</think>\n\n\n"),
}


def texts(markup: Markup) -> st.SearchStrategy[str]:
    """Texts made of a format's marks, parts of them, other formats' marks and anything else."""
    own = [markup.open, markup.close, *markup.tags, *markup.tags[1].split("\n"), markup.tail]
    other = [
        *STORED,
        OPEN,
        CLOSE,
        f"<{JOINER}think>",
        f"<{JOINER}{JOINER}/think>",
        JOINER,
        "<",
        "/think>",
        "\n",
        "\n\n",
        " ",
    ]
    return st.lists(st.sampled_from(own + other) | st.text(max_size=5), max_size=9).map("".join)


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_what_is_stored_is_what_was_sampled(name, data):
    markup = FORMATS[name]
    own = data.draw(texts(markup))
    stored = markup.to_stored(own)
    assert markup.to_own(stored) == own
    assert markup.to_stored(markup.to_own(stored)) == stored
    assert "".join(text for text, _ in markup.pieces(own)) == own


@pytest.mark.parametrize("name", FORMATS)
@given(thought=st.text(max_size=20), answer=st.text(max_size=20))
def test_a_turn_in_its_exact_form_is_stored_in_the_one_form_of_all(name, thought, answer):
    markup = FORMATS[name]
    if any(mark in thought + answer for mark in (*markup.tags, OPEN, CLOSE, JOINER)) or answer.endswith(
        markup.tail or "\0"
    ):
        return
    stored = f"{STORED[0]}{thought}{STORED[1]}{answer}"
    assert markup.to_own(stored) == markup.open + thought + markup.close + answer + markup.tail
    assert markup.to_stored(markup.to_own(stored)) == stored
    assert parts(stored) == (thought.strip(), answer.strip())


def test_stored_tags_are_those_that_responses_are_read_by():
    assert (markup_module.OPEN, markup_module.CLOSE) == (OPEN, CLOSE)


def test_letters_of_the_stored_tags_are_no_think_block_where_a_model_has_other_tags():
    markup = FORMATS["channels"]
    stored = markup.to_stored("<think>\nNot mine.\n</think>\n\nSorry.")
    assert OPEN not in stored and CLOSE not in stored and parts(stored) == (None, None)
