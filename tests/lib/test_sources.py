"""Prompt sources: every format gives the same rows, whatever stands in the texts; faults are named where they are."""

import csv
import hashlib
import io
import json

import pytest

from scripts.lib import sources
from scripts.lib.sources import prompt_row, select, source_rows

TEXTS = [
    "He said \"no\", twice; 'really'?",
    "two\nlines\n\nand a blank one",
    "line\u2028separator, next\u0085line, form\x0cfeed",
    "emoji 🤷🏽‍♀️ and ｜bars｜ é",
    "x" * 50_000,
    "tab\there, comma, back\\slash {braces}",
    "twice",
    "twice",
]
ROWS = [{"prompt": text, "label": f"l{n % 2}"} for n, text in enumerate(TEXTS)]


def read(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return source_rows({"file": str(path)}, [str(path)])


def table(delimiter, end):
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["prompt", "label"], delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_text_formats_give_the_same_rows(tmp_path, end, bom):
    lines = end.join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    assert read(tmp_path / "a.jsonl", bom + lines) == ROWS
    assert read(tmp_path / "b.jsonl", bom + lines + end + end) == ROWS
    assert read(tmp_path / "a.json", bom + json.dumps(ROWS, indent=1).replace("\n", end)) == ROWS
    assert read(tmp_path / "a.csv", bom + table(",", end)) == ROWS
    assert read(tmp_path / "a.TSV", bom + table("\t", end)) == ROWS


def test_line_ends_inside_a_csv_field_stay_what_they_are(tmp_path):
    assert read(tmp_path / "a.csv", 'prompt,n\r\n"a\r\nb\nc",1\r\n') == [{"prompt": "a\r\nb\nc", "n": "1"}]


def test_parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    assert source_rows({"world": "x"}, [str(tmp_path / "a.parquet")]) == ROWS


def test_a_file_that_is_not_utf8_is_read_as_latin_1(tmp_path):
    assert read(tmp_path / "a.csv", "prompt\nfaçade é\n".encode("latin-1")) == [{"prompt": "façade é"}]
    assert read(tmp_path / "a.jsonl", '{"prompt": "é"}'.encode("latin-1")) == [{"prompt": "é"}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv"])
def test_an_empty_file_is_named_by_its_setting(tmp_path, name):
    rows = read(tmp_path / name, "")
    with pytest.raises(ValueError, match=f"prompts.harmful: the source .*{name}.* has no rows"):
        select(rows, spec(source={"file": name}), "prompts.harmful")


def test_faulty_files_are_named_with_the_place(tmp_path):
    with pytest.raises(ValueError, match=r"a.jsonl, line 3: this is not JSON"):
        read(tmp_path / "a.jsonl", '{"prompt": "a"}\n\n{"prompt": \n')
    with pytest.raises(ValueError, match=r"a.jsonl, line 2: a row must be a JSON object"):
        read(tmp_path / "a.jsonl", '{"prompt": "a"}\n"b"\n')
    with pytest.raises(ValueError, match=r"a.json: this is not JSON"):
        read(tmp_path / "a.json", "[{]")
    for text in ('{"prompt": "a"}', '["a"]'):
        with pytest.raises(ValueError, match=r"a.json: a JSON source must be a list of objects"):
            read(tmp_path / "a.json", text)
    with pytest.raises(ValueError, match=r"cannot read .xlsx; use"):
        read(tmp_path / "a.xlsx", "")


def test_a_download_must_be_the_pinned_one(monkeypatch):
    import httpx

    content = b'[{"prompt": "a"}]'
    answer = httpx.Response(200, content=content, request=httpx.Request("GET", "https://x.org"))
    monkeypatch.setattr(httpx, "get", lambda *args, **kwargs: answer)
    source = {"url": "https://x.org/a.json?raw=1", "sha256": hashlib.sha256(content).hexdigest()}
    assert source_rows(source, []) == [{"prompt": "a"}]
    with pytest.raises(ValueError, match="not the pinned 00"):
        source_rows(source | {"sha256": "00"}, [])
    assert sources.source_rows is source_rows


# -------------------------------------------------------------------------------------------- select
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
    with pytest.raises(ValueError, match="no row is left after where"):
        select(ROWS, spec(where={"label": ["l2"]}), "p")


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


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_prompts_are_numbered_in_the_order_of_the_source(tmp_path, suffix):
    from scripts.lib.files import read_rows
    from scripts.prepare_prompts import prepare_prompts

    path = tmp_path / f"p.{suffix}"
    path.write_bytes((table(",", "\n") if suffix == "csv" else "\n".join(map(json.dumps, ROWS))).encode())
    settings = spec(role="harmful", source={"file": str(path)}, columns={"prompt": "prompt", "category": "label"})
    prepare_prompts([str(path)], settings, str(tmp_path / "out.parquet"), lambda done, total: None)
    made = read_rows(tmp_path / "out.parquet")
    assert [row["prompt"] for row in made] == TEXTS
    assert [row["id"] for row in made] == [f"harmful-{n:06d}" for n in range(8)]
    assert [row["category"] for row in made] == ["l0", "l1"] * 4
