"""Published training sets into one form: what each format becomes, and what is dropped and counted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import thinksafe.training.losses as losses_folder
from scripts.data.prepare_corpus import prepare_corpus
from thinksafe.config import consistency
from thinksafe.config.types import Corpus, Loss
from thinksafe.data.published_sets import FORMATS, Unusable, convert, two_sentences
from thinksafe.files import read_json, read_rows

WHOLE = "<think>\nOkay, a gate. I look at it.\n</think>\n\nUse a nail."


def reason(make: Callable[[], Any]) -> str:
    with pytest.raises(Unusable) as error:
        make()
    return str(error.value)


# -------------------------------------------------------------------------------------------- formats
def test_types_and_checks_know_the_same_formats_and_losses() -> None:
    assert set(get_args(Corpus.model_fields["format"].annotation)) == FORMATS.keys() == consistency.FORMATS.keys()
    losses = {path.stem for path in Path(losses_folder.__file__).parent.glob("*.py")} - {"__init__", "base"}
    assert Loss.model_fields.keys() == losses == set(Loss.ONE_OF)


@pytest.mark.parametrize(
    "text",
    [
        "Question: Say 'Answer: yes' to me\nAnswer: Sorry, no.\n",
        "Question: Say 'Answer: yes' to me\n\n  answer:Sorry, no.",
    ],
)
def test_a_direct_refusal_is_cut_after_the_prompt_that_holds_the_label_itself(text: str) -> None:
    row = {"prompt": "Say 'Answer: yes' to me", "response": text}
    made = FORMATS["direct-refusal"](row, {"thought": "I should not answer this question!"})
    assert made == {"response": "<think>\nI should not answer this question!\n</think>\n\nSorry, no."}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Question: Fix it\nSorry.", "no_answer_label"),
        ("Question: Else\nAnswer: Sorry.", "no_answer_label"),
        ("Question: Fix it\nAnswer: ", "no_refusal"),
        (None, "no_refusal"),
    ],
)
def test_a_direct_refusal_without_one(text: str | None, why: str) -> None:
    spec = {"thought": "No."}
    assert reason(lambda: FORMATS["direct-refusal"]({"prompt": "Fix it", "response": text}, spec)) == why


@pytest.mark.parametrize(
    "text",
    [
        "\n\nOkay, a gate. I look at it.\n</think>\n\nUse a nail.",
        "Okay, a gate. I look at it.</think>Use a nail.\n",
        WHOLE,
    ],
)
def test_safechain_gets_its_opening_tag_and_one_blank_line(text: str) -> None:
    assert FORMATS["safechain"]({"response": text}, {}) == {"response": WHOLE}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("I never end", "reasoning_never_ends"),
        ("a</think>b</think>c", "several_think_blocks"),
        ("<think>a<think>b</think>c", "several_think_blocks"),
        ("\n</think>\n\nUse a nail.", "no_reasoning"),
        ("A gate.\n</think>\n", "no_answer"),
        ("", "no_response"),
        (None, "no_response"),
    ],
)
@pytest.mark.parametrize("form", ["safechain", "star1"])
def test_a_response_that_is_not_whole(form: str, text: str | None, why: str) -> None:
    assert reason(lambda: FORMATS[form]({"response": text}, {})) == why


def test_star1_has_its_slashes_back() -> None:
    assert FORMATS["star1"]({"response": WHOLE.replace("nail", r"nail and\/or glue")}, {}) == {
        "response": WHOLE.replace("nail", "nail and/or glue")
    }


def test_safepath_is_the_open_primer() -> None:
    assert FORMATS["safepath"]({"prompt": "x"}, {"primer": "Safety first."}) == {"response": "<think>\nSafety first."}


# -------------------------------------------------------------------------------------------- key sentences
@pytest.mark.parametrize(
    ("thought", "first", "second"),
    [
        ("Okay, a gate. I look at it. Fine.", "Okay, a gate.", "I look at it."),
        ('They ask "why?" I wonder! So.', 'They ask "why?"', "I wonder!"),
        ("A gate\n\nI look, 3.5 times. Fine.", "A gate", "I look, 3.5 times."),
        ("One. Two", "One.", "Two"),
        ("Okay, it is about Dr. Smith's bread. Harmless. So.", "Okay, it is about Dr. Smith's bread.", "Harmless."),
        ("Mr. J. R. Smith vs. Mrs. Jones asks. I look.", "Mr. J. R. Smith vs. Mrs. Jones asks.", "I look."),
        ("Say, e.g. The Times, a list of U.S. laws. Fine. So", "Say, e.g. The Times, a list of U.S. laws.", "Fine."),
        ("They live in the U.S. That is far. Hm.", "They live in the U.S.", "That is far."),
        ("The U.S. Senate met at 5 p.m. on Monday. It did. So.", "The U.S. Senate met at 5 p.m. on Monday.", "It did."),
        ("1. The user asks. 2. That may be. Then", "1. The user asks.", "2. That may be."),
        ("1.\nThe user asks. 2)\nFine. Then", "1.\nThe user asks.", "2)\nFine."),
        ("(a) Look. (b) See. Go.", "(a) Look.", "(b) See."),
        ("The sum is 42. No. 5 is next. So", "The sum is 42.", "No. 5 is next."),
        ("No. See Fig. 2 for that. So", "No.", "See Fig. 2 for that."),
        ("So do I. Tools, nails, etc. are fine. So", "So do I.", "Tools, nails, etc. are fine."),
        ("Hmm... the user asks. I see.", "Hmm... the user asks.", "I see."),
        ('"Is it?" he asks. It is. So', '"Is it?" he asks.', "It is."),
    ],
)
def test_without_offsets_the_second_sentence_is_the_key(thought: str, first: str, second: str) -> None:
    response = f"<think>\n{thought}\n</think>\n\nYes."
    made = FORMATS["safekey"]({"response": response}, {})
    assert made["response"] == response
    assert response[: made["query_end"]] == f"<think>\n{first}"
    assert response[made["query_end"] : made["key_end"]].strip() == second
    assert (made["query_end"], made["key_end"]) == two_sentences(response)


WORDS = ["user", "Dr. Smith", "the U.S. coast", "e.g. nails", "3.5 cm", "Fig. 2", "No. 5", "tools, etc. and", "J. Doe"]
LABELS = st.sampled_from(["", "1. ", "2) ", "(b) ", "- ", "**3.** "])
SENTENCES = st.tuples(LABELS, st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), st.sampled_from(".!?\n"))


@given(st.lists(SENTENCES, min_size=3, max_size=4))
def test_sentences_of_any_such_words_are_found(made: list[tuple[str, list[str], str]]) -> None:
    texts = [f"{label}The {' '.join(words)} ends{end}".rstrip() for label, words, end in made]
    text = "".join(sentence + ("\n" if end == "\n" else " ") for sentence, (_, _, end) in zip(texts, made, strict=True))
    response = f"<think>\n{text}\n</think>\n\nYes."
    first, second = two_sentences(response)
    assert [response[len("<think>\n") : first], response[first:second].strip()] == texts[:2]


def test_one_sentence_has_no_key() -> None:
    assert reason(lambda: FORMATS["safekey"]({"response": "<think>\nOkay.\n</think>\n\nYes."}, {})) == "no_key_sentence"


def test_given_offsets_are_kept_and_checked() -> None:
    def made(first: Any, last: Any) -> Any:
        return FORMATS["safekey"]({"response": WHOLE, "query_end": first, "key_end": last}, {})

    assert made(21, 35) == {"response": WHOLE, "query_end": 21, "key_end": 35}
    assert reason(lambda: made(None, 35)) == "no_key_sentence"
    for first, last in ((21, 21), (35, 21), (3, 20), (21, len(WHOLE)), (35, 36)):
        assert reason(lambda first=first, last=last: made(first, last)) == "key_sentence_outside_reasoning"


# -------------------------------------------------------------------------------------------- a whole corpus
ROWS = [
    {
        "instruction": f"Fix gate {n}",
        "label": "vanilla_harmful" if n % 2 else "adversarial_benign",
        "response": "broken" if n in (3, 4) else f"Gate {n}. Hm.\n</think>\n\nDo {n}.",
    }
    for n in range(12)
]


def part(*labels: str, **more: Any) -> dict[str, Any]:
    columns = {"prompt": "instruction", "response": "response"}
    return {"source": {"file": "x"}, "columns": columns, "where": {"label": list(labels)}} | more


def test_a_corpus_is_both_roles_with_its_drops_counted(tmp_path: Path) -> None:
    import json

    source = tmp_path / "rows.json"
    source.write_text(json.dumps(ROWS))
    spec = {
        "corpus": "c",
        "format": "safechain",
        "harmful": part("vanilla_harmful"),
        "benign": part("adversarial_benign"),
    }
    prepare_corpus([str(source)], [str(source)], spec, str(tmp_path / "c.parquet"), str(tmp_path / "c.json"))
    rows = read_rows(tmp_path / "c.parquet")
    assert [row["prompt"] for row in rows] == [f"Fix gate {n}" for n in (1, 5, 7, 9, 11, 0, 2, 6, 8, 10)]
    assert [row["role"] for row in rows] == ["harmful"] * 5 + ["benign"] * 5
    assert rows[1] == {
        "id": "c-harmful-000002",
        "role": "harmful",
        "prompt": "Fix gate 5",
        "response": "<think>\nGate 5. Hm.\n</think>\n\nDo 5.",
        "query_end": None,
        "key_end": None,
    }
    counts = {"source": 6, "kept": 5, "dropped": {"reasoning_never_ends": 1}}
    assert read_json(tmp_path / "c.json") == {"harmful": counts, "benign": counts}


def test_take_counts_usable_rows_and_random_is_seeded() -> None:
    def taken(**more: Any) -> list[str]:
        spec = {"format": "safechain", "seed": ["s", 0], "harmful": part("vanilla_harmful", **more)}
        return [row["prompt"] for row in convert(ROWS, spec, "harmful", "c")[0]]

    assert taken(take=3) == ["Fix gate 1", "Fix gate 5", "Fix gate 7"]
    drawn = taken(take=3, order="random")
    assert drawn == taken(take=3, order="random") and len(set(drawn)) == 3
    assert sorted(taken(order="random")) == sorted(taken())
    with pytest.raises(
        ValueError, match=r"corpora.c.harmful: 5 usable rows of 6, where 6 are wanted; .*never_ends': 1"
    ):
        taken(take=6)
    with pytest.raises(ValueError, match="corpora.c.harmful: 6 rows, where 7 are expected"):
        taken(rows=7)


def test_a_source_of_another_form_is_told() -> None:
    spec = {"format": "safekey", "harmful": part("vanilla_harmful")}
    rows = [row | {"response": "No tags at all."} for row in ROWS]
    with pytest.raises(ValueError, match=r"0 usable rows of 6, .* The form: A response of STAR-1's form with two"):
        convert(rows, spec, "harmful", "c")
    blank = [row | {"instruction": " "} for row in ROWS]
    with pytest.raises(ValueError, match="no_prompt': 6"):
        convert(blank, spec, "harmful", "c")
