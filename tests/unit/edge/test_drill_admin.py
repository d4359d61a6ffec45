"""What a drill is told is usual at a site."""

from __future__ import annotations

from holdfast.edge.drill_admin import usual_of
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from tests.unit.shield.traffic import START, Site, visitor, warm


def test_a_site_of_which_nothing_is_known_may_have_fifty_requests_a_second() -> None:
    usual = usual_of(SiteBrain("gazette", Baseline.new(START)), START)
    assert (usual.mean, usual.bound) == (0.0, 50.0)


def test_of_a_young_one_it_is_what_it_had_just_now() -> None:
    made = Site(SiteBrain("gazette", Baseline.new(START)))
    made.run(20, ("visitors", 30.0, visitor))
    usual = usual_of(made.brain, made.now)
    assert 25 < usual.mean < 35
    assert 125 < usual.bound < 175


def test_of_a_known_one_it_is_what_its_brain_compares_with() -> None:
    made = Site(SiteBrain("gazette", warm(rate=50.0)))
    made.run(5, ("visitors", 50.0, visitor))
    usual = usual_of(made.brain, made.now)
    assert 30 < usual.mean < 70
    assert usual.mean < usual.bound <= made.brain.sight.upper
