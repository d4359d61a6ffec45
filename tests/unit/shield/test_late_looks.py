"""A machine under strain looks late at its sites, and seldom: that neither hides a flood nor keeps an attack
from its end."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.shield.attack import Attack
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.counts import Counts
from tests.unit.shield.traffic import START, Site, bot, visitor, warm

CALM = ("visitors", 20.0, visitor)


@pytest.mark.parametrize("seconds", [0.1, 4.0])
def test_a_late_look_does_not_teach_a_cold_site_its_flood(seconds: float) -> None:
    """The first look after 4 s sees the flood's beginning, as the counts of a short span or of a long one."""
    made = Site(SiteBrain("shop", Baseline.new(START)), capacity=10_000)
    made.run(12, CALM)
    made.now += 4
    made.brain.tick(made.now, Counts(made.now, seconds, 4 * 470), [], made.rng)
    made.run(10, CALM, ("flood", 450.0, bot))
    assert made.brain.attack is not None, (made.brain._calm_rate, made.brain.sight.upper)


def test_an_attack_ends_however_seldom_its_site_is_looked_at() -> None:
    """Less often than each half second, which is the shorter of the spans that are compared."""
    rng, rate = np.random.default_rng(1), 50
    for every in (0.2, 0.6, 1.0, 3.0):
        brain = SiteBrain("shop", warm(rate))
        brain.resume(Attack("shop-1", "shop", START - 10, "a test"), START)
        for number in range(int(150 / every)):
            now = START + every * (number + 1)
            brain.tick(now, Counts(now, every, round(rate * every)), [], rng)
        assert brain.sight.rate == pytest.approx(rate, rel=0.01), every
        assert brain.attack is None, every
