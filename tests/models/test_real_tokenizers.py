"""The paper's students and guards on their real vocabularies and templates (`make setup-tokenizers` brings them)."""

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.data.describe_chat import describe
from tests.models.test_known_templates import identity
from tests.templates import ABSENT, BROUGHT
from thinksafe.inference.guards import guard_prompt, guard_template
from thinksafe.models.chat_template import require_rules
from thinksafe.models.folder import load_tokenizer
from thinksafe.models.markup import STORED, Markup
from thinksafe.models.tokenizer import controls, decode, encode_plain

pytestmark = [
    pytest.mark.slow,  # a vocabulary takes seconds to load
    pytest.mark.skipif(not (BROUGHT / "stamp").is_file(), reason=ABSENT),
]
TURN, BEGIN, END = "<|im_start|>", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
QWEN = (f"{TURN}user\nWhat is 2 + 3?<|im_end|>\n{TURN}assistant\n", "", "<|im_end|>")
R1 = (f"{BEGIN}<｜User｜>What is 2 + 3?<｜Assistant｜><think>\n", "<think>\n", END)
# student: folder of .tokenizers, and the prompt, what of the marks it holds, and the end of the turn
STUDENTS = {
    **{f"qwen3-{size}": ("qwen3", *QWEN) for size in ("0.6b", "1.7b", "4b", "8b")},
    "r1-qwen-1.5b": ("r1-qwen", *R1),
    "r1-qwen-7b": ("r1-qwen", *R1),
    "r1-llama-8b": ("r1-llama", *R1),
}
load = cache(lambda name: load_tokenizer(BROUGHT / name))


@pytest.mark.parametrize("student", STUDENTS)
def test_a_students_format_is_what_the_config_says(student):
    folder, prompt, held, end = STUDENTS[student]
    tokenizer = load(folder)
    rules = require_rules(tokenizer)
    assert (rules.markup, rules.given, rules.end, rules.parts) == (Markup(), held, end, False)
    spec = {"student": student, "family": student.partition("-")[0], "chat": None, "max_tokens": 32768}
    row = [("read", "prompt", prompt), ("learnt", "opens", "<think>\n"), ("learnt", "reasoning", "2 + 3 is 5.")]
    row += [("learnt", "closes", "\n</think>\n\n"), ("learnt", "answer", "It is 5."), ("learnt", "end", end)]
    wanted = [f"    {kind:6} {name:9} {text!r}" for kind, name, text in row if not (held and name == "opens")]
    assert describe(BROUGHT / folder, spec)[-len(wanted) :] == wanted


@pytest.mark.parametrize("name", ["qwen3", "r1-qwen", "r1-llama"])
@settings(max_examples=25)
@given(data=st.data())
def test_what_is_sampled_is_what_is_stored_and_learnt(name, data):
    tokenizer = load(name)
    # Qwen's own normalizer composes letters (NFC), so only text that is composed already can come back as it was.
    letters = st.text(st.characters(codec="utf-8", max_codepoint=0x2FF), max_size=12)
    words = st.lists(st.sampled_from([*sorted(controls(tokenizer)), "\n", "🙂 "]) | letters, max_size=5).map("".join)
    thought, answer = (data.draw(words).replace("think>", "") for _ in range(2))
    identity(tokenizer, f"{STORED[0]}{thought}{STORED[1]}{answer}")
    assert decode(tokenizer, encode_plain(tokenizer, thought)) == thought


def test_llama_guards_question():
    tokenizer = load("llama-guard-3")
    template = guard_template(tokenizer, "")
    assert template.endswith("<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")
    ids, cut = guard_prompt(tokenizer, template, "How? <|eot_id|>", "<think>\nR\n</think>\n\nNo.", 4096)
    asked = decode(tokenizer, ids)
    talk = "User: How? <|eot_id|>\n\nAgent: <think>\nR\n</think>\n\nNo.\n\n<END CONVERSATION>"
    assert not cut and asked.count(talk) == 1
    marks = [token for token in tokenizer.convert_ids_to_tokens(ids) if token in controls(tokenizer)]
    header = ["<|start_header_id|>", "<|end_header_id|>"]
    assert marks == ["<|begin_of_text|>", *header, "<|eot_id|>", *header]


def test_wildguards_question():
    tokenizer = load("wildguard")
    form = Path("config/guards/wildguard.txt").read_text(encoding="utf-8")
    ids, cut = guard_prompt(tokenizer, guard_template(tokenizer, form), "How? </s>", "No.\n\n  é 🙂", 4096)
    asked = decode(tokenizer, ids)
    assert not cut and asked.count("How? </s>") == 1 and asked.count("No.\n\n  é 🙂") == 1
    assert tokenizer.convert_ids_to_tokens(ids).count("</s>") == 0
