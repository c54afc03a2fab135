"""Figure 2: one prompt and its responses, and the cards that show them."""

import pytest

from scripts.figures.plot_samples import plot_samples
from scripts.tables.write_figure2_table import beginning, write_figure2_table
from tests.figures.drawing import drawn_twice
from thinksafe.files import read_json, write_rows

SAID = {"id": str, "draw": int, "prompt": str, "response": str, "tokens": int, "finish_reason": str}


JUDGED = {"id": str, "draw": int, "harm": str, "p_unsafe": float}


FIGURE2 = {"student": "Qwen3-0.6B", "teacher": ["SafeChain's set", "safechain"], "instruction": "Refuse.\n\n{prompt}"}


def voice(folder, name, verdicts, draws=1):
    """Write what one voice said to a prompt for each verdict, later draws being of no account."""
    said, judged = [], []
    for place, harm in enumerate(verdicts):
        for draw in range(draws):
            key = {"id": f"{name}-{place}", "draw": draw}
            text = f"<think>\n{name} $THOUGHT {place}\n</think>\n\nSECRET {'x ' * 200}" if not draw else "nothing"
            said.append(key | {"prompt": f"HARM {place}", "response": text, "tokens": 9, "finish_reason": "stop"})
            judged.append(key | {"harm": harm if not draw else "safe", "p_unsafe": 0.25})
    files = {"responses": [str(folder / f"{name}.parquet")], "verdicts": [str(folder / f"{name}-verdicts.parquet")]}
    write_rows(files["responses"][0], said, SAID)
    write_rows(files["verdicts"][0], judged, JUDGED)
    return files


def samples(voices, table, public=False):
    given = {f"teacher_{kind}": [] for kind in ("responses", "verdicts")}
    given |= {f"{name}_{kind}": paths for name, files_ in voices.items() for kind, paths in files_.items()}
    write_figure2_table(**given, public=public, json=table)


def test_figure2_shows_what_steering_does(tmp_path):
    voices = {
        "teacher": voice(tmp_path, "teacher", ["safe", "unsafe", "safe", "safe"]),
        "direct": voice(tmp_path, "direct", ["safe", "unsafe", "unsafe", "unsafe"], draws=5),
        "steered": voice(tmp_path, "steered", ["safe", "safe", "safe", "unsafe"]),
    }
    table = str(tmp_path / "figure2.json")
    samples(voices, table)
    found = read_json(table)
    assert (found["id"], found["prompt"]) == ("direct-2", "HARM 2")  # the only one that shows it
    assert (found["prompts"], found["shared"], found["shows"]) == (4, 4, 1)
    rows = {row["voice"]: row for row in found["rows"]}
    assert list(rows) == ["teacher", "direct", "steered"]
    assert [rows[name]["harm"] for name in rows] == ["safe", "unsafe", "safe"]
    assert rows["direct"]["reasoning"] == "direct $THOUGHT 2" and len(rows["direct"]["answer"]) < 125  # never whole
    drawn_ = drawn_twice(tmp_path, "figure2", plot_samples, table, FIGURE2)
    samples(voices, table, public=True)
    text = (tmp_path / "figure2.json").read_text()
    assert not any(word in text for word in ("HARM", "THOUGHT", "SECRET")) and '"p_unsafe": 0.25' in text
    plot_samples(table, FIGURE2, str(tmp_path / "public.png"), str(tmp_path / "public.pdf"))
    assert (tmp_path / "public.png").read_bytes() != drawn_[0]


def test_figure2_where_nothing_shows_it_or_nobody_teaches(tmp_path):
    voices = {"direct": voice(tmp_path, "direct", ["safe"] * 3), "steered": voice(tmp_path, "steered", ["safe"] * 3)}
    table = str(tmp_path / "figure2.json")
    samples(voices, table)
    found = read_json(table)
    assert found["shows"] == 0 and [row["voice"] for row in found["rows"]] == ["direct", "steered"]
    plot_samples(table, FIGURE2 | {"teacher": None}, str(tmp_path / "f.png"), str(tmp_path / "f.pdf"))
    # A published set has no verdicts, and may be of other prompts.
    published = tmp_path / "published.parquet"
    columns = {"id": str, "role": str, "prompt": str, "response": str}
    row = {"id": "0", "role": "harmful", "prompt": "HARM 1", "response": "<think>\na\n</think>\n\nb"}
    for prompt, names in (("HARM 1", ["teacher", "direct", "steered"]), ("other", ["direct", "steered"])):
        write_rows(published, [row | {"prompt": prompt}], columns)
        teacher = {"responses": [str(published)], "verdicts": []}
        samples({"teacher": teacher} | voices, table)
        assert [entry["voice"] for entry in read_json(table)["rows"]] == names
    with pytest.raises(ValueError, match="no prompt was answered both"):
        other = voices["steered"] | {"responses": [str(published)]}
        samples({"direct": voices["direct"], "steered": other}, table)


def test_a_beginning_ends_between_words():
    assert beginning("a  b\nc", "answer") == "a b c" and beginning(None, "answer") is None
    assert beginning("word " * 100, "answer").endswith("word …")
