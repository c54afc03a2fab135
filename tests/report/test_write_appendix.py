"""The appendix and the checklist: every number is from the records, and topics without a record are for the authors."""

import json
import re
from pathlib import Path

import pytest

from scripts.report.write_appendix import write_appendix
from thinksafe.files import read_json, write_json
from thinksafe.provenance.identity import write_identity
from thinksafe.reporting.tables import write_csv

AUTHORS = "For the authors"
COMMIT = "c1899de289a04d12100db370d81485cdf75e47ca"
JOBS = {  # what was made, its spec and its device seconds
    "responses/small/part-0.parquet": ({"model": {"hub": "org/model", "revision": COMMIT}}, 3600),
    "verdicts/by-guard/on-responses/small/part-0.parquet": ({}, 1800),
    "datasets/small/for/thinksafe/replicate-0.parquet": ({}, 36),
    "adapters/small/trained-with/thinksafe/replicate-0": (
        {"loss": {"nll": {}}, "epochs": 3, "training": {"learning_rate": 1e-5, "batch_size": 8, "lora": {"rank": 32}}},
        7200,
    ),
    "answers/small/trained-with/thinksafe/replicate-0/on/harmbench/part-0.parquet": ({}, 7),
    "scores/safety/small/trained-with/thinksafe/replicate-0/on/harmbench.json": ({"confidence": 0.9}, 1),
    "benchmarks/harmbench.parquet": (
        {"source": {"hub": "org/data", "revision": COMMIT}},
        5000,
    ),  # no stage: not counted
}
SPEC = {
    "run": "trial",
    "config": "config/trial.yaml",
    "use_paper_scores": False,
    "seeds": {"data": 11, "training": 12, "evaluation": 13},
    "replicates": [0, 1],
    "confidence": 0.9,
    "students": ["Small"],
    "methods": ["Initial", "ThinkSafe"],
    "benchmarks": ["HarmBench"],
    "licences": {"org/model": {"licence": "MIT"}, "org/data": {"licence": "ODC-BY", "terms": "login"}},
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Write a small run and return the arguments that its rule would give."""
    monkeypatch.chdir(tmp_path)
    base = Path("results/trial")
    identities = []
    for name, (spec, seconds) in JOBS.items():
        stem = str(base / name).removesuffix(".parquet").removesuffix(".json")
        write_json(base / name, {"n": 602, "unknown": 5, "unfinished": 17})
        params = {"spec": spec, "code": {"scripts/x.py": "0"}, "environment": {"torch": "2.13.0"}}
        write_identity(
            {
                "identity": f"{stem}.identity.json",
                "outputs": [str(base / name)],
                "inputs": [],
                "params": {key: json.dumps(value) for key, value in params.items()},
            }
        )
        record = {"device_seconds": seconds, "wall_seconds": seconds / 2, "attempts": [{}, {}], "python": "3.11.7"}
        write_json(f"{stem}.record.json", record | {"device": "H100", "peak_memory_mb": 2048, "tokens": 1234})
        identities.append(f"{stem}.identity.json")
    table = str(base / "tables/table1.csv")
    rows = [{"value": 1.0, "low": 0.5, "high": 2.0, "n": 602}, {"value": 2.0, "n": 250}, {"value": None}]
    write_csv(table, ["value", "low", "high", "n"], rows)
    claims = str(base / "claims.json")
    write_json(claims, {"counts": {"holds": 40, "not run": 0}, "changed_since_start": False})
    return {
        "identities": identities,
        "tables": [table],
        "claims": [claims],
        "spec": SPEC,
        "appendix": str(base / "appendix.md"),
        "checklist": str(base / "checklist.md"),
    }


def written(arguments, **changes):
    """Return both texts, the checklist as answers by topic number."""
    write_appendix(**arguments | {"spec": arguments["spec"] | changes})
    rows = re.findall(r"^\| (\d+) \| .*? \| (.*?) \| (.*?) \|$", Path(arguments["checklist"]).read_text(), re.M)
    return Path(arguments["appendix"]).read_text(), {int(number): (answer, why) for number, answer, why in rows}


def test_numbers_are_the_records(run):
    text, answers = written(run)
    assert "| sampling of training responses | 1 | 2 | 1.000 | 0.500 | 2.0 | 1,234 | 0 |" in text
    total = 3600 + 1800 + 36 + 7200 + 7 + 1
    assert f"In total {total / 3600:.3f} device hours and {total / 7200:.3f} wall hours" in text and "on: H100" in text
    assert "data 11, evaluation 13, training 12; replicates 0, 1" in text and "Intervals are at 90 %" in text
    assert "| table1 | 2 | 1 | 250 | 602 |" in text
    assert "1 cells count 602 answers: 5 have an unknown verdict and 17 are unfinished" in text
    assert "| nll | 3 | 1e-05 | 8 | 32 | – | – | 1 |" in text and "torch 2.13.0" in text
    assert f"| org/model | {COMMIT} | MIT | – |" in text and f"| org/data | {COMMIT} | ODC-BY | login |" in text
    assert "snakemake all --configfile config/trial.yaml" in text
    assert answers[8] == ("Yes", f"{total / 3600:.3f} device hours on H100, 6 jobs, all attempts included")
    assert answers[7][1] == "1 of 2 values have an interval; replicates: 2; some have none in: table1"
    record = run["identities"][3].replace(".identity.", ".record.")
    write_json(record, read_json(record) | {"device_seconds": 10 * 3600})
    assert f"In total {(total + 10 * 3600 - 7200) / 3600:.1f} device hours" in written(run)[0]


def test_all_topics_are_there_under_their_numbers(run):
    _, answers = written(run)
    assert list(answers) == list(range(1, 17))
    assert {answer for answer, _ in answers.values()} <= {"Yes", "No", "NA", AUTHORS}
    assert [n for n, (answer, _) in answers.items() if answer == AUTHORS] == [2, 9, 10, 11]
    assert answers[1] == ("Yes", "the claims, fixed before the run began: 40 holds, 0 not run (claims.md)")
    assert answers[12][0] == "Yes" and answers[5][1].endswith("1 ask for a login or terms: org/data")


@pytest.mark.parametrize(
    ("counts", "changed", "answer"),
    [
        ({"holds": 3, "fails": 1}, False, "No"),
        ({"holds": 3}, True, "No"),
        ({"holds": 3, "not run": 1}, False, AUTHORS),
        ({"holds": 3, "undecided": 1}, False, AUTHORS),
    ],
)
def test_a_claim_that_fails_is_no_yes(run, counts, changed, answer):
    write_json(run["claims"][0], {"counts": counts, "changed_since_start": changed})
    assert written(run)[1][1][0] == answer


def test_what_is_missing_is_a_no(run):
    Path(run["identities"][0].replace(".identity.", ".record.")).unlink()
    identity = read_json(run["identities"][0])
    write_json(
        run["identities"][0], identity | {"spec": {"a": {"hub": "org/model"}, "b": {"file": "/home/me/own.csv"}}}
    )
    text, answers = written(run, licences={})
    assert answers[4][0] == answers[5][0] == answers[8][0] == answers[12][0] == "No"
    assert "org/model" in answers[4][1] and "1 jobs have no record" in answers[8][1] and "own.csv" in answers[5][1]
    assert "| sampling of training responses | 1 | 0 | 0.000 | 0.000 | 0.0 | – | 1 |" in text
    assert "| org/model | not fixed | not known here: see its page | – |" in text and "/home/me" not in text


def test_a_run_of_printed_numbers_says_so(run):
    text, answers = written(run | {"identities": []}, use_paper_scores=True)
    assert "has trained, sampled and judged nothing" in text
    assert [answers[n][0] for n in (4, 6, 8, 12, 13)] == ["NA"] * 5
