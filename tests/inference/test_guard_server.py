"""A guard's server: verdicts come in order, and its failure is reported."""

import json
import sys

import pytest

from thinksafe.inference.guard_server import ask
from thinksafe.jobs.server import LOCAL, free_port, served
from thinksafe.provenance.digests import ROOT

GUARD = """
import sys
from thinksafe.inference.guard_server import serve
def verdicts(pairs):
    for prompt, response in pairs:
        if response == "fail":
            raise MemoryError("out of memory")
        yield {"p_unsafe": len(response) / 10, "output": prompt}
serve(verdicts, int(sys.argv[1]))
"""


def test_verdicts_come_in_order_and_a_failure_is_told(tmp_path):
    port = free_port()
    address = f"http://{LOCAL}:{port}"
    environment = {"PYTHONPATH": str(ROOT)}
    with served([sys.executable, "-c", GUARD, str(port)], f"{address}/health", tmp_path / "log", environment):
        found = ask(address, [("a", "xx"), ("é", "x\n")])
        assert found == [{"p_unsafe": 0.2, "output": "a"}, {"p_unsafe": 0.2, "output": "é"}]
        with pytest.raises(RuntimeError, match="guard server: 500: .*MemoryError: out of memory"):
            ask(address, [("a", "xx"), ("a", "fail")])
        assert json.dumps(ask(address, [])) == "[]"
    with pytest.raises(OSError):
        ask(address, [("a", "xx")])
