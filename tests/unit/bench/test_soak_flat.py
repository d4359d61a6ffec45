"""Flatness: what counts as growth, and what does not."""

from __future__ import annotations

import random

import pytest

from bench.soak.flat import Point, flatness, slope_per_hour

HOUR = 3600


def points(value: object, step: int = 10, life: int = 1) -> list[Point]:
    assert callable(value)
    return [Point(at, life, value(at)) for at in range(0, HOUR, step)]


@pytest.mark.parametrize(
    ("value", "floor", "flat"),
    [
        (lambda at: 100.0, 0, True),
        (lambda at: 100 + 4 * at / HOUR, 0, True),  # 2 from one quarter to the other: within 5 %
        (lambda at: 100 + 20 * at / HOUR, 0, False),
        (lambda at: 100 + 20 * at / HOUR, 11, True),  # within the floor
        (lambda at: min(100.0, 20 + at / 8), 0, True),  # fills up in the first quarter
        (lambda at: 200 - 50 * at / HOUR, 0, True),  # shrinking is no leak
        (lambda at: 300.0 if at % 60 < 20 else 100.0, 0, True),  # high for a third of the time
        (lambda at: 100.0 if at < HOUR / 2 else 110.0, 0, False),
    ],
)
def test_growth_after_the_warm_up_is_judged_by_medians(value: object, floor: float, flat: bool) -> None:
    judged = flatness("memory", "MiB", points(value), 0, HOUR, floor)
    assert judged.flat is flat, judged


def test_wild_samples_in_one_quarter_change_nothing() -> None:
    wild = random.Random(1)
    series = [
        Point(each.at, each.life, 1e6 if wild.random() < 0.25 else each.value)
        for each in points(lambda at: 100 + at / HOUR)
    ]
    judged = flatness("memory", "MiB", series, 0, HOUR, 0)
    assert judged.flat
    assert judged.slope == pytest.approx(1, abs=0.5)


def test_the_slope_is_that_within_lives() -> None:
    """A process that grows and is started anew each quarter of an hour: from life to life nothing grows."""
    lives = [Point(at, at // 900, 50 + (at % 900) * 40 / HOUR) for at in range(0, HOUR, 10)]
    assert slope_per_hour(lives) == pytest.approx(40)
    assert flatness("memory", "MiB", lives, 0, HOUR, 0).growth == 0


def test_no_slope_where_nobody_lived_for_two_samples() -> None:
    assert slope_per_hour([Point(at, at, 1.0) for at in range(10)]) is None


def test_nothing_is_said_about_a_quarter_without_a_sample() -> None:
    with pytest.raises(ValueError, match="too few samples"):
        flatness("memory", "MiB", [Point(1, 1, 1.0)], 0, HOUR, 0)
