"""What the guard makes of a time in which a site had no row in HAProxy's tables: nothing came in it."""

from __future__ import annotations

import pytest

from holdfast.shield.rhythm import LONGEST_IDLE, Rhythm, idle_minutes

MIDNIGHT = 1_700_006_400.0


@pytest.mark.parametrize(
    ("begin", "end", "parts"),
    [
        (0, 0, []),
        (5, 1, []),
        (0, 60, [(0, 60)]),
        (10, 50, [(10, 40)]),
        (59.5, 60.5, [(59.5, 0.5), (60, 0.5)]),
        (30, 200, [(30, 30), (60, 60), (120, 60), (180, 20)]),
    ],
)
def test_the_parts_lie_in_one_minute_each(begin: float, end: float, parts: list[tuple[float, float]]) -> None:
    assert list(idle_minutes(MIDNIGHT + begin, MIDNIGHT + end)) == [
        (MIDNIGHT + at, seconds) for at, seconds in parts
    ]


def test_of_a_long_time_there_is_the_last_day() -> None:
    end = MIDNIGHT + 12.5
    parts = list(idle_minutes(end - 40 * LONGEST_IDLE, end))
    assert parts[0] == (end - LONGEST_IDLE, 60 - 12.5)
    assert parts[-1] == (MIDNIGHT, 12.5)
    assert sum(seconds for _, seconds in parts) == LONGEST_IDLE


def test_hours_without_requests_do_not_empty_the_busy_one_before_them() -> None:
    """Learned in one piece they would all have come in the minute, and the hour, in which they began."""
    rhythm = Rhythm()
    for minute in range(24 * 60):
        rhythm.learn(MIDNIGHT + 60 * minute, 3000, 60)
    end = MIDNIGHT + 86_400
    hour = int(end // 3600 - 1) % len(rhythm.week)
    usual = rhythm.week[hour]
    for at, seconds in idle_minutes(end, end + 8 * 3600):
        rhythm.learn(at, 0, seconds)
    for minute in range(10):
        rhythm.learn(end + 8 * 3600 + 60 * minute, 3000, 60)
    assert rhythm.week[hour] == pytest.approx(usual, rel=0.05)
