"""What the page's values are made of; tests/report/test_write_report.py checks whole pages."""

import json

from thinksafe.reporting.page import LONGEST, choose, curve, script_json, shorten, source_hash


def test_the_same_prompts_are_chosen_in_any_order():
    ids = [f"p-{n}" for n in range(50)]
    assert choose(ids, "a", 5) == sorted(choose(reversed(ids), "a", 5), key=ids.index) != choose(ids, "b", 5)
    assert set(choose(ids, "a", 5)) < set(choose(ids, "a", 6))


def test_a_long_text_loses_its_middle():
    assert shorten("x" * LONGEST) == "x" * LONGEST
    assert len(shorten("x" * 10**6)) < LONGEST + 100 and "988,000 characters" in shorten("x" * 10**6)


def test_an_adapter_without_a_log_has_no_curve(tmp_path):
    assert curve(str(tmp_path / "nothing.jsonl")) == []


def test_json_for_a_script_block():
    value = {"a": "</script><!--\u2028&", "b": [1, None]}
    assert not set("<>&\u2028") & set(script_json(value)) and json.loads(script_json(value)) == value
    assert source_hash("") == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
