"""One site's brain against made-up floods: seen in time, named rightly, nobody harmed, undone."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from holdfast.model.mitigation import Action
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.features import Feature
from holdfast.shield.phase import Phase
from holdfast.shield.sample import Sample
from tests.unit.shield.traffic import START, TICK, Make, Site, bot, mimic, values, visitor, warm

CALM = ("visitors", 50.0, visitor)


@cache
def _warm() -> Baseline:
    return warm()


def site(**more: float) -> Site:
    made = Site(SiteBrain("shop", copy.deepcopy(_warm())), **more)  # type: ignore[arg-type]
    made.run(10, CALM)
    return made


def seconds_until_attack(made: Site, *flood: tuple[str, float, Make]) -> float:
    began = made.now
    for _ in range(50):
        made.tick(CALM, *flood)
        if made.brain.attack:
            return made.now - began
    raise AssertionError("no attack was seen within 10 s")


def test_calm_is_calm() -> None:
    made = site()
    made.run(60, CALM)
    assert made.brain.phase is Phase.CALM
    assert not made.brain.response.standing


def test_a_flood_of_one_tool_is_named_and_stopped_within_a_second() -> None:
    made = site()
    assert seconds_until_attack(made, ("flood", 2000, bot)) <= 0.6
    made.run(1, CALM, ("flood", 2000, bot))
    served, kept = dict(made.served), dict(made.kept)
    made.run(5, CALM, ("flood", 2000, bot))
    assert made.served.get("flood", 0) - served.get("flood", 0) == 0
    assert made.kept["flood"] - kept["flood"] > 9000
    assert made.kept.get("visitors", 0) == 0


def test_no_signature_touches_what_the_site_usually_has() -> None:
    made = site()
    seconds_until_attack(made, ("flood", 2000, bot))
    for standing in made.brain.response.standing.values():
        assert standing.mitigation.harm <= 0.02
        assert "agent" in standing.mitigation.features or "names" in standing.mitigation.features


def test_what_can_be_borne_is_not_denied_but_challenged() -> None:
    made = site()
    seconds_until_attack(made, ("flood", 2000, bot))
    assert {each.mitigation.action for each in made.brain.response.standing.values()} == {Action.CHALLENGE}


def test_a_flood_that_costs_too_much_to_challenge_is_denied() -> None:
    made = site()
    seconds_until_attack(made, ("flood", 8000, bot))
    made.run(2, CALM, ("flood", 8000, bot))
    actions = {each.mitigation.action for each in made.brain.response.standing.values()}
    assert actions <= {Action.DENY, Action.DROP}
    assert made.kept.get("visitors", 0) == 0


def test_mitigations_go_when_the_flood_has_gone_and_come_back_at_once_with_it() -> None:
    made = site()
    seconds_until_attack(made, ("flood", 2000, bot))
    made.run(5, CALM, ("flood", 2000, bot))
    made.run(30, CALM)
    assert made.brain.response.standing, "held, as floods come in pulses"
    made.run(60, CALM)
    assert not made.brain.response.standing
    assert made.brain.phase is Phase.CALM
    assert [note.kind for _, note in made.brain.news].count("ends") == 1
    assert seconds_until_attack(made, ("flood", 2000, bot)) <= 2 * TICK + 1e-6


def test_mimicry_is_answered_by_a_challenge_of_strangers_and_the_known_get_through() -> None:
    made = site()
    seconds_until_attack(made, ("flood", 2000, mimic))
    made.run(5, CALM, ("flood", 2000, mimic))
    assert ("stranger",) in {match[0] for match in made.brain.response.standing}
    kept = dict(made.kept)
    made.run(10, CALM, ("flood", 2000, mimic))
    # A tenth come once, and an eighth of the others have not come in the week that was learned.
    assert made.kept["visitors"] - kept.get("visitors", 0) < 0.3 * 500


def test_a_crowd_that_the_origin_can_serve_is_no_attack() -> None:
    made = site()
    made.run(20, ("visitors", 180, visitor))
    assert made.brain.attack is None
    assert not made.brain.response.standing


def test_the_beginning_of_a_flood_is_not_learned() -> None:
    made = site()
    seconds_until_attack(made, ("flood", 2000, bot))
    made.run(30, CALM, ("flood", 2000, bot))
    made.run(200, CALM)
    assert not any("floodtool" in each for each in made.brain.baseline.familiar(0))  # type: ignore[arg-type]
    assert made.brain.baseline.expected(made.now, 1.0).mean < 75


def test_a_cold_site_is_defended_with_what_it_saw_in_a_minute() -> None:
    made = Site(SiteBrain("shop", Baseline.new(START)))
    made.run(30, CALM)
    assert seconds_until_attack(made, ("flood", 2000, bot)) <= 1.0
    made.run(10, CALM, ("flood", 2000, bot))
    assert {each.mitigation.action for each in made.brain.response.standing.values()} == {Action.CHALLENGE}
    assert made.kept.get("visitors", 0) <= 0.02 * 500


def test_same_input_same_decision() -> None:
    def story() -> list[tuple[str, ...]]:
        made = site()
        made.run(3, CALM, ("flood", 2000, bot))
        return [(note.kind, note.words) for _, note in made.brain.news]

    assert story() == story()


@pytest.mark.parametrize("sampled", [0.2, 0.05])
def test_a_part_of_the_requests_is_enough(sampled: float) -> None:
    made = site()
    made.run(4, CALM, ("flood", 2000, bot), sampled=sampled)
    assert made.brain.attack is not None
    assert made.kept.get("visitors", 0) == 0
    assert made.kept["flood"] > 4000


def test_an_undone_mitigation_does_not_come_back_in_this_attack() -> None:
    made = site()
    seconds_until_attack(made, ("flood", 2000, bot))
    (match,) = list(made.brain.response.standing)[:1]
    identifier = made.brain.response.standing[match].mitigation.id
    assert made.brain.undo(identifier, made.now, forbid=False)
    made.run(5, CALM, ("flood", 2000, bot))
    assert match not in made.brain.response.standing
    assert not made.brain.undo("nothing", made.now, forbid=False)


def test_a_site_that_comes_here_under_attack_is_defended_although_nothing_is_known_of_it() -> None:
    made = Site(SiteBrain("shop", Baseline.new(START)))
    made.run(15, CALM, ("flood", 2000, bot))
    assert made.brain.attack is not None
    assert {each.mitigation.action for each in made.brain.response.standing.values()} == {Action.CHALLENGE}
    assert made.kept["flood"] > 2000


def test_a_challenge_of_all_strangers_ends_with_the_flood_and_not_with_the_strangers() -> None:
    made = site()
    seconds_until_attack(made, ("flood", 2000, mimic))
    made.run(5, CALM, ("flood", 2000, mimic))
    assert ("stranger",) in {match[0] for match in made.brain.response.standing}
    made.run(30, CALM)
    assert ("stranger",) not in {match[0] for match in made.brain.response.standing}
    made.run(60, CALM)
    assert made.brain.phase is Phase.CALM


def test_a_challenge_of_everybody_ends_with_the_flood() -> None:
    made = Site(SiteBrain("shop", Baseline.new(START)))
    made.run(60, CALM, ("flood", 2000, bot))
    assert ((), ()) in made.brain.response.standing
    assert made.brain.attack is not None
    made.run(120, CALM)
    assert not made.brain.response.standing
    assert made.brain.phase is Phase.CALM


def at_the_front(rng: np.random.Generator, at: float) -> Sample:
    """A visitor at a page that usually nobody asks for, and that the flood asks for, too."""
    made = visitor(rng, at)
    agent, names, network = (made.values[each] for each in (Feature.AGENT, Feature.NAMES, Feature.NETWORK))
    return replace(made, values=values(agent[2:], names[2:], network, "/"), path="/")


def test_a_tool_does_not_hide_behind_a_page_that_is_new() -> None:
    """All of the excess has the page, which says nothing of who asks; nearly all has the tool, too. The
    origin bears it, so that nothing else would confirm it; and the visitors of that page are spared."""
    made = site(capacity=2000)
    crowd = ("front", 20.0, at_the_front)
    made.run(3, CALM, crowd)
    assert seconds_until_attack(made, ("flood", 350, bot), crowd) <= 1.0
    made.run(5, CALM, crowd, ("flood", 350, bot))
    matched = {each.mitigation.features for each in made.brain.response.standing.values()}
    assert matched
    assert all({"agent", "names"} & set(each) for each in matched)
    assert made.kept["flood"] > 1000
    assert made.kept.get("front", 0) == made.kept.get("visitors", 0) == 0


def by_one_link(rng: np.random.Generator, at: float) -> Sample:
    """One of a crowd that comes by a link: the same page, and the same headers are missing in all."""
    made = visitor(rng, at)
    agent, names, network = (made.values[each] for each in (Feature.AGENT, Feature.NAMES, Feature.NETWORK))
    told = values(agent[2:], f"{names[2:]} without referer", network, "/story", presence="00011")
    return replace(made, values=told, path="/story")


@pytest.mark.parametrize("rate", [200.0, 500.0])
def test_a_crowd_that_comes_by_one_link_is_no_attack(rate: float) -> None:
    """What says who asks is new in all of them, but it is no one program that asks: neither while it lasts,
    nor when it goes."""
    made = site(capacity=5000)
    made.run(30, CALM, ("crowd", rate, by_one_link))
    made.run(30, CALM)
    assert not [words for _, words in made.brain.news]
    assert not made.kept
