"""What `make lint` lets pass."""

from dev.lint_rules import lints


def test_lints_that_are_not_on_purpose_stay() -> None:
    report = """Lints for snakefile rules/a.smk:
    * Environment variable THINKSAFE_IMAGE used but not asserted with envvars directive in line 1.:
      Asserting existence ...
    * Absolute path "/x" in line 3:
      Do not ...
"""
    assert lints(report) == ['snakefile rules/a.smk: Absolute path "/x" in line 3']
