"""Row files: every format gives the same rows, whatever is in the texts; faults are named with their place."""

import bz2
import csv
import gzip
import io
import json
import lzma
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from thinksafe.data.row_files import parse_rows
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


# Sentences as people write them: a file in another encoding than UTF-8 is never read as something else.
LEGACY = {
    "cp1252": ["façade, é ± µ", "“quoted” – € …", "Wie heißt du? Größe", "señor naïve"],
    "mac_roman": ["don’t say café", "“Größe”"],
    "cp1250": ["zażółć gęślą jaźń", "příliš žluťoučký kůň"],
    "cp1251": ["Как испечь хлеб?"],
    "koi8_r": ["привет, как дела"],
    "gb18030": ["如何烤面包？", "20°C – the temperature “here” is ±1 α", "€ and 𠮷"],
    "gbk": ["图像和汉字的处理方法"],
    "big5": ["如何烤麵包？"],
    "cp932": ["パンの焼き方は？", "これはほんのことです"],
    "euc_jp": ["パンの焼き方は？"],
    "iso2022_jp": ["パンの焼き方は？"],
    "cp949": ["빵을 어떻게 구워요?"],
    "hz": ["如何烤面包"],
}


@pytest.mark.parametrize(("encoding", "text"), [(name, text) for name, texts in LEGACY.items() for text in texts])
def test_another_encoding_is_never_guessed(tmp_path, encoding, text):
    path = tmp_path / "a.csv"
    with pytest.raises(ValueError, match=r"a.csv, line 3: .*`encoding:") as error:
        read(path, f'q,n\nplain,1\n"{text}",2\nmore,3\n'.encode(encoding))
    if encoding not in ("gbk", "mac_roman", "cp1250"):  # of several encodings that fit, some are shown
        assert text[:20] in str(error.value)
    assert source_rows({"file": str(path), "encoding": encoding}, [str(path)])[1] == {"q": text, "n": "2"}


@given(st.integers(0, 10_000), st.sampled_from([b"", b"\xff", b"\x80", b"\xe2\x80", b"\xf0\x9f\x98"]))
def test_one_broken_byte_is_named_by_its_line(place, broken):
    lines = [f'{{"prompt": "façade {n}, 東京 und Größe, don’t"}}' for n in range(20)]
    content = "\n".join(lines).encode()
    place %= len(content)
    content = content[:place] + broken + content[place + 1 :]
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        with pytest.raises(ValueError, match=rf"a.jsonl, line {line}: .* is no character in utf-8; if .* correct that"):
            parse_rows("a.jsonl", content, "a.jsonl")


def test_decoding_is_strict(tmp_path):
    path = tmp_path / "b.csv"
    path.write_bytes("p\nпривет\n".encode("koi8-r"))
    assert source_rows({"file": str(path), "encoding": "koi8-r"}, [str(path)]) == [{"p": "привет"}]
    with pytest.raises(ValueError, match=r"b.csv, line 2: 0xd0, byte 3 of the file, is no character in ascii"):
        source_rows({"file": str(path), "encoding": "ascii"}, [str(path)])
    with pytest.raises(ValueError, match="no encoding is called 'utf8-x'"):
        source_rows({"file": str(path), "encoding": "utf8-x"}, [str(path)])
    with pytest.raises(ValueError, match=r"c.csv, line 2: .* is no character in utf-16"):
        read(tmp_path / "c.csv", "p\nab".encode("utf-16") + b"\x00")


@given(st.lists(st.text(st.characters(codec="utf-8") | st.sampled_from("\ud83d\ude00\udfff"), max_size=4), max_size=3))
def test_half_a_character_is_named_by_its_row(texts):
    rows = [{"prompt": "whole 🤷"}, {"prompt": "", "more": texts}]
    lone = re.search("[\ud800-\udfff]", json.dumps(json.loads(json.dumps(rows)), ensure_ascii=False))
    for name, content in (("a.jsonl", "\n".join(map(json.dumps, rows))), ("a.json", json.dumps(rows))):
        if lone:
            with pytest.raises(ValueError, match=rf"{name}, (line|row) 2: \\u{ord(lone[0]):04x} is half a character"):
                parse_rows(name, content.encode(), name)
        else:
            assert parse_rows(name, content.encode(), name) == rows


def test_a_text_of_parquet_that_is_not_utf8_is_told():
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    out = io.BytesIO()
    pq.write_table(pa.table({"p": data}), out)
    with pytest.raises(ValueError, match="a.parquet: a text after row 0 is not UTF-8"):
        parse_rows("a.parquet", out.getvalue(), "a.parquet")


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_files_give_the_same_rows(tmp_path, ending, pack):
    assert read(tmp_path / f"a.csv{ending}", pack(table(",", "\n").encode())) == ROWS
    assert read(tmp_path / f"a.TSV{ending.upper()}", pack(table("\t", "\n").encode())) == ROWS
    for content in (b"p\na\n", pack(table(",", "\n").encode())[:-9]):
        with pytest.raises(ValueError, match=rf"a.csv{ending}: this is not a whole {ending} file"):
            read(tmp_path / f"a.csv{ending}", content)
    with pytest.raises(ValueError, match=r"cannot read .zip; use one of .* with .gz, .bz2, .xz behind"):
        read(tmp_path / "a.csv.zip", b"PK")


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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", 'p,q\n"a\nb",1\nc, d,2\n', "line 4: 3 fields under 2 columns; a field that holds ','"),
        ("a.csv", "p,q\na,1\nb\nc,d\n", "line 3: 1 fields under 2 columns; .* or a line break must be in quotes"),
        ("a.csv", "p,q\na\rb,1\n", "line 2: rows end with a line feed here"),
        ("a.csv", "p\na\rb\nc\n", "line 2: rows end with a line feed here and with a bare carriage return there"),
        ("a.tsv", 'p\tq\na\t1\n"b\t2\nc\t3\n', "line 3: a quote that opens in this row is never closed"),
        ("a.tsv", 'p\tq\n"a\t1\nb\t2\n"c\t3\n', 'line 2: a field that opens with " must end with it, .* in line 4'),
        ("a.csv", 'p,q\n"Emma" and "Persuasion": which?,1\n', 'line 2: a field that opens with " must end with it'),
        ("a.csv", 'p,q\nx,1\n"say \\"a\\"",1\n', 'line 3: a field that opens with " must end with it'),
        ("a.csv", 'p\na\n"b, who?\nc\n"say d\n', 'line 3: a field that opens with " must end with it'),
    ],
)
def test_faulty_tables_are_named_with_the_place(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=f"{name}, {message}"):
        read(tmp_path / name, content)


def test_what_a_table_may_hold(tmp_path):
    twice = read(tmp_path / "a.csv", "p,q,p\n1,2,3\n")
    assert twice == [{"p (column 1)": "1", "q": "2", "p (column 3)": "3"}]
    # A quote inside an unquoted field is a letter; blank lines are none; the last line may lack its end.
    rows = [{"p": 'say "a"', "q": "1"}, {"p": "b", "q": ""}, {"p": " ", "q": "c"}]
    assert read(tmp_path / "a.tsv", '\np\tq\n\nsay "a"\t1\n  \nb\t\n \tc\n \n') == rows
    assert read(tmp_path / "a.csv", "p,q\ra,1\rb,2") == [{"p": "a", "q": "1"}, {"p": "b", "q": "2"}]  # an old Mac's
    with pytest.raises(ValueError, match="a.parquet: this is not Parquet"):
        read(tmp_path / "a.parquet", b"PAR1")


TEXT = st.text(
    st.sampled_from("ab ,\t\n\r\"'\\#é🤷") | st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=9
)
CELLS = st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(TEXT, min_size=width, max_size=width), max_size=5))


@given(CELLS, st.sampled_from([".csv", ".tsv"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_a_writer_of_tables_writes_is_read(cells, name, end, every):
    assume(all(len(row) > 1 or row[0].strip() or any(code in row[0] for code in "\r\n") for row in cells))
    assume(end != "\n" or every or "\r" not in "".join(map("".join, cells)))  # Python's writer leaves those unquoted
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL
    head = [f"column {n}" for n in range(len(cells[0]) if cells else 1)]
    csv.writer(out, delimiter="," if name == ".csv" else "\t", lineterminator=end, quoting=quoting).writerows(
        [head, *cells]
    )
    assert parse_rows(f"a{name}", out.getvalue().encode(), "a") == [dict(zip(head, row, strict=True)) for row in cells]


PLAIN = st.text(st.sampled_from('ab ,"\n'), max_size=6)


@given(
    st.lists(st.tuples(PLAIN, PLAIN), min_size=1, max_size=5),
    st.integers(0, 999),
    st.sampled_from('"\nx,'),
    st.booleans(),
)
def test_a_slip_in_a_table_is_an_error_or_stays_in_its_row(cells, place, letter, every):
    """One letter put in or dropped anywhere: no rows are merged, lost or moved to other columns without an error."""
    assume(all(p.strip() or q.strip() for p, q in cells))  # what is left of others may be a blank line
    cells = [*cells, ("it is, by the way, quoted", "x")]
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL
    csv.writer(out, lineterminator="\n", quoting=quoting).writerows([("p", "q"), *cells])
    text, before = out.getvalue(), [{"p": p, "q": q} for p, q in cells]
    begin = text.index("\n") + 1
    place = begin + place % (len(text) - begin)
    for slip in (text[:place] + letter + text[place:], text[:place] + text[place + 1 :]):
        try:
            after = parse_rows("a.csv", slip.encode(), "a.csv")
        except ValueError as error:
            assert re.match(r"a.csv, line \d+: ", str(error))
            continue
        assert len(after) == len(before)
        assert sum(one != other for one, other in zip(after, before, strict=True)) <= 1


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
