"""What Snakemake hands over becomes a job."""

from types import SimpleNamespace

import pytest

from thinksafe.jobs import start, warm_worker


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

    class Named(list):
        identity = "out.identity.json"

    snakemake = SimpleNamespace(
        log=["log"],
        rule="make_it",
        wildcards=["a"],
        threads=1,
        resources={"gpu": 2},
        params={"spec": "{}", "code": "{}", "environment": '{"torch": "1"}'},
        input=["b", "a", "b"],
        output=Named(["out", "out.identity.json"]),
    )
    with pytest.raises(SystemExit) as ended:
        start.start(snakemake, "testing", text="t")
    assert ended.value.code == 7
    assert (seen[0]["title"], seen[0]["devices"]) == ("make it a", 2)
    assert seen[0]["inputs"] == ["a", "b"] and seen[0]["outputs"] == ["out"]
