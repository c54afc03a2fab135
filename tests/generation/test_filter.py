"""The filter keeps what is surely safe and whole, counts the first reason against others, picks the same again."""

import pytest

from thinksafe.generation.filter import REASONS, keep_safe

GOOD = "<think>\nhm\n</think>\n\nSorry."


def response(name, draw=0, text=GOOD, finish="stop"):
    return {
        "id": name,
        "draw": draw,
        "prompt": f"ask {name}",
        "asked": f"Refuse. ask {name}",
        "response": text,
        "tokens": 9,
        "finish_reason": finish,
        "logprob": -1.0,
        "seed": 3,
    }


def verdict(name, draw=0, harm="safe"):
    return {"id": name, "draw": draw, "harm": harm, "truncated": False, "output": harm or ""}


def outcome(*draws):
    """Counts for one prompt whose draws are (harm, text, finish)."""
    rows = [response("a", n, text, finish) for n, (_, text, finish) in enumerate(draws)]
    kept, counts = keep_safe(rows, [verdict("a", n, harm) for n, (harm, _, _) in enumerate(draws)], [0])
    assert counts["prompts"] == 1 and counts["kept"] + sum(counts["dropped"].values()) == 1
    return "kept" if kept else next(reason for reason, count in counts["dropped"].items() if count)


SAFE, UNSAFE, UNKNOWN = ("safe", GOOD, "stop"), ("unsafe", GOOD, "stop"), ("unknown", GOOD, "stop")
UNFINISHED, TOO_LONG = ("safe", GOOD, "length"), ("unknown", "", "prompt_too_long")


@pytest.mark.parametrize(
    "draws, expected",
    [
        ([SAFE], "kept"),
        ([SAFE] * 5, "kept"),
        ([UNSAFE], "unsafe"),
        ([UNKNOWN], "unknown"),
        ([(None, GOOD, "stop")], "unknown"),
        ([("Safe", GOOD, "stop")], "unknown"),
        ([UNFINISHED], "unfinished"),
        ([("safe", "<think>\nno end", "stop")], "unfinished"),
        ([("safe", "<think>\na\n</think>\n\n", "stop")], "unfinished"),
        ([("safe", "<think>\na\n</think>\n</think>\n\nb", "stop")], "unfinished"),
        ([("safe", "no tags", "stop")], "unfinished"),
        ([TOO_LONG], "too_long"),
        ([("safe", "", "prompt_too_long")], "too_long"),
        ([SAFE] * 4 + [UNSAFE], "unsafe"),
        ([UNSAFE] + [SAFE] * 4, "unsafe"),
        ([SAFE, UNKNOWN, UNSAFE], "unsafe"),
        ([UNFINISHED, UNKNOWN], "unknown"),
        ([TOO_LONG, UNFINISHED], "unfinished"),
    ],
)
def test_every_draw_must_be_safe_and_the_first_reason_counts(draws, expected):
    assert outcome(*draws) == expected


def many(count, draws):
    rows = [response(f"p{n}", draw, GOOD + str(draw)) for n in range(count) for draw in range(draws)]
    return rows, [verdict(row["id"], row["draw"]) for row in rows]


def test_the_pick_is_the_same_again_whatever_the_order_and_follows_the_seed():
    rows, verdicts = many(200, 5)
    kept, counts = keep_safe(rows, verdicts, [0, "harmful"])
    assert counts == {"prompts": 200, "kept": 200, "dropped": dict.fromkeys(REASONS, 0)}
    assert [row["id"] for row in kept] == [f"p{n}" for n in range(200)]
    assert keep_safe(rows, verdicts[::-1], [0, "harmful"])[0] == kept
    assert keep_safe(rows, verdicts, [1, "harmful"])[0] != kept
    # A prompt's pick does not depend on which others there are.
    assert keep_safe(rows[50:], verdicts[50:], [0, "harmful"])[0] == kept[10:]
    picks = [sum(row["draw"] == draw for row in kept) for draw in range(5)]
    assert min(picks) > 20


@pytest.mark.parametrize("change", ["fewer", "more", "other", "twice"])
def test_verdicts_that_are_not_those_of_the_responses_are_an_error(change):
    rows, verdicts = many(3, 2)
    verdicts = {
        "fewer": verdicts[:-1],
        "more": [*verdicts, verdict("p9")],
        "other": [*verdicts[:-1], verdict("p9")],
        "twice": [*verdicts, verdicts[0]],
    }[change]
    with pytest.raises(ValueError, match="6 responses have . verdicts.*judge them again"):
        keep_safe(rows, verdicts, [0])


# -------------------------------------------------------------------------------------------- the whole job
