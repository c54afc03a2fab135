"""Files are written completely or not at all."""

import errno
import os

import pytest

from thinksafe.files import atomic, read_json, read_rows, write_json, write_rows


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "facts.json"
    write_json(path, {"n": 1})
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        write_json(path, {"n": 2})

    assert read_json(path) == {"n": 1}
    assert os.listdir(tmp_path) == ["facts.json"]


def test_a_full_disk_keeps_the_journal(tmp_path, monkeypatch):
    from thinksafe.jobs.journal import Journal

    output = tmp_path / "part-0.parquet"
    with Journal(output, "key", 2) as journal:
        journal.append([{"n": 0}, {"n": 1}])
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_rows(output, [{"n": row["n"]} for row in journal.rows], {"n": int})
    monkeypatch.undo()

    assert not output.exists()
    with Journal(output, "key", 2) as journal:
        assert journal.rows == [{"n": 0}, {"n": 1}]


def test_an_error_while_writing_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), atomic(tmp_path / "table.csv") as temporary:
        temporary.write_text("half")
        raise KeyError("interrupted")

    assert os.listdir(tmp_path) == []


def test_rows_come_back_as_they_went(tmp_path):
    rows = [{"id": "a", "n": 1, "p": 0.5, "ok": True}, {"id": "🐉\u2028", "n": None, "p": None, "ok": None}]
    write_rows(tmp_path / "rows.parquet", rows, {"id": str, "n": int, "p": float, "ok": bool})

    assert read_rows([tmp_path / "rows.parquet"] * 2) == rows * 2


def test_equal_values_give_equal_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [2]})
    write_json(tmp_path / "b.json", {"a": [2], "b": 1})

    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
