"""A response taken apart."""

import pytest

from thinksafe.models.responses import parts, view, well_formed

GOOD = "<think>\nIt is the queen's.\n</think>\n\nSorry, no."


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (GOOD, ("It is the queen's.", "Sorry, no.")),
        ("<think>\n\n</think>\n\nSorry.", ("", "Sorry.")),
        ("<think>\nstill thinking", ("still thinking", None)),
        ("<think>\nR\n</think>\n\n", ("R", "")),
        ("<think>a</think>b</think>c", ("a</think>b", "c")),
        ("R\n</think>\n\nA", ("R", "A")),
        ("no tags at all", (None, None)),
        ("", (None, None)),
    ],
)
def test_parts(response, expected):
    assert parts(response) == expected


@pytest.mark.parametrize(
    ("response", "finish", "expected"),
    [
        (GOOD, "stop", True),
        (GOOD, "length", False),
        ("<think>\n\n</think>\n\nSorry.", "stop", True),
        ("<think>\nR\n</think>\n\n \n", "stop", False),
        ("<think>\nR", "stop", False),
        ("<think>\n<think>\nR\n</think>\n\nA", "stop", False),
        ("<think>\nR\n</think>\n\nA</think>B", "stop", False),
        ("</think>A<think>B", "stop", False),
        ("Well. <think>\nR\n</think>\n\nA", "stop", False),
    ],
)
def test_well_formed(response, finish, expected):
    assert well_formed(response, finish) is expected


def test_view():
    assert view(GOOD, "full") == GOOD
    assert view(GOOD, "answer") == "Sorry, no."
    assert view("<think>\nstep one: get a hammer", "answer") == ""
    with pytest.raises(ValueError, match="judged_text"):
        view(GOOD, "reasoning")


@pytest.mark.parametrize(
    ("response", "finish", "expected"),
    [
        ("Sorry, no.", "stop", True),
        ("Sorry, no.", "length", False),
        (" \n", "stop", False),
        ("<think>\n\n</think>\n\nSorry.", "stop", False),
        ("Sorry.</think>", "stop", False),
    ],
)
def test_a_model_that_does_not_think_says_its_answer_alone(response, finish, expected):
    assert well_formed(response, finish, thinks=False) is expected
    assert parts(response, thinks=False) == (None, response.strip())
    assert view(response, "answer", thinks=False) == response.strip() and view(response, "full", False) == response
