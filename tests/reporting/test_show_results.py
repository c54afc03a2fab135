"""What `thinksafe show` prints."""

from pathlib import Path

import pytest

from thinksafe.__main__ import command


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_shows_the_first_tables_and_names_the_rest_in_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = ["tables/table1.md", "tables/table10.md", "tables/table3.md"]
    for name in (*tables, "figures/figure9.png", "figures/figure10.png"):
        path = folder / "results/mine" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(f"text of {name}")
    assert command(["show"]) == 0
    text = capsys.readouterr().out
    assert "text of tables/table1.md" in text and "text of tables/table3.md" not in text
    assert text.index("table3.md") < text.index("table10.md") < text.index("figure9.png") < text.index("figure10.png")


@pytest.mark.parametrize("made", [False, True])
def test_a_run_without_tables_and_figures_is_named(
    made: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if made:
        (folder / "results/mine/tables").mkdir(parents=True)
    assert command(["show", "mine"]) == 2
    assert capsys.readouterr().err == "show: results/mine: has no tables or figures yet\n"
