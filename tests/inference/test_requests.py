"""Requests that cannot be served are named before anything runs, and slices keep the order."""

import pytest

from thinksafe.inference.requests import Completion, Engine, Request, Sampling, check_requests

PAPER = Sampling(temperature=0.6, top_p=0.95, top_k=20, max_tokens=40)


def test_a_prompt_that_leaves_no_room_is_named():
    requests = [Request("short", (1, 2), 0), Request("long one", tuple(range(161)), 0)]
    with pytest.raises(ValueError, match="request long one: a prompt of 161 tokens and max_tokens 40 .* 200 tokens"):
        check_requests(requests, PAPER, 200, [])
    with pytest.raises(ValueError, match="request none"):
        check_requests([Request("none", (), 0)], PAPER, 200, [])
    check_requests([Request("whole", tuple(range(160)), 0)], PAPER, 200, [])


def test_wrong_adapters_and_settings_are_named():
    with pytest.raises(ValueError, match="request r0: adapter elsewhere was not loaded"):
        check_requests([Request("r0", (1,), 0, adapter="elsewhere")], PAPER, 200, ["here"])
    for wrong in (Sampling(0.6, 0.0, 0, 5), Sampling(-1, 1.0, 0, 5), Sampling(1, 1.0, -1, 5), Sampling(1, 1.0, 0, 0)):
        with pytest.raises(ValueError, match="top_p"):
            check_requests([], wrong, 200, [])


class Recorded(Engine):
    """Answers with the request's adapter, and records what it was asked together."""

    def __init__(self):
        self.batch_size, self.max_model_tokens, self.adapters, self.asked = 4, 200, {"a": "1", "b": "2"}, []

    def _answer(self, requests, adapter, sampling):
        self.asked.append((adapter, [request.id for request in requests]))
        return [Completion(request.id, str(adapter), (), "stop", ()) for request in requests]


def test_a_slice_is_answered_adapter_by_adapter_and_keeps_its_order():
    engine = Recorded()
    requests = [Request(f"r{n}", (1,), 0, adapter=adapter) for n, adapter in enumerate(["b", None, "b", "a", None])]
    slices = list(engine.generate(requests, PAPER))
    assert [[(done.id, done.text) for done in one] for one in slices] == [
        [("r0", "b"), ("r1", "None"), ("r2", "b"), ("r3", "a")],
        [("r4", "None")],
    ]
    assert engine.asked == [("b", ["r0", "r2"]), (None, ["r1"]), ("a", ["r3"]), (None, ["r4"])]
