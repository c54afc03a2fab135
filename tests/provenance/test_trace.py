"""From a cell back to everything behind it, and from a file to every cell: `thinksafe trace`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.provenance.trial import ADAPTER, COMMIT, METHOD, ON, RAW, STUDENT
from thinksafe.errors import UserError
from thinksafe.provenance.identity import content_digest
from thinksafe.provenance.lineage import Lineage
from thinksafe.provenance.trace import back, forth, query_of, render, render_forth, run_of

ROOT = Path(__file__).parents[2]


def look(text, **options):
    return "\n".join(render(back(lineage := Lineage("results/trial"), query_of(lineage, text)), **options))


def test_a_cell_goes_back_to_prompts_and_code(run):
    told = look(f"{STUDENT}/{METHOD}/harmbench")
    lines = told.splitlines()
    assert lines[0].startswith(f"scores/safety/{ON}.json  ")
    behind = [f"answers/{ON}/part-0.parquet", f"{ADAPTER}.identity.json", f"datasets/{STUDENT}", "prompts/harmful"]
    behind += [f"responses/{RAW}0", f"responses/{RAW}1", "verdicts/by-guard", "config/guard.txt"]
    depth = {name: min(line.index(name) for line in lines if name in line) for name in behind}
    assert depth[behind[0]] < depth[behind[1]] < depth[behind[2]] < depth[behind[4]] < depth["prompts/harmful"]
    prompts = content_digest("results/trial/prompts/harmful.parquet")[:12]
    assert f"prompts/harmful.parquet  {prompts}" in told and told.count("(see above)") >= 3
    assert "code: train_student" in told and "with: numpy 2.4.6" in told and "Refuse." in told
    assert f"  org/prompts  {COMMIT[:12]}" in told and "(no rule made it)" in told
    assert "  scripts/training/train_student.py  00  (CHANGED since)" in told  # what it means now is not what was noted
    assert "MISSING" not in told and "CHANGED since it was" not in told


@pytest.mark.parametrize(
    ("file", "state"),
    [
        (f"answers/{ON}/part-0.parquet", "CHANGED since it was used"),
        (f"{ADAPTER}/weights.json", "CHANGED since it was made"),
        (f"scores/safety/{ON}.json", "CHANGED since it was made"),
    ],
)
def test_what_is_no_longer_what_was_used_is_told(run, file, state):
    Path("results/trial", file).write_text("other")
    marked = [line for line in look(f"{STUDENT}/{METHOD}/harmbench").splitlines() if f"({state})" in line]
    assert len(marked) == 1 and file.partition("/weights")[0].rpartition("/")[2] in marked[0]


def test_what_is_gone_is_told(run):
    Path("results/trial/prompts/harmful.parquet").unlink()
    assert "prompts/harmful.parquet" in look(f"{STUDENT}/{METHOD}/harmbench").partition("(MISSING)")[0].splitlines()[-1]


def test_an_answer_and_a_training_row_are_followed_through_the_files(run):
    told = look(f"{STUDENT}/{METHOD}/harmbench/harmbench-00000")
    assert "outcome=True" in told and "response: <think>no harmbench-00000" in told and "harmbench-00001" not in told
    told = look(f"{STUDENT}/{METHOD}/harmful-000000")
    assert told.startswith(f"datasets/{STUDENT}") and "asked: do harmful-000000" in told and "harm=safe" in told
    assert f"{RAW}0" in told and f"{RAW}1" not in told and "harmful-000001" not in told  # the shard that has it, alone
    told = look(f"{STUDENT}/{METHOD}/harmful-000001")
    assert told.startswith("harmful-000001 was sampled and is not in this training set") and "harm=unsafe" in told


def test_an_average_goes_to_the_cells_of_its_own_row(run):
    told = look(f"{STUDENT}/{METHOD}/safety_avg")
    assert (
        told.startswith("tables/table1.csv")
        and f"scores/safety/{ON}.json" in told
        and "trained-with/initial" not in told
    )
    assert look("table1").count("trained-with/initial") == 1 and look("figure1").startswith("figures/figure1.png")
    assert look("results/trial/tables/table1.csv") == look("table1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("smal/thinksafe/harmbench", "did you mean small?"),
        ("small/thinksave/harmbench", "did you mean thinksafe?"),
        ("small/thinksafe/harmbnch", "did you mean harmbench?"),
        ("small/thinksafe/harmbench/harmbench-0000", "did you mean harmbench-00000?"),
        ("small/thinksafe/harmful-000009", "no training row of small/thinksafe"),
        ("small/thinksafe/harmbench/harmbench-00000/x", "a sample is a number"),
        ("small/initial", "has no adapter"),
        ("tabel1", "did you mean table1.csv?"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(run, text, words):
    with pytest.raises(UserError, match=words.replace("?", r"\?")):
        look(text)


def dependents(text):
    return "\n".join(render_forth(forth(Lineage("results/trial"), text)))


def test_what_rests_on_a_file(run):
    told = dependents("prompts/harmful.parquet")
    assert "tables (1):\n  table1" in told and "figures (1):\n  figure1" in told
    assert f"  {STUDENT}/{METHOD}: harmbench" in told and "initial" not in told
    assert dependents("results/trial/prompts/harmful.parquet") == told
    assert "table1" in dependents("org/prompts") and "10 of 12" in told and "11 of 12" in dependents("org/prompts")
    assert f"  {ADAPTER}" not in dependents(f"{ADAPTER}/weights.json") and "table1" in dependents(
        f"{ADAPTER}/weights.json"
    )
    assert "table1" not in dependents(f"datasets/{STUDENT}/for/{METHOD}/replicate-0.statistics.json")  # nobody reads it
    assert "table1" in dependents("scripts/training/train_student.py") and "figure1" in dependents("config/guard.txt")
    assert "nothing that has been made depends on it" in dependents("figures/figure1.png")
    assert "CHANGED" not in told
    Path("config/guard.txt").write_text("changed")
    assert "CHANGED since 2 of 2 that read it" in dependents("config/guard.txt")
    with pytest.raises(UserError, match="did you mean config/guard.txt"):
        dependents("config/gard.txt")


def test_a_run_in_the_making_is_read_as_far_as_it_is(run):
    Path(f"results/trial/{ADAPTER}.identity.json").write_text('{"content": ')  # being written
    assert f"{ADAPTER}.identity.json" in look(f"{STUDENT}/{METHOD}/harmbench")
    assert "table1" in dependents(f"answers/{ON}/part-0.parquet")


def test_which_run_is_meant(run):
    assert run_of("small/x", None).name == "trial"
    Path("results/other/logs").mkdir(parents=True)
    assert run_of("results/other/tables/x.csv", None).name == "other"
    with pytest.raises(UserError, match="name one, as in --run"):
        run_of("small/x", None)
    with pytest.raises(UserError, match="did you mean trial"):
        run_of("small/x", "trail")


def test_on_the_command_line(run):
    def call(*arguments):
        command = [sys.executable, "-m", "thinksafe", "trace", *arguments]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=run, env=environment)

    done = call(f"{STUDENT}/{METHOD}/harmbench")
    assert done.stdout.startswith("scores/safety/") and done.returncode == 1  # code has changed since
    found = call("--file", "config/guard.txt", "--run", "trial")
    assert "table1" in found.stdout and found.returncode == 0
    Path("config/guard.txt").write_text("changed")
    assert call("--file", "config/guard.txt").returncode == 1
    wrong = call("smal/thinksafe/x")
    assert wrong.returncode == 2 and wrong.stderr.startswith("trace: no student 'smal'") and not wrong.stdout
    assert "at most five parts" in call("small/thinksafe/harmbench/a/0/1").stderr
    told = json.loads(call(f"{STUDENT}/{METHOD}/harmbench", "--json").stdout)
    assert told["steps"][0]["name"] == f"scores/safety/{ON}.json" and told["outside"] == {"org/prompts": COMMIT}
    assert json.loads(call("--file", "org/prompts", "--json").stdout)["groups"]["tables"] == ["table1"]
