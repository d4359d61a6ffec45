"""Attackers who know how the shield decides: they pulse, change, copy visitors, share their addresses."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from holdfast.model.mitigation import Action
from holdfast.shield.attack import Attack
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import LONGEST_HOLD, SiteBrain
from holdfast.shield.counts import Counts
from holdfast.shield.harm import DENY_HARM
from holdfast.shield.response import MOST, signature_of
from holdfast.shield.sample import Sample
from holdfast.shield.signature import matches
from tests.unit.shield.traffic import START, TICK, Make, Site, bot, mimic, named, visitor, warm

CALM = ("visitors", 50.0, visitor)
REFUSING = (Action.DENY, Action.DROP)


@cache
def _warm() -> Baseline:
    return warm()


def site(**more: float) -> Site:
    made = Site(SiteBrain("shop", copy.deepcopy(_warm())), **more)  # type: ignore[arg-type]
    made.run(10, CALM)
    return made


def steps(made: Site, seconds: float, *streams: tuple[str, float, Make]) -> Iterator[None]:
    """Tick by tick."""
    for _ in range(round(seconds / TICK)):
        made.tick(*streams)
        yield


def usual_share(made: Site, match: tuple[tuple[str, ...], tuple[str, ...]]) -> float:
    """The share of the clean samples that a mitigation touches."""
    signature = signature_of(match)
    return float(matches(made.brain.baseline.codes, signature).mean()) if signature else 1.0


def refused_visitors(made: Site) -> int:
    return made.kept.get("visitors", 0)


@pytest.mark.parametrize("rate", [400.0, 2000.0, 7000.0])
def test_who_copies_visitors_cannot_have_them_denied(rate: float) -> None:
    made = site()
    for _ in steps(made, 4, CALM, ("flood", rate, mimic)):
        for match, standing in made.brain.response.standing.items():
            if standing.mitigation.action in REFUSING:
                assert usual_share(made, match) <= DENY_HARM
    assert made.brain.attack is not None


def test_who_copies_one_visitor_whole_has_him_challenged_at_most() -> None:
    """Agent, order of headers, path and language are those of one of twelve browsers."""
    like = visitor(np.random.default_rng(5), START)

    def copy_of(rng: np.random.Generator, at: float) -> Sample:
        network = mimic(rng, at).values[-1]
        return replace(like, at=at, client=network, values=(*like.values[:-1], network))

    made = site()
    made.run(6, CALM, ("flood", 1500, copy_of))
    assert made.brain.attack is not None
    for match, standing in made.brain.response.standing.items():
        assert standing.mitigation.action not in REFUSING or usual_share(made, match) <= DENY_HARM
    served = made.served["visitors"]
    made.run(6, CALM, ("flood", 1500, copy_of))
    assert made.served["visitors"] - served > 0.7 * 6 * 50


def dropping(*samples: Sample) -> SiteBrain:
    """A brain in an attack that drops a tool, and has just seen these."""
    brain = SiteBrain("shop", copy.deepcopy(_warm()))
    brain.resume(Attack("shop-1", "shop", START - 10, "a test"), START)
    brain.tick(START, Counts(START, TICK, 100), samples, np.random.default_rng(1))
    return brain


def test_a_ban_spares_addresses_that_many_share() -> None:
    """The network comes along: whether any site knows it is the shell's to say."""
    rng = np.random.default_rng(2)
    flood = [replace(bot(rng, START - 0.1), verdict="m", origin_ms=0.0) for _ in range(10)]

    def behind(client: str, network: str, count: int = 5) -> list[Sample]:
        return [replace(each, client=client, values=(*each.values[:-1], network)) for each in flood[:count]]

    person = replace(visitor(rng, START - 0.1), client="203.0.113.9")
    cleared = replace(behind("203.0.113.8", "203.0.113.0", 1)[0], cleared=True)
    brain = dropping(
        *behind("198.51.100.1", "198.51.100.0"),
        *behind("198.51.100.2", "198.51.100.0", 2),  # too little to say
        *behind("203.0.113.9", "203.0.113.0"),
        person,
        *behind("203.0.113.8", "203.0.113.0"),
        cleared,
    )
    assert brain.dropped_clients({"m"}, 3) == [("198.51.100.1", "198.51.100.0")]
    assert brain.dropped_clients(set(), 3) == []


def test_a_ban_spares_who_came_with_something_else_a_while_ago() -> None:
    """His own request is no longer among the samples at hand; a bot has his address too."""
    client, network = "203.0.113.9", "203.0.113.0"
    rng = np.random.default_rng(2)
    brain = dropping(replace(visitor(rng, START), client=client))
    for number in range(60):
        now = START + TICK * (number + 1)
        made = bot(rng, now)
        dropped = replace(made, values=(*made.values[:-1], network), verdict="m", origin_ms=0.0)
        both = [replace(dropped, client=client), replace(dropped, client="203.0.113.8")]
        brain.tick(now, Counts(now, TICK, 100), both, rng)
    assert not any(sample.client == client and not sample.verdict for sample in brain._samples)
    assert brain.dropped_clients({"m"}, 3) == [("203.0.113.8", network)]


def test_each_later_pulse_is_met_within_two_ticks_and_holds_are_bounded() -> None:
    made = site()
    flood, holds = ("flood", 600.0, bot), []
    made.run(10, CALM, flood)
    for pulse in range(5):
        made.run(30 if pulse < 2 else 130, CALM)  # the latter is longer than what is held at first
        holds.append(made.brain._hold(made.now))
        before = dict(made.served)
        made.run(2 * TICK, CALM, flood)
        made.run(10 - 2 * TICK, CALM, flood)
        through = made.served.get("flood", 0) - before.get("flood", 0)
        assert through <= 1.3 * 2 * TICK * 600, pulse
    assert refused_visitors(made) == 0
    assert holds == sorted(holds)
    assert holds[-1] > holds[0]
    for _ in range(12):
        made.brain._returns.append(made.now)
    assert made.brain._hold(made.now) == LONGEST_HOLD


def test_pulses_of_ten_seconds_each_forty_find_the_mitigation_in_place() -> None:
    made = site()
    for pulse in range(4):
        before = made.served.get("flood", 0)
        made.run(10, CALM, ("flood", 600, bot))
        assert made.served.get("flood", 0) - before <= (600 if pulse == 0 else 0)
        made.run(30, CALM)
    assert [note.kind for _, note in made.brain.news].count("begins") == 1
    assert refused_visitors(made) == 0


def test_a_flood_that_changes_its_fingerprint_every_five_seconds_is_followed() -> None:
    made = site()
    for number in range(6):
        before = made.served.get("flood", 0)
        made.run(5, CALM, ("flood", 600, named(f"tool{number}")))
        assert made.served.get("flood", 0) - before <= 1200, number
        assert len(made.brain.response.standing) <= MOST
    assert refused_visitors(made) <= 0.02 * 30 * 50
    assert [note.kind for _, note in made.brain.news].count("begins") == 1


def test_two_floods_at_once_are_both_named() -> None:
    made = site()
    floods = (("one", 800.0, named("alpha")), ("two", 800.0, named("beta")))
    made.run(4, CALM, *floods)
    served = dict(made.served)
    made.run(5, CALM, *floods)
    assert [made.served.get(name, 0) - served.get(name, 0) for name in ("one", "two")] == [0, 0]
    assert refused_visitors(made) == 0


def test_half_as_much_again_that_the_origin_bears_is_no_attack() -> None:
    made = site()
    made.run(30, CALM, ("more", 25, bot))
    assert made.brain.attack is None
    assert not made.brain.response.standing


def test_three_times_as_much_is_an_attack_where_the_origin_suffers() -> None:
    made = site(capacity=70.0)
    flood = ("flood", 100.0, bot)
    made.run(20, CALM, flood)
    assert made.brain.attack is not None
    served = dict(made.served)
    made.run(10, CALM, flood)
    assert made.served.get("flood", 0) - served.get("flood", 0) <= 0.05 * 1000
    assert refused_visitors(made) == 0
