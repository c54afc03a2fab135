"""What cards say; tests/release/test_publish.py reads whole ones."""

import pytest

from thinksafe.release.cards import interval, licence_of
from thinksafe.reporting.templates import fill

HALF = {"steering": "direct", "samples": 2}
STEERED = {"guard": "g", "harmful": HALF | {"steering": "prefix"}, "benign": HALF}
STEERINGS = {"direct": "{prompt}", "prefix": "Refuse.\n\n{prompt}"}


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ({"data": {"corpus": "star-1"}}, "Trained on the published data that the workflow calls `star-1`."),
        ({"data": {"base_method": "thinksafe"}}, "Derived from the set of `thinksafe` of the student."),
        ({"data": {"base_method": "m", "from": "big"}}, "Derived from the set of `m` of a teacher, big."),
        ({"grpo": {}}, "Trained online (GRPO) on the student's own responses"),
        (
            {"data": {"guard": "g", "harmful": HALF | {"steering": "prefix"}, "benign": HALF}},
            "put as:\n\n> Refuse.\n> \n",
        ),
    ],
)
def test_data_of_each_kind_of_method(method: dict, text: str) -> None:
    assert text in fill("cards/data.md", method=method, prompts=[], steerings=STEERINGS)


def test_licences_of_sources() -> None:
    assert licence_of([])[0] == "apache-2.0"
    assert licence_of(["Qwen/Qwen3-4B"]) == ("apache-2.0", "As its source's. Qwen/Qwen3-4B: Apache-2.0.")
    assert licence_of(["Qwen/Qwen3-4B", "some/unknown"])[0] == "other"


def test_an_interval_or_a_dash() -> None:
    assert interval({"value": 9.625, "low": 8.0, "high": 10.0}) == "9.63 (8.00 to 10.00)"
    assert interval(None) == interval({"value": None}) == "–"
