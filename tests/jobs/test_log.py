"""Progress lines and durations."""

from types import SimpleNamespace

import pytest

from thinksafe.jobs import log
from thinksafe.jobs.log import Progress, duration


@pytest.fixture
def said(monkeypatch):
    lines, clock = [], [100.0]
    monkeypatch.setattr(log, "say", lines.append)
    monkeypatch.setattr(log, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return lines, clock


def test_progress_says_rate_and_time_left(said):
    lines, clock = said
    progress = Progress("sample x", "rows", every=10)
    for seconds, done in ((0, 1000), (5, 1100), (10, 1400), (15, 1450), (100, 3000), (200, 5000)):
        clock[0] = 100.0 + seconds
        progress(done, 5000)
    assert lines == [
        "sample x · 1,400 of 5,000 rows · 40.0/s · 1 min 30 s left",
        "sample x · 3,000 of 5,000 rows · 20.0/s · 1 min 40 s left",
        "sample x · 5,000 of 5,000 rows · 20.0/s",
    ]


def test_short_jobs_and_standstills(said):
    lines, clock = said
    progress = Progress("x")
    progress(0, 5), progress(5, 5)
    assert lines == []
    clock[0] += 20
    progress = Progress("x")
    progress(0, 5)
    clock[0] += 20
    progress(0, 5)
    assert lines == ["x · 0 of 5 · 0.0/s"]


def test_durations():
    assert [duration(n) for n in (0.4, 59.6, 61, 3599.7, 3600, 90_000)] == [
        "0 s",
        "1 min 00 s",
        "1 min 01 s",
        "1 h 00 min",
        "1 h 00 min",
        "25 h 00 min",
    ]
