"""How numbers made again are compared; tests/workflow/test_round_trip.py makes them."""

import re

from tests.workflow.dags import ROOT
from thinksafe.release import reproduce


def test_another_kind_of_device_is_told_where_numbers_differ() -> None:
    row = {"cell": "a", "verdict": reproduce.WITHIN, "bundle": {"value": 1, "low": 0, "high": 2}, "here": {"value": 2}}
    found = {"run": "small", "tier": "scores", "bundle": "0" * 64, "files": {}, "taken_as_they_are": []}
    found |= {"cells": [row], "counts": {reproduce.WITHIN: 1}, "devices": {"bundle": ["H100"], "here": ["H200"]}}
    told = "The bundle was made on H100; this on H200."
    assert told in reproduce.page(found)
    assert told not in reproduce.page(found | {"devices": {"bundle": ["H100"], "here": ["H100"]}})
    assert told not in reproduce.page(found | {"cells": [row | {"verdict": reproduce.IDENTICAL}]})


def test_all_tables_but_those_of_hours_are_compared() -> None:
    """Hours are what scripts/tables/write_cost.py writes, by whichever rule."""
    text = "\n".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    rules = re.split(r"(?m)^(?=rule |use rule )", text)
    hours = {
        path
        for rule in rules
        if re.match(r"(rule|use rule) write_cost\b", rule)
        for path in re.findall(r'multiext\("<results>/(tables/[^"]+)", csv=', rule)
    }
    assert hours == {"tables/cost", "tables/figure3-cost"}
    assert not [path for path in hours if reproduce.is_compared(f"results/small/{path}.csv")]
    for name in ("figure3", "figure7", "table1", "table1-beside-paper"):
        assert reproduce.is_compared(f"results/small/tables/{name}.csv")
