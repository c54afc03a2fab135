"""Prompt sources: which rows a filter keeps, and how faults are named."""

import gzip
from dataclasses import fields, replace
from io import BytesIO

import pytest
import yaml
from pyarrow import Table, parquet

from thinksafe.data import sources
from thinksafe.data.row_files import parse_rows
from thinksafe.data.sources import prompt_row, select, source_rows

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


# -------------------------------------------------------------------------------------------- the hub
PLAIN = "prompt,n\n'How?',1\nNA,025\n"


def on_the_hub(folder, monkeypatch, settings, name="a.csv", content=PLAIN, **source):
    """Return the rows of a data set with one file and a card."""
    card = {"configs": [{"config_name": "default", "data_files": [{"split": "train", "path": name}], **settings}]}
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n")
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(sources, "cached_snapshot", lambda *_: folder)
    return source_rows({"hub": "their/set", "split": "train"} | source, [])


@pytest.mark.parametrize(
    ("settings", "content"),
    [
        ({}, PLAIN),
        ({"sep": "\t", "quoting": 3}, 'prompt\tn\n"To be\t1\n"or not\t2\n'),
        ({"delimiter": "|"}, "prompt|n\na,b|2\n"),
        ({"quotechar": "'"}, "prompt,n\n'a, ''b''',2\n"),
        ({"escapechar": "\\"}, 'prompt,n\n"a \\"b\\" \\\\",2\nc\\,d,3\n'),
        ({"doublequote": False, "escapechar": "\\"}, 'prompt,n\n"a \\"b\\"",2\n'),
        ({"skipinitialspace": True}, 'prompt, n\n"a", "b, c"\n'),
        ({"encoding": "cp1251"}, "prompt,n\nпривет,2\n".encode("cp1251")),
        ({"comment": "#"}, '#draft\nprompt,n\n# draft,none\n"C# or not",2\n#\nb,3\n'),
        ({"nrows": 1}, PLAIN),
        ({"skiprows": 2}, "title\n\nprompt,n\na,2\n"),
        ({"skipfooter": 1, "engine": "python"}, "prompt,n\na,2\nthe end\n"),
        ({"header": 1}, "title,\nprompt,n\na,2\n"),
        ({"header": None}, "a,2\nb,3\n"),
        ({"names": ["prompt", "n"]}, "a,2\nb,3\n"),
        ({"column_names": ["prompt", "n"], "header": 0}, "x,y\na,2\nb,3\n"),
        ({"quoting": 2}, '"prompt","n"\n"a",2\n'),
        ({"thousands": ",", "true_values": ["yes"], "keep_default_na": False}, 'prompt,n\nyes,"1,234"\n'),
    ],
)
def test_a_card_says_how_a_table_is_read(tmp_path, monkeypatch, settings, content):
    import pandas

    (tmp_path / "plain.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    names = {"delimiter": "sep", "column_names": "names"}
    unread = ("true_values", "thousands", "keep_default_na")
    theirs = {names.get(key, key): value for key, value in settings.items() if key not in unread}
    found = pandas.read_csv(tmp_path / "plain.csv", dtype=str, na_filter=False, **theirs).rename(columns=str)
    ours = on_the_hub(tmp_path, monkeypatch, settings, content=content)
    assert ours == found.to_dict("records") and ours


def test_values_that_a_card_calls_absent_are_none(tmp_path, monkeypatch):
    content = "prompt,n\na,-\nNA,?\n"
    assert on_the_hub(tmp_path, monkeypatch, {"na_values": "-"}, content=content)[0] == {"prompt": "a", "n": None}
    found = on_the_hub(tmp_path, monkeypatch, {"na_values": ["-", "?"]}, content=content)
    assert found == [{"prompt": "a", "n": None}, {"prompt": "NA", "n": None}]


def test_every_setting_of_a_card_is_obeyed_or_without_effect_or_named():
    """Also one that a later version of `datasets` adds."""
    from datasets.packaged_modules.csv.csv import CsvConfig
    from datasets.packaged_modules.json.json import JsonConfig

    for kind, obeyed in (CsvConfig, {"encoding", *sources.TABLE}), (JsonConfig, {"encoding", "field"}):
        for one in (one for one in fields(kind) if one.name != "data_files"):
            settings = replace(kind(), **{one.name: ";"})
            if one.name in sources.UNUSED | obeyed:
                given = sources._card_settings(settings, "set")
                assert (";" in str(given)) == (one.name in obeyed | {"delimiter", "column_names"}), one.name
            else:
                with pytest.raises(ValueError, match=f"set: its card says {one.name}: ';', which is not supported"):
                    sources._card_settings(settings, "set")
    for name, value in {"sep": "\\s+", "header": [0, 1], "skiprows": [3], "na_values": {"n": "-"}}.items():
        with pytest.raises(ValueError, match=f"set: its card says {name}: "):
            sources._card_settings(CsvConfig(**{name: value}), "set")


def test_a_comment_inside_a_row_is_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="data set their/set, a.csv, line 3: '#' is inside a row"):
        on_the_hub(tmp_path, monkeypatch, {"comment": "#"}, content="prompt,n\na,1\nC# or not,2\n")


def test_other_files_of_the_hub(tmp_path, monkeypatch):
    rows = [{"prompt": "NA", "n": "025"}, {"prompt": "null", "n": "3.10"}]
    table = "prompt,n\nNA,025\nnull,3.10\n"
    assert on_the_hub(tmp_path, monkeypatch, {}, "a.csv.gz", gzip.compress(table.encode())) == rows
    assert on_the_hub(tmp_path, monkeypatch, {}, "a.tsv", table.replace(",", "\t")) == rows
    packed = BytesIO()
    parquet.write_table(Table.from_pylist(rows), packed)
    assert on_the_hub(tmp_path, monkeypatch, {}, "a.parquet", packed.getvalue()) == rows
    some = {"filters": [["n", "==", "025"]]}
    assert on_the_hub(tmp_path, monkeypatch, some, "a.parquet", packed.getvalue()) == rows[:1]
    # The source's own word counts.
    cyrillic = "prompt\nпривет\n".encode("koi8_r")
    assert on_the_hub(tmp_path, monkeypatch, {}, content=cyrillic, encoding="koi8_r") == [{"prompt": "привет"}]
    nested = '{"version": 1, "data": [{"prompt": "NA", "n": 3.10}]}'
    assert on_the_hub(tmp_path, monkeypatch, {"field": "data"}, "a.json", nested) == [{"prompt": "NA", "n": "3.10"}]
    with pytest.raises(ValueError, match="a.json: has no field 'rows', under which"):
        parse_rows("a.json", nested.encode(), "a.json", field="rows")
    assert on_the_hub(tmp_path, monkeypatch, {}, "a.txt", "one\ntwo\n") == [{"text": "one"}, {"text": "two"}]
    with pytest.raises(ValueError, match="has no split 'test' but 'train'; correct `split`"):
        on_the_hub(tmp_path, monkeypatch, {}, split="test")
