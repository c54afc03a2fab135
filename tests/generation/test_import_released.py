"""Training sets that others have released, in the form of our own."""

import json

import pytest

from scripts.generation.import_released import import_released
from tests import tiny
from thinksafe.files import read_json, read_rows
from thinksafe.generation.filter import COLUMNS
from thinksafe.models.chat import completion_tokens
from thinksafe.models.folder import load_tokenizer

LABELS = ("vanilla_harmful", "adversarial_harmful", "vanilla_benign", "adversarial_benign")
WHOLE = "Hm, they ask.\n</think>\n\nNo."


@pytest.fixture(scope="module", params=["qwen3", "r1"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny.make_model(folder, request.param)
    return folder


def row(prompt, response, label, **more):
    """Return a row in the form in which the paper's authors release theirs."""
    return {"instruction": prompt, "response": response, "prompt_label": label, "response_label": "safe"} | more


def imported(folder, model, rows, **changes):
    source = {"file": str(folder / "released.jsonl")}
    (folder / "released.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    part = {
        "source": source,
        "columns": {"prompt": "instruction", "response": "response"},
        "order": "first",
        "take": None,
    }
    spec = dict(student="small", method="thinksafe", model={"folder": str(model)}, chat=None, seed=["sources", 0])
    for labels, others, role in ((LABELS[:2], LABELS[2:], "harmful"), (LABELS[2:], LABELS[:2], "benign")):
        chosen = dict(where={"prompt_label": labels}, leave_out={"prompt_label": others})
        spec[role] = part | chosen | changes.get(role, {})
    paths = [str(folder / name) for name in ("set.parquet", "set.statistics.json")]
    files = [source["file"]]
    import_released(files, files, [str(path) for path in model.iterdir()], spec, *paths)
    return read_rows(paths[0]), read_json(paths[1])


def test_rows_as_a_student_would_have_written_them(tmp_path, model):
    rows, counts = imported(
        tmp_path,
        model,
        [
            row("b", "<think>\n" + WHOLE, "vanilla_benign"),
            row("h", WHOLE, "adversarial_harmful"),
            row("h2", "\nHm,  they ask.\n\n</think>No.\n", "vanilla_harmful"),
        ],
    )
    assert [(row["role"], row["prompt"]) for row in rows] == [("harmful", "h"), ("harmful", "h2"), ("benign", "b")]
    assert rows[0]["response"] == rows[2]["response"] == "<think>\n" + WHOLE
    assert rows[1]["response"] == "<think>\nHm,  they ask.\n</think>\n\nNo."
    tokenizer = load_tokenizer(model, None)
    for one in rows:  # with the end of the turn, and without an opening that the family's prompt has
        assert list(one) == list(COLUMNS) and one["draw"] == 0
        assert one["tokens"] == len(completion_tokens(tokenizer, one["response"])) > 3
    assert counts["harmful"] == {"released": 2, "kept": 2, "dropped": {}}


def test_rows_that_end_no_reasoning_are_left_out_and_counted(tmp_path, model):
    """The authors' code keeps such rows, and trains on thoughts that never end."""
    broken = ["I cannot.", "<think>\nHm", "<think>\n\n</think>\n\nNo.", "Hm.</think>", "a</think>b</think>c", None]
    rows, counts = imported(
        tmp_path,
        model,
        [row("b", WHOLE, "vanilla_benign"), row("h", WHOLE, "vanilla_harmful"), row(" ", WHOLE, "vanilla_harmful")]
        + [row("x", text, "vanilla_harmful") for text in broken],
    )
    assert [row["prompt"] for row in rows] == ["h", "b"]
    assert counts["harmful"] == {
        "released": 8,
        "kept": 1,
        "dropped": {
            "no_answer": 1,
            "no_prompt": 1,
            "no_reasoning": 1,
            "no_response": 1,
            "reasoning_never_ends": 2,
            "several_think_blocks": 1,
        },
    }


def test_a_set_of_another_form_is_refused(tmp_path, model):
    good = [row("b", WHOLE, "vanilla_benign"), row("h", WHOLE, "vanilla_harmful")]
    for rows, changes, message in (
        ([*good, row("u", WHOLE, "unharmful")], {}, "row 3 of the source has prompt_label 'unharmful'"),
        (
            [{"prompt": "p", "text": "t", "prompt_label": "vanilla_harmful"}],
            {},
            "row 1 of the source has no column .'instruction', 'response'",
        ),
        ([good[0], row("h", "No.", "vanilla_harmful")], {}, "0 usable rows of 1, .*reasoning_never_ends"),
        (good, {"harmful": {"take": 2}}, "1 usable rows of 1, where 2 are wanted"),
        (good, {"harmful": {"rows": 9}}, "1 rows, where 9 are expected"),
    ):
        with pytest.raises(ValueError, match=f"sources.small.thinksafe.harmful: {message}"):
            imported(tmp_path, model, rows, **changes)


def test_some_of_the_rows_by_their_own_seed(tmp_path, model):
    rows = [row(f"h{n}", WHOLE, "vanilla_harmful") for n in range(30)] + [row("b", WHOLE, "vanilla_benign")]
    first, _ = imported(tmp_path, model, rows, harmful={"take": 5})
    drawn, _ = imported(tmp_path, model, rows, harmful={"take": 5, "order": "random"})
    assert [row["prompt"] for row in first] == [*(f"h{n}" for n in range(5)), "b"]
    assert len(drawn) == 6 and drawn[:5] != first[:5]
    assert drawn == imported(tmp_path, model, rows, harmful={"take": 5, "order": "random"})[0]
