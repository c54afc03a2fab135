"""The journal keeps whole batches only, never reads what is broken or another's, and has one writer."""

import json
import multiprocessing

import pytest

from thinksafe.jobs.journal import Journal, JournalBusyError
from thinksafe.jobs.records import remove_unfinished

ROWS = [{"n": n, "text": f"row {n} é\u2028\n\"'\\ {'x' * n}"} for n in range(12)]


def filled(output, rows=ROWS, key="key", batch=3):
    with Journal(output, key, batch) as journal:
        for start in range(0, len(rows), batch):
            journal.append(rows[start : start + batch])
        return journal.path


def read(output, key="key", batch=3):
    with Journal(output, key, batch) as journal:
        return journal.rows


@pytest.fixture
def output(tmp_path):
    return tmp_path / "made" / "part-0.parquet"


def test_rows_come_back_and_more_can_follow(output):
    filled(output, ROWS[:6])
    with Journal(output, "key", 3) as journal:
        assert journal.rows == ROWS[:6]
        journal.append(ROWS[6:9])
    assert read(output) == ROWS[:9]


def test_the_journal_is_not_the_output_and_goes_alone(output):
    old = filled(output, key="old")
    neighbour = filled(output.with_name("part-00.parquet"))
    checkpoints = output.with_name(".part-0.parquet.new.checkpoints")
    (checkpoints / "checkpoint-3").mkdir(parents=True)
    with Journal(output, "new", 3) as journal:
        assert journal.rows == [] and not output.exists()
    remove_unfinished({"outputs": [str(output)]}, "new")
    assert not journal.path.exists() and not checkpoints.exists() and old.exists() and neighbour.exists()
    assert read(output, key="old") == ROWS


def test_a_journal_of_another_key_is_never_read_and_found_again_when_the_key_returns(output):
    filled(output, key="a")
    assert read(output, key="b") == []
    assert read(output, key="a") == ROWS


@pytest.mark.parametrize("lost", [1, 2, 17, 40, 95])
def test_of_a_batch_that_was_cut_off_nothing_is_kept(output, lost):
    path = filled(output)
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    with Journal(output, "key", 3) as journal:
        assert journal.rows == ROWS[:9]
        journal.append(ROWS[9:])
    assert path.read_bytes() == whole


def test_an_incomplete_batch_of_whole_records_is_redone(output):
    path = filled(output)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:8]))
    assert read(output) == ROWS[:6]


def test_a_flipped_byte_ends_what_is_read_wherever_it_is(output):
    path = filled(output)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    ends = [sum(map(len, lines[: n + 1])) for n in range(len(lines))]
    for place in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[place] ^= 0x15
        path.write_bytes(broken)
        record = next(n for n, end in enumerate(ends) if place < end)
        assert read(output) == ROWS[: record - record % 3], place


def test_records_out_of_thin_air_are_not_read(output):
    path = filled(output, ROWS[:3])
    with open(path, "ab") as handle:
        handle.write(b"\n" + json.dumps(ROWS[3]).encode() + b"\n\0\0\0\0\0\0")
    assert read(output) == ROWS[:3]


def test_texts_that_are_no_unicode_survive(output):
    filled(output, [{"text": "\ud800 alone"}], batch=1)
    assert read(output, batch=1) == [{"text": "\ud800 alone"}]


def _hold(output, taken, done):
    with Journal(output, "key", 3) as journal:
        journal.append(ROWS[:3])
        taken.set()
        done.wait(20)


def test_the_second_writer_is_turned_away_and_changes_nothing(output):
    context = multiprocessing.get_context("fork")
    taken, done = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(output, taken, done))
    holder.start()
    try:
        assert taken.wait(20)
        with pytest.raises(JournalBusyError, match="another job is writing it now"):
            Journal(output, "key", 3)
    finally:
        done.set()
        holder.join()
    assert read(output) == ROWS[:3]


def test_a_writer_that_comes_as_the_journal_is_removed_does_not_write_into_nothing(output, monkeypatch):
    from thinksafe import files

    def remove_first(handle, how):
        next(output.parent.glob(".*.journal")).unlink()

    monkeypatch.setattr(files.fcntl, "flock", remove_first)
    with pytest.raises(JournalBusyError):
        Journal(output, "key", 3)
