"""Where ThinkSafe must not help, the same run says so: the controls of dev.check_miniature, one student each."""

from __future__ import annotations

import pytest

from dev.check_miniature import CONTROLS, control, effects

pytestmark = [pytest.mark.slow, pytest.mark.miniature]


@pytest.fixture(scope="module", params=CONTROLS)
def verdicts(request):
    """The run of one control (made if it is not there), and its verdicts by what was asked."""
    assert control(request.param), f"{request.param}: the run did not finish"
    return request.param, effects(request.param)


def test_nothing_is_claimed_where_nothing_can_help(verdicts):
    name, found = verdicts

    assert found == {"steering": "does not help", "thinksafe": "does not help"}, name
