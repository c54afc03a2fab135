"""Metrics of the tables and their columns; values are tested in tests/tables/test_write_main_table.py."""

from thinksafe.analysis.scores import columns_of


def test_an_average_is_of_columns_of_its_own_variant():
    assert columns_of("reasoning_avg") == ["aime24", "gsm8k", "math500", "gpqa"]
    assert columns_of("harm_avg3:oracle") == ["harmbench:oracle", "strongreject:oracle", "wildjailbreak:oracle"]
    assert columns_of("gsm8k:strict") == ["gsm8k:strict"] and columns_of("xstest") == ["xstest"]
