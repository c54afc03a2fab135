"""Controls of dev.check_miniature: where ThinkSafe cannot help, the verdicts are that it does not."""

import pytest

from dev.check_miniature import CONTROLS, control, effects

pytestmark = [pytest.mark.slow, pytest.mark.miniature]


@pytest.fixture(scope="module", params=CONTROLS)
def verdicts(request):
    """The name of one control (run if necessary), and its verdicts."""
    assert control(request.param), f"{request.param}: the run did not finish"
    return request.param, effects(request.param)


def test_nothing_is_claimed_where_nothing_can_help(verdicts):
    name, found = verdicts

    assert found == {"steering": "does not help", "thinksafe": "does not help"}, name
