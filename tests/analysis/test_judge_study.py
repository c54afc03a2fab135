"""Agreement of two judges."""

import pytest

from thinksafe.analysis.judge_study import agreement


def test_agreement_is_kappa_over_prompts():
    # Two raters and 50 grant proposals, of the literature: 20 yes-yes, 15 no-no, 5 and 10 apart; kappa is 0.4.
    known = agreement([[15, 0, 0, 0], [0, 5, 0, 0], [0, 0, 10, 0], [0, 0, 0, 20]], 0.95)
    assert known["kappa"] == pytest.approx(0.4) and known["value"] == 70
    # Two prompts that say the opposite, each many times: two clusters, so that nothing is known for sure.
    wide = agreement([[100, 0, 0, 100], [0, 100, 100, 0]], 0.95)
    assert (wide["low"], wide["high"]) == (0, 100)
    none = agreement([[30, 0, 0, 0]] * 3, 0.95)  # both always say safe: agreement without a kappa
    assert none["value"] == 100 and none["kappa"] is None and agreement([], 0.95) == {"n": 0}
