"""A clock that is stepped, by an administrator or by NTP, forth or back: no alarm in calm, no attack that is
missed, none that never ends."""

from __future__ import annotations

import copy
from functools import cache

import pytest

from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.counts import Counts, Recent
from holdfast.shield.phase import Phase
from tests.unit.shield.traffic import START, Site, bot, named, visitor, warm

CALM, FLOOD = ("visitors", 50.0, visitor), ("flood", 2000.0, bot)
FORTH_AND_BACK = pytest.mark.parametrize("hours", [1.0, -1.0], ids=["forth", "back"])


@cache
def _warm() -> Baseline:
    return warm()


def site() -> Site:
    made = Site(SiteBrain("shop", copy.deepcopy(_warm())))
    made.run(10, CALM)
    return made


@FORTH_AND_BACK
def test_a_stepped_clock_is_no_attack_in_calm(hours: float) -> None:
    made = site()
    before = made.brain.baseline.expected(START, 1.0)
    made.now += hours * 3600
    made.run(60, CALM)
    assert made.brain.phase is Phase.CALM
    assert not made.brain.news
    after = made.brain.baseline.expected(made.now, 1.0)
    assert 0.5 * before.mean <= after.mean <= 2 * before.mean
    assert made.brain.baseline.clean_samples == _warm().clean_samples


@FORTH_AND_BACK
def test_a_flood_after_the_step_is_seen(hours: float) -> None:
    made = site()
    made.now += hours * 3600
    made.run(20, CALM)
    made.run(3, CALM, FLOOD)
    assert made.brain.attack is not None


@FORTH_AND_BACK
def test_a_flood_during_the_step_is_held_and_its_end_is_seen(hours: float) -> None:
    made = site()
    made.run(5, CALM, FLOOD)
    made.now += hours * 3600
    made.run(5, CALM, FLOOD)
    assert made.brain.response.standing
    made.run(100, CALM)
    assert made.brain.phase is Phase.CALM
    assert not made.brain.response.standing


@FORTH_AND_BACK
def test_the_end_of_a_flood_is_seen_that_stops_with_the_step(hours: float) -> None:
    made = site()
    made.run(5, CALM, FLOOD)
    made.now += hours * 3600
    made.run(100, CALM)
    assert made.brain.phase is Phase.CALM


@FORTH_AND_BACK
def test_another_flood_after_the_step_is_held_too(hours: float) -> None:
    made = site()
    made.run(5, CALM, FLOOD)
    made.now += hours * 3600
    made.run(5, CALM, FLOOD)
    made.run(10, CALM, FLOOD, ("other", 2000.0, named("other")))
    assert made.kept.get("other", 0) > 0.8 * 10 * 2000


def test_counts_from_a_time_to_come_are_forgotten() -> None:
    """Else they would be summed up with those of now, and kept until that time has come."""
    recent = Recent()
    for second in range(10):
        recent.add(Counts(START + second, 1.0, requests=100))
    recent.add(Counts(START - 3600, 1.0, requests=7, open=50))
    assert (recent.over(10.0).requests, recent.growth(10.0)) == (7, 0)
