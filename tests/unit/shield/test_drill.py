"""What a drill leaves in the brain: nothing that is learned, and, once another one begins, nothing at all."""

from __future__ import annotations

import itertools

import pytest

from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.phase import Phase
from tests.unit.shield.traffic import START, Site, bot, visitor

VISITORS, FLOOD = ("visitors", 20.0, visitor), ("flood", 350.0, bot)


def new_site() -> Site:
    """One of which nothing is known, as a demonstration's is."""
    return Site(SiteBrain("gazette", Baseline.new(START)), capacity=1000)


def drilled(made: Site, flood: tuple[str, float, object] = FLOOD) -> str:
    """The parts of a drill, and the id of the attack that it was taken for."""
    made.run(12, VISITORS)
    made.run(10, VISITORS, flood)  # type: ignore[arg-type]
    made.run(5, VISITORS)
    return made.brain.attack.id if made.brain.attack else ""


def test_a_drill_at_a_new_site_is_taken_for_an_attack_and_no_visitor_is_touched() -> None:
    made = new_site()
    assert drilled(made)
    assert made.kept.get("visitors", 0) == 0
    assert made.kept["flood"] > 0.8 * 3500


def test_a_second_drill_is_seen_like_the_first_and_nothing_grows_with_their_number() -> None:
    made = new_site()
    ids, held, served = [], [], [0]
    for _ in range(4):
        ids.append(drilled(made))
        held.append(made.brain._hold(made.now))
        served.append(made.served["flood"])
        made.brain.end_drill(made.now)
        assert made.brain.phase is Phase.CALM
        assert made.brain.attack is None
        assert not made.brain.response.standing
        assert not made.brain.remembered
    assert len({*ids, ""}) == 5
    assert len(set(held)) == 1
    reached = [after - before for before, after in itertools.pairwise(served)]
    assert all(0 < each < 350 for each in reached), "each was named anew, within a second"


@pytest.mark.parametrize("rate", [350.0, 0.0])
def test_nothing_of_a_drill_is_learned(rate: float) -> None:
    """Of one whose flood was not seen neither; without ``unlearn`` its visitors would be."""
    left, kept = new_site(), new_site()
    for made in (left, kept):
        drilled(made, ("flood", rate, bot))
    left.brain.unlearn()
    for made in (left, kept):
        made.run(90)
    assert left.brain.baseline.clean_samples == 0
    assert (kept.brain.baseline.clean_samples > 0) is (rate == 0.0)
