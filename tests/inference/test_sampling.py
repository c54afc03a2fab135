"""Sampling: which prompts; jobs that are killed or stopped keep what they had finished, and give the same bytes."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch

from tests import tiny
from thinksafe.files import read_rows
from thinksafe.inference.sampling import sample, shard_of
from thinksafe.jobs import signals
from thinksafe.jobs.journal import Journal
from thinksafe.jobs.log import Progress

torch.set_num_threads(1)
BATCH = 4
KILLS = 12  # for each of the two families
PROMPTS = [{"id": f"p{n}", "prompt": f"How do I fix gate {n}? 🚪 {'the ' * (n % 9)}"} for n in range(30)]
PROMPTS.insert(7, {"id": "long", "prompt": "x " * 600})  # leaves no room for a response
SPEC = {
    "steering": "Refuse.\n{prompt}",
    "samples": 2,
    "sampling": {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "max_tokens": 32},
    "engine": {"name": "transformers", "dtype": "float32", "batch_size": BATCH, "tensor_parallel": 1},
    "seed": [0, "data"],
}


@pytest.fixture(scope="module", params=["qwen3", "r1"])
def folder(request, tmp_path_factory):
    return str(tiny.make_model(tmp_path_factory.mktemp("model") / request.param, request.param, stop_boost=1.0))


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    """The bytes of a run that nothing disturbs, and the seconds that it takes."""
    output = tmp_path_factory.mktemp("undisturbed") / "part-0.parquet"
    began = time.monotonic()
    sample(PROMPTS, folder, SPEC, str(output), "key")
    assert {path.name for path in output.parent.iterdir()} == {"part-0.parquet", ".part-0.parquet.key.journal"}
    return output.read_bytes(), time.monotonic() - began


def forked(work, *arguments) -> int:
    """Run ``work`` in a child, which has torch imported already, and return its number."""
    child = os.fork()
    if not child:
        status = 99
        try:
            torch.set_num_threads(1)
            status = work(*arguments) or 0
        finally:
            os._exit(status)
    return child


def job(folder, output, every=None, driver=0):
    """A job as `thinksafe.jobs.run.run` runs it, without log and records; ``every`` is called with what is done."""
    signals.end_with(driver)
    progress = Progress("test", every=1000)

    def tell(done, total):
        if every:
            every(done)
        progress(done, total)

    try:
        sample(PROMPTS, folder, SPEC, str(output), "key", progress=tell)
    except signals.Stopped:
        return 143
    return 0


def kept(output):
    """How many rows are safe in the journal, read as the next attempt will read it."""
    if not list(Path(output).parent.glob(".*.journal")):
        return 0
    with Journal(output, "key", BATCH) as journal:
        return len(journal.rows)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 50])
def test_shards_are_all_rows_in_order_and_of_one_size(count):
    shards = [shard_of([{"id": n} for n in range(count)], shard, 8) for shard in range(8)]
    assert [row["id"] for shard in shards for row in shard] == list(range(count))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_the_rows_are_as_they_should_be(undisturbed, folder, tmp_path):
    (tmp_path / "a.parquet").write_bytes(undisturbed[0])
    rows = read_rows(tmp_path / "a.parquet")
    assert [(row["id"], row["draw"]) for row in rows] == [(p["id"], d) for p in PROMPTS for d in range(2)]
    assert len({row["seed"] for row in rows}) == len(rows)
    for row in rows:
        if row["id"] == "long":
            assert row["finish_reason"] == "prompt_too_long" and row["response"] == "" and row["logprob"] is None
            continue
        assert row["asked"] == "Refuse.\n" + row["prompt"] and row["logprob"] < 0 < row["tokens"] <= 32
    responses = [row["response"] for row in rows if row["id"] != "long"]
    assert len(set(responses)) > 25
    assert all(text.startswith("<think>\n") for text in responses) == folder.endswith("r1")


def test_no_room_for_any_response_is_an_error(folder, tmp_path):
    spec = SPEC | {"sampling": SPEC["sampling"] | {"max_tokens": 100_000}}
    with pytest.raises(ValueError, match="no prompt has room.*max_tokens is 100000.*context.*set sampling"):
        sample(PROMPTS[:2], folder, spec, str(tmp_path / "part-0.parquet"), "key")
    assert not (tmp_path / "part-0.parquet").exists()


@pytest.mark.slow
def test_killed_at_random_again_and_again_the_bytes_are_the_same(folder, undisturbed, tmp_path):
    expected, seconds = undisturbed
    chance = random.Random(20)
    output = tmp_path / "part-0.parquet"
    kills, advanced = 0, 0
    while kills < KILLS or not output.exists():
        before = kept(output)
        child = forked(job, folder, output)
        if kills < KILLS:
            time.sleep(chance.uniform(0.02, 0.6 * seconds))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and not output.exists():
            assert os.WTERMSIG(status) == signal.SIGKILL
            kills += 1
            assert kept(output) >= before  # nothing that was safe is lost
            advanced += kept(output) > before
        else:  # came to its end before the kill, or in the moment of it
            assert output.read_bytes() == expected
            if kills < KILLS:
                for path in tmp_path.iterdir():
                    path.unlink()
    assert advanced >= 3
    assert output.read_bytes() == expected
    # Until the job's identity is written; a last batch that is not full would be sampled again.
    assert kept(output) == 2 * len(PROMPTS) // BATCH * BATCH


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_journal_costs_batches_and_no_bytes(folder, undisturbed, tmp_path, damage):
    output = tmp_path / "part-0.parquet"

    def stop(done, total):
        if done >= 4 * BATCH:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(PROMPTS, folder, SPEC, str(output), "key", progress=stop)
    journal = next(tmp_path.glob(".*.journal"))
    content = bytearray(journal.read_bytes())
    if damage == "cut":
        content = content[:-30]
    else:
        content[len(content) // 2] ^= 1
    journal.write_bytes(content)
    assert 0 < kept(output) < 4 * BATCH
    seen = []
    sample(PROMPTS, folder, SPEC, str(output), "key", progress=lambda done, total: seen.append(done))
    assert 0 < seen[0] < 4 * BATCH and output.read_bytes() == undisturbed[0]


def test_a_journal_of_other_settings_is_not_read(folder, undisturbed, tmp_path):
    output = tmp_path / "part-0.parquet"
    with Journal(output, "other", BATCH) as journal:
        journal.append([{"response": "wrong", "tokens": 1, "finish_reason": "stop", "logprob": 0.0}] * BATCH)
    sample(PROMPTS, folder, SPEC, str(output), "key")
    assert output.read_bytes() == undisturbed[0]


# -------------------------------------------------------------------------------------------- asked to stop
def _signal_when_at(pipe):
    def tell(done):
        os.write(pipe, bytes([done]))

    return tell


def test_sigterm_ends_with_the_batch_at_hand_and_status_143(folder, undisturbed, tmp_path):
    output = tmp_path / "part-0.parquet"
    reader, writer = os.pipe()
    child = forked(job, folder, output, _signal_when_at(writer))
    while os.read(reader, 1)[0] < 2 * BATCH:
        pass
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    os.close(writer)
    assert os.waitstatus_to_exitcode(status) == 143
    told = 2 * BATCH
    while byte := os.read(reader, 1):
        told = byte[0]
    os.close(reader)
    assert kept(output) == told >= 2 * BATCH and kept(output) <= 4 * BATCH and not output.exists()
    assert os.waitstatus_to_exitcode(os.waitpid(forked(job, folder, output), 0)[1]) == 0
    assert output.read_bytes() == undisturbed[0]


def test_responses_of_a_model_that_does_not_think_say_so(tmp_path):
    folder, output = str(tiny.make_model(tmp_path / "model", "qwen3")), str(tmp_path / "part-0.parquet")
    chat = {"think": "none", "options": {"enable_thinking": False}}
    sample(PROMPTS[:3], folder, SPEC | {"chat": chat, "samples": 1}, output, "key")
    assert [row["thinks"] for row in read_rows(output)] == [False] * 3
