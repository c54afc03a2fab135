"""What `thinksafe show` prints, and what `make lint` lets pass."""

from __future__ import annotations

from pathlib import Path

from dev.lint_rules import lints
from thinksafe.reporting.show_results import shown


def test_shows_the_first_tables_and_names_the_rest_in_order(tmp_path: Path) -> None:
    for name in (
        "tables/table1.md",
        "tables/table10.md",
        "tables/table3.md",
        "figures/figure9.png",
        "figures/figure10.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}")
    text = shown(tmp_path)
    assert "text of tables/table1.md" in text and "text of tables/table3.md" not in text
    assert text.index("table3.md") < text.index("table10.md") < text.index("figure9.png") < text.index("figure10.png")


def test_shows_nothing_where_nothing_is(tmp_path: Path) -> None:
    assert shown(tmp_path) == ""


def test_lints_that_are_not_on_purpose_stay() -> None:
    report = """Lints for snakefile rules/a.smk:
    * Mixed rules and functions in same snakefile.:
      Small one-liner functions ...
    * Absolute path "/x" in line 3:
      Do not ...
"""
    assert lints(report) == ['snakefile rules/a.smk: Absolute path "/x" in line 3']
