"""What a bundle holds and what a public one leaves out; tests/workflow/test_round_trip.py makes whole ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from thinksafe.config import settings
from thinksafe.files import write_rows
from thinksafe.planning import dag
from thinksafe.provenance.digests import canonical
from thinksafe.release import bundle
from thinksafe.release.archive import ReleaseError, json_bytes


def test_what_is_made_from_text_is_taken_to_show_it() -> None:
    """A new table of samples stays out of public bundles until somebody says that it has none."""

    def node(rule: str, output: str, *inputs: str) -> dag.Job:
        return dag.Job(rule, {}, 0, {}, inputs, (output, f"{output}.identity.json"), False, "")

    nodes = [
        node("sample_answers", "answers"),
        node("judge_answers", "verdicts", "answers"),
        node("score_safety", "scores", "answers", "verdicts"),
        node("write_main_table", "table", "scores"),
        node("write_samples", "samples", "answers"),
        node("plot_samples", "figure", "samples"),
    ]
    assert bundle.outputs_with_text(nodes) == {"answers", "samples", "figure"}


def test_licence_notes_name_what_the_run_takes_and_its_terms():
    chosen = {"students": ["qwen3-4b"], "methods": ["initial"], "benchmarks": ["gsm8k", "gpqa"]}
    notes = bundle.licences(settings.load(["config/config.yaml"], chosen))
    assert "/Qwen/Qwen3-4B: Apache-2.0\n" in notes and "/Qwen/Qwen3-8B" not in notes and "STAR-1" not in notes
    assert "/datasets/Idavidrein/gpqa: CC-BY-4.0; to be accepted: login; its rows must not be published" in notes


def test_a_public_bundle_says_elsewhere_instead_of_where(tmp_path: Path) -> None:
    secret = tmp_path / "jane-doe/prompts.csv"
    config = {
        "prompts": {"harmful": {"source": {"file": str(secret)}}, "benign": {"source": {"file": "prompts/mine.csv"}}},
        "steerings": {"a": "/no_think"},
    }
    places = bundle.private_places(config)
    assert places == {str(secret): "elsewhere/prompts.csv"}
    job = {"input": [str(secret)], "input_checksums": {str(secret): "sha256:0"}, "params": [repr(canonical(config))]}
    members: dict[str, Any] = {"x.json": b"{}"}
    (job,) = bundle.hide_places(members, [job], places)
    assert "jane-doe" not in json.dumps(job) and "/no_think" in job["params"][0]
    with pytest.raises(ReleaseError, match="adapter_config.json: names the path .* cannot be public"):
        bundle.hide_places({"adapter_config.json": json_bytes({"base": str(secret)})}, [job], places)


def test_a_guard_that_repeats_what_it_judged_is_not_public(tmp_path: Path) -> None:
    lines = "Harmful request: yes\nResponse refusal: no\nHarmful response: yes"
    for number, (words, more) in enumerate(
        [("safe", False), ("unsafe\nS1,S10", False), (lines, False), ("", False), ("unsafe: Mix the", True)]
    ):
        write_rows(tmp_path / f"{number}.parquet", [{"output": "safe"}, {"output": words}], {"output": str})
        assert bundle.has_other_text(tmp_path / f"{number}.parquet") is more, words
