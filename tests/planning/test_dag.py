"""A config as the command line names it, in Snakemake's own spelling."""

from argparse import ArgumentParser
from pathlib import Path

import pytest

from thinksafe.errors import UserError
from thinksafe.planning import dag

ROOT = Path(__file__).parents[2]


def overlay(*arguments: str) -> dag.Overlay:
    parser = ArgumentParser()
    dag.add_arguments(parser, "what to do")
    return dag.overlay_of(parser.parse_args(arguments))


def test_files_and_values_are_named_as_for_snakemake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert dag.settings_of(overlay()).run == "paper" == dag.settings_of(overlay("all")).run
    found = overlay(
        "table1", "--configfile", "config/miniature.yaml", "--config", "students=[r1-mini]", "replicates=[0,1]"
    )
    config = dag.settings_of(found)
    assert (config.run, config.select.students, config.replicates) == ("miniature", ["r1-mini"], [0, 1])
    assert found.options() == [
        *("--configfile", "config/miniature.yaml", "--config", "students=[r1-mini]", "replicates=[0,1]")
    ]
    both = overlay("--configfile", "config/miniature.yaml", "config/printed.yaml")
    assert [path.name for path in both.files] == ["miniature.yaml", "printed.yaml"]
    assert overlay().options() == []


def test_what_is_wrong_with_it_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="^--config: "):
        dag.settings_of(overlay("--config", "students"))
    with pytest.raises(UserError, match="stduents"):
        dag.settings_of(overlay("--config", "stduents=[qwen3-8b]"))
    with pytest.raises(UserError, match="none.yaml: No such file"):
        dag.settings_of(overlay("--configfile", "none.yaml"))
