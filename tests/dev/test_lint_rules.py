"""What `make lint` lets pass."""

from dev.lint_rules import lints


def test_lints_that_are_not_on_purpose_stay() -> None:
    report = """Lints for snakefile rules/a.smk:
    * Mixed rules and functions in same snakefile.:
      Small one-liner functions ...
    * Absolute path "/x" in line 3:
      Do not ...
"""
    assert lints(report) == ['snakefile rules/a.smk: Absolute path "/x" in line 3']
