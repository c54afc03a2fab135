"""Row files: every format gives the same rows, whatever is in the texts; faults are named with their place."""

import csv
import io
import json

import pytest

from thinksafe.data.sources import select, source_rows

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


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json"])
def test_every_unicode_encoding_gives_the_same_rows(tmp_path, name, encoding):
    text = {
        "a.csv": table(",", "\n"),
        "a.tsv": table("\t", "\r\n"),
        "a.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS),
        "a.json": json.dumps(ROWS, ensure_ascii=False),
    }[name]
    assert read(tmp_path / name, text.encode(encoding)) == ROWS


def test_another_encoding_is_assumed_by_rule_and_said(tmp_path, capfd):
    latin = 'Question,n\nplain,1\n"façade, é ± µ",2\n'
    rows = [{"Question": "plain", "n": "1"}, {"Question": "façade, é ± µ", "n": "2"}]
    assert read(tmp_path / "a.csv", latin.encode("latin-1")) == rows
    said = capfd.readouterr().err
    assert "a.csv: is not UTF-8 (line 3), taken for cp1252, in which" in said and "façade" in said
    assert read(tmp_path / "b.csv", "p\n“quoted” – € …\n".encode("cp1252")) == [{"p": "“quoted” – € …"}]
    assert read(tmp_path / "b.csv", b"p\n\xe9\x81\n") == [{"p": "é\x81"}]
    assert "taken for latin-1" in capfd.readouterr().err
    assert read(tmp_path / "c.jsonl", '{"prompt": "é"}'.encode("latin-1")) == [{"prompt": "é"}]
    capfd.readouterr()
    assert read(tmp_path / "d.csv", "p\né\n") == [{"p": "é"}]
    assert not capfd.readouterr().err  # UTF-8 needs no word


def test_decoding_is_strict(tmp_path):
    path = tmp_path / "b.csv"
    path.write_bytes("p\nпривет\n".encode("koi8-r"))
    assert source_rows({"file": str(path), "encoding": "koi8-r"}, [str(path)]) == [{"p": "привет"}]
    with pytest.raises(ValueError, match=r"b.csv, line 2: byte 0xd0 is no character in ascii"):
        source_rows({"file": str(path), "encoding": "ascii"}, [str(path)])
    with pytest.raises(ValueError, match="no encoding is called 'utf8-x'"):
        source_rows({"file": str(path), "encoding": "utf8-x"}, [str(path)])


ASIS = ["NA", "None", "null", "nan", "", "025", "1,234", "3.10", "1e5", "True", "#### 7", r"\frac{1}{2} \n \\", " x "]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "b.json", "a.parquet"])
def test_values_stay_the_texts_that_they_are(tmp_path, name):
    rows = [{"id": "7", "answer": text} for text in ASIS]  # one id for all
    if name.endswith("sv"):
        out = io.StringIO(newline="")
        writer = csv.writer(out, delimiter="\t" if name == "a.tsv" else ",")
        writer.writerows([["id", "answer"], *(row.values() for row in rows)])
        content = out.getvalue()
    elif name == "a.parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
        content = (tmp_path / name).read_bytes()
    elif name == "a.jsonl":
        content = "\n".join(map(json.dumps, rows))
    else:
        content = json.dumps(
            rows if name == "a.json" else {key: [row[key] for row in rows] for key in ("id", "answer")}
        )
    assert read(tmp_path / name, content) == rows


def test_numbers_of_a_json_file_are_the_texts_that_they_are_written_in(tmp_path):
    rows = read(tmp_path / "a.jsonl", '{"answer": 3.10, "n": 12345678901234567890, "none": null, "yes": true}')
    assert rows == [{"answer": "3.10", "n": "12345678901234567890", "none": None, "yes": True}]


def test_the_shapes_of_a_json_file(tmp_path):
    rows = [{"prompt": "a", "n": "1"}, {"prompt": "b", "n": "2"}]
    shapes = {
        "list": rows,
        "columns": {"prompt": ["a", "b"], "n": [1, 2]},
        "columns by number, as pandas writes": {"prompt": {"0": "a", "1": "b"}, "n": {"0": 1, "1": 2}},
        "a list under a name": {"data": rows},
    }
    for shape, content in shapes.items():
        assert read(tmp_path / "a.json", json.dumps(content)) == rows, shape
    assert read(tmp_path / "a.json", "\n".join(map(json.dumps, rows))) == rows  # lines under the name of .json
    for content in ({"prompt": ["a"], "n": [1, 2]}, {"prompt": {"0": "a"}, "n": {"1": 1}}, {"prompt": "a"}, ["a"], 3):
        with pytest.raises(ValueError, match="a.json: a JSON source must be a list of objects"):
            read(tmp_path / "a.json", json.dumps(content))


def test_faulty_tables_are_named_with_the_place(tmp_path):
    with pytest.raises(ValueError, match=r"a.csv, line 4: 3 fields under 2 columns; a field that holds ','"):
        read(tmp_path / "a.csv", 'p,q\n"a\nb",1\nc, d,2\n')
    with pytest.raises(ValueError, match=r"a.tsv, line 3: a quote that opens in this row is never closed"):
        read(tmp_path / "a.tsv", 'p\tq\na\t1\n"b\t2\nc\t3\n')
    twice = read(tmp_path / "a.csv", "p,q,p\n1,2,3\n")
    assert twice == [{"p (column 1)": "1", "q": "2", "p (column 3)": "3"}]
    # A quote inside an unquoted field is a letter; a field that is missing at the end is none.
    assert read(tmp_path / "a.tsv", 'p\tq\nsay "a\t1\nb\n') == [{"p": 'say "a', "q": "1"}, {"p": "b", "q": None}]
    with pytest.raises(ValueError, match="a.parquet: this is not Parquet"):
        read(tmp_path / "a.parquet", b"PAR1")


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv"])
def test_an_empty_file_is_named_by_its_setting(tmp_path, name):
    rows = read(tmp_path / name, "")
    with pytest.raises(ValueError, match=f"prompts.harmful: the source .*{name}.* has no rows"):
        select(rows, {"source": {"file": name}, "columns": {"prompt": "prompt"}}, "prompts.harmful")


def test_faulty_files_are_named_with_the_place(tmp_path):
    with pytest.raises(ValueError, match=r"a.jsonl, line 3: this is not JSON"):
        read(tmp_path / "a.jsonl", '{"prompt": "a"}\n\n{"prompt": \n')
    with pytest.raises(ValueError, match=r"a.jsonl, line 2: a row must be a JSON object"):
        read(tmp_path / "a.jsonl", '{"prompt": "a"}\n"b"\n')
    with pytest.raises(ValueError, match=r"a.json: this is not JSON"):
        read(tmp_path / "a.json", "[{]")
    with pytest.raises(ValueError, match=r"cannot read .xlsx; use"):
        read(tmp_path / "a.xlsx", "")
