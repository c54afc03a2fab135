"""What Snakemake hands over becomes a job, with arguments found by their names."""

import json
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, ResourceList

from thinksafe.jobs import start, warm_worker
from thinksafe.jobs.start import arguments_of


def handed(**more):
    """Return a rule's `snakemake` object: two inputs by name, one of them empty, and two outputs."""
    spec = {"source": {"hub": "a"}, "confidence": 0.95, "model": "m"}
    facts = dict(
        input=InputFiles(fromdict={"source": "in.json", "shards": ["a", "b"], "none": []}),
        output=OutputFiles(fromdict={"rows": "out.parquet", "identity": "out.identity.json"}),
        params=Params(fromdict={"spec": json.dumps(spec), "code": "{}", "environment": '{"torch": "1"}'}),
        resources=ResourceList(fromdict={"gpu": 2, "checkpoint_steps": 50, "_cores": 1}),
        log=Log(fromdict={"log": "x.log"}),
        rule="make_it",
        wildcards=["a"],
        threads=1,
    )
    return SimpleNamespace(**facts | more)


def test_arguments_are_the_rules_files_its_spec_and_its_machine():
    def script(source, shards, none, rows, spec, model, confidence, log, gpus, checkpoint_steps, key, progress, more=7):
        pass

    found = arguments_of(script, handed())
    assert found.pop("spec")["source"] == {"hub": "a"}
    assert found == {
        "source": "in.json",  # a file before a setting of the same name
        "shards": ["a", "b"],
        "none": [],
        "rows": "out.parquet",
        "model": "m",
        "confidence": 0.95,
        "log": "x.log",
        "gpus": 2,
        "checkpoint_steps": 50,
    }
    assert json.dumps(found) and type(found["source"]) is str  # plain values, for another process


def test_a_parameter_that_nothing_provides_is_named():
    with pytest.raises(TypeError, match="^score needs `prompts`, which is no input, .* of rule make_it$"):
        arguments_of(score, handed())


def score(prompts):
    """A script's function."""


def test_a_name_of_an_input_and_an_output_is_refused():
    double = OutputFiles(fromdict={"source": "out.json", "identity": "i"})
    with pytest.raises(TypeError, match="`source` is both an input and an output of rule make_it"):
        arguments_of(lambda source: None, handed(output=double))
    assert arguments_of(lambda shards: None, handed(output=double)) == {"shards": ["a", "b"]}


def test_where_the_warm_process_is_gone_a_job_runs_plainly(tmp_path, monkeypatch):
    import socket

    address = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(address))
    monkeypatch.setenv("THINKSAFE_WARM", str(address))
    with pytest.raises(ConnectionRefusedError):
        warm_worker.ask(str(address), {})
    seen = []
    monkeypatch.setattr(start, "run", lambda described: seen.append(described) or 7)
    monkeypatch.setattr(start, "script_function", lambda name: score)
    files = InputFiles(fromdict={"prompts": "b", "more": "a", "again": "b"})
    with pytest.raises(SystemExit) as ended:
        start.start(handed(input=files), "/somewhere/scripts/stage/score.py")
    assert ended.value.code == 7
    assert (seen[0]["title"], seen[0]["devices"]) == ("make it a", 2)
    assert (seen[0]["function"], seen[0]["arguments"]) == ("score", {"prompts": "b"})
    assert seen[0]["inputs"] == ["a", "b"] and seen[0]["outputs"] == ["out.parquet"]
