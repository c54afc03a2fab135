"""Prompt sources: which rows a filter keeps, and how faults are named."""

import pytest

from thinksafe.data.sources import prompt_row, select

ROWS = [{"prompt": text, "label": f"l{n % 2}"} for n, text in enumerate("abcdefgg")]


def spec(**more):
    return {"source": {"file": "x"}, "columns": {"prompt": "prompt"}} | more


def test_all_rows_and_duplicates_stay_in_order():
    assert select(ROWS, spec(), "p") == ROWS


def test_a_missing_column_is_told_with_those_that_are_there():
    with pytest.raises(ValueError, match=r"p: row 1 .* no column \['question'\]; it has \['label', 'prompt'\]"):
        select(ROWS, spec(columns={"prompt": "question"}), "p")
    with pytest.raises(ValueError, match=r"\['wrong1', 'wrong2'\]"):
        select(ROWS, spec(columns={"prompt": "prompt", "incorrect": ["wrong1", "wrong2"]}), "p")
    with pytest.raises(ValueError, match=r"\['kind'\]"):
        select(ROWS, spec(where={"kind": ["a"]}), "p")
    with pytest.raises(ValueError, match=r"\['url'\]"):
        select(ROWS, spec(contains={"url": "a"}), "p")
    with pytest.raises(ValueError, match=r"row 9 of the source has no column \['prompt'\]"):
        select([*ROWS, {"label": "l0"}], spec(), "p")
    with pytest.raises(ValueError, match=r"no column \['b'\]"):  # a CSV row with more cells than the head
        select([{"a": "1", None: ["2"]}], spec(columns={"prompt": "b"}), "p")


def test_where_compares_as_text():
    rows = [{"prompt": f"{n}", "year": year} for n, year in enumerate([2024, "2024", 2023, None, 2024.5])]
    assert [row["prompt"] for row in select(rows, spec(where={"year": ["2024"]}), "p")] == ["0", "1"]
    assert [row["prompt"] for row in select(rows, spec(where={"year": ["2023", "2024.5"]}), "p")] == ["2", "4"]
    assert len(select(rows, spec(where={"year": [2024]}), "p")) == 2


def test_where_is_not_part_of_a_word_and_contains_is():
    rows = [
        {"prompt": "a", "label": "vanilla_harmful"},
        {"prompt": "b", "label": "harmful"},
        {"prompt": "c", "label": None},
    ]
    assert [row["prompt"] for row in select(rows, spec(where={"label": ["harmful"]}), "p")] == ["b"]
    assert [row["prompt"] for row in select(rows, spec(contains={"label": "harmful"}), "p")] == ["a", "b"]
    assert len(select([{"prompt": "a", "n": 12024}], spec(contains={"n": "2024"}), "p")) == 1


def test_the_count_of_rows_is_held():
    assert select(ROWS, spec(rows=8), "p") == ROWS
    with pytest.raises(ValueError, match="8 rows, where 9 are expected"):
        select(ROWS, spec(rows=9), "p")
    assert len(select(ROWS, spec(where={"label": ["l1"]}, rows=4), "p")) == 4
    with pytest.raises(ValueError, match="the source has 8 rows, where 2210 are expected"):
        select(ROWS, spec(source_rows=2210, where={"label": ["l1"]}, rows=4), "p")
    assert len(select(ROWS, spec(source_rows=8, where={"label": ["l1"]}, rows=4), "p")) == 4
    with pytest.raises(ValueError, match="no row is left after where"):
        select(ROWS, spec(where={"label": ["l2"]}), "p")


def test_a_value_that_is_not_known_is_told_with_its_row():
    rows = [*ROWS, {"prompt": "a", "label": "unharmful"}]
    known = {"where": {"label": ["l0"]}, "leave_out": {"label": ["l1"]}}
    with pytest.raises(ValueError, match="p: row 9 of the source has label 'unharmful', which is none of l0, l1"):
        select(rows, spec(**known), "p")
    assert len(select(ROWS, spec(**known), "p")) == 4
    with pytest.raises(ValueError, match="row 9 of the source has label None"):
        select([*ROWS, {"prompt": "a", "label": None}], spec(**known), "p")


def test_a_filter_of_another_source_says_how_to_drop_it():
    with pytest.raises(ValueError, match=r"no column \['kind'\].*or drop what filters .*`where: null`"):
        select(ROWS, spec(where={"kind": ["a"]}), "p")


# -------------------------------------------------------------------------------------------- rows
def test_prompt_rows():
    columns = {"prompt": "p", "category": "kind"}
    assert prompt_row({"kind": 3, "meta": {"b": 1, "a": "é"}}, columns, "n", " a ") == {
        "id": "n",
        "prompt": " a ",
        "category": "3",
        "answer": None,
        "meta": '{"a": "é", "b": 1}',
    }
    assert prompt_row({}, {"prompt": "p"}, "n", "a")["category"] is None
    for empty in ("", " \n", None, 3):
        with pytest.raises(ValueError, match="n: the prompt is empty"):
            prompt_row({}, columns, "n", empty)
