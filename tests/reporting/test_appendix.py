"""The facts of the appendix; tests/report/test_write_appendix.py checks their numbers."""

from pathlib import Path

import pytest

from tests.workflow.dags import plans
from thinksafe.config import settings
from thinksafe.config.types import plain
from thinksafe.reporting.appendix import stage_of


def test_every_stage_is_found_by_its_folder():
    assert stage_of("verdicts/by-x/on-answers/y.json") == "verdicts on answers"
    assert stage_of("verdicts/by-x/on-responses/y.json") == "verdicts on training responses"
    assert stage_of("prompts/harmful.identity.json") is None


@pytest.mark.slow
def test_every_job_of_a_run_is_counted(tmp_path):
    """All that the full miniature trains, samples, judges and scores is among the inputs."""
    root = Path(__file__).parents[2]
    config = plain(settings.load([root / "config/config.yaml", root / "config/miniature-full.yaml"]))
    (plan,) = plans([{"config": config, "targets": ["all", "appendix", "report"]}], tmp_path)
    run = f"results/{config['run']}/"
    made = {path for _, _, _, _, outputs in plan["jobs"] for path in outputs if path.endswith(".identity.json")}
    inputs = {rule: set(files) for rule, _, _, files, _ in plan["jobs"] if rule in ("write_appendix", "write_report")}
    # Not counted, as the appendix says: perplexities, and the teacher, whose sets stand for published data.
    left_out = ("/perplexity/", "/teacher-mini/", "/teacher-mini.")
    counted = {path for path in made if stage_of(path.removeprefix(run)) and not any(part in path for part in left_out)}
    assert len(counted) > 500
    assert {path for path in inputs["write_appendix"] if stage_of(path.removeprefix(run))} == counted
    assert inputs["write_report"] >= {path for path in counted if not path.startswith(f"{run}models/")}
    assert not [path for path in inputs["write_appendix"] if path.endswith("cost.csv")]  # which differs from run to run
