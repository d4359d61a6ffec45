"""Attackers who behave for hours, so as to be taken for normal: what they gain, and its bound."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from holdfast.model.mitigation import Action
from holdfast.shield.baseline import CLIENT_SHARE, MEMORY, NETWORK_SHARE, SAMPLES, Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.features import Feature, code
from holdfast.shield.harm import DENY_HARM, upper_bound
from holdfast.shield.rhythm import HEADROOM
from holdfast.shield.sample import Sample
from tests.unit.shield.traffic import START, Make, Site, bot, visitor, warm

USUAL, CAPACITY = 50.0, 200.0
CALM = ("visitors", USUAL, visitor)
HOURS = 6
TAUGHT_AN_HOUR = 2 * SAMPLES * 3600 / MEMORY
"""Clean samples that an hour can replace, at most."""


@cache
def _warm() -> Baseline:
    return warm()


def raised(most: float, hours: float = HOURS) -> Baseline:
    """Whoever raises the traffic minute by minute as far as is never noticed, up to ``most`` requests/s."""
    baseline = copy.deepcopy(_warm())
    for minute in range(int(60 * hours)):
        at = START + 60 * minute
        unseen = min(baseline.expected(at, seconds).upper for seconds in (0.5, 2.0))
        for second in range(60):
            baseline.learn_rate(at + second, min(most, 0.9 * unseen), 1.0)
    return baseline


def few(clients: int, networks: int) -> Make:
    """The flood's own fingerprint, slowly, from a few sources."""

    def one(rng: np.random.Generator, at: float) -> Sample:
        number = int(rng.integers(clients))
        network = f"198.18.{number % networks}.0"
        made = bot(rng, at)
        return replace(made, client=f"{network}-{number}", values=(*made.values[:-1], network))

    return one


def taught(share: float, make: Make) -> Baseline:
    """Calm hours in which this share of the requests is the attacker's."""
    baseline, rng = copy.deepcopy(_warm()), np.random.default_rng(3)
    for step in range(HOURS * 180):
        at = START + 20 * step
        samples = [
            replace((make if rng.random() < share else visitor)(rng, at + number / 5), weight=10.0)
            for number in range(100)
        ]
        baseline.learn_rate(at, 20 * USUAL, 20.0)
        baseline.learn(samples, rng)
    return baseline


def hits(baseline: Baseline) -> int:
    """Clean samples that have the flood's fingerprint."""
    return int((baseline.codes[:, Feature.AGENT] == code("a:floodtool/1.0")).sum())


def attacked(baseline: Baseline, rate: float, capacity: float = CAPACITY) -> Site:
    """Ten seconds of a flood some hours later."""
    made = Site(SiteBrain("shop", copy.deepcopy(baseline)), capacity=capacity, now=START + HOURS * 3600)
    made.run(10, CALM)
    assert made.brain.attack is None
    made.run(10, CALM, ("flood", rate, bot))
    return made


def test_who_raises_his_traffic_as_far_as_the_origin_bears_does_not_hide_a_flood_of_ten_times() -> None:
    made = attacked(raised(0.9 * CAPACITY), 10 * USUAL)
    assert made.brain.attack is not None
    assert made.brain.attack.began - START - HOURS * 3600 - 10 < 1
    assert made.kept.get("visitors", 0) <= 5
    assert made.served["flood"] <= 10 * USUAL


def test_who_raises_it_as_far_as_is_not_noticed_teaches_at_most_the_headroom() -> None:
    """At an origin that bears it all: he has sent as much as the flood that he hides."""
    before, after = _warm().rhythm.level, raised(1e9)
    assert after.rhythm.level <= before * 2 ** (HOURS / 24), "twice in its eighth day"
    mean, upper = after.expected(START + HOURS * 3600, 2.0)
    assert mean <= HEADROOM * after.rhythm.level
    assert upper <= 2 * HEADROOM * after.rhythm.level
    assert attacked(after, 2.2 * HEADROOM * before, capacity=1e9).brain.attack is not None


def test_such_a_flood_does_not_hide_from_an_origin_that_suffers() -> None:
    made = attacked(raised(1e9), 10 * USUAL)
    assert made.brain.attack is not None
    assert made.brain.attack.began - START - HOURS * 3600 - 10 < 3
    assert made.kept.get("visitors", 0) <= 5


@pytest.mark.parametrize(("clients", "networks"), [(1, 1), (10, 2)])
def test_few_sources_teach_no_more_than_their_share(clients: int, networks: int) -> None:
    """Even were all that came theirs."""
    baseline = taught(0.9, few(clients, networks))
    most = min(SAMPLES * CLIENT_SHARE * clients, SAMPLES * NETWORK_SHARE * networks)
    assert 0 < hits(baseline) <= min(most, HOURS * TAUGHT_AN_HOUR)


def test_one_percent_from_few_sources_is_denied_no_more_but_named_and_challenged_still() -> None:
    """What he gains is one rung of the ladder; no visitor is touched."""
    baseline = taught(0.02, few(10, 2))
    assert hits(baseline) <= 0.02 * HOURS * TAUGHT_AN_HOUR
    made = attacked(baseline, 6000)
    assert made.brain.attack is not None
    assert made.kept.get("visitors", 0) == 0
    for standing in made.brain.response.standing.values():
        assert standing.mitigation.harm <= DENY_HARM or standing.mitigation.action is Action.CHALLENGE


def test_a_tenth_of_the_traffic_from_a_botnet_for_hours_gains_a_bounded_share() -> None:
    """A tenth of what six hours teach, of a week: less than 1 %, so that its flood is still named (2 %), yet
    more than 0.1 %: it is challenged and not denied."""
    baseline = taught(0.1, few(1000, 200))
    harm = upper_bound(hits(baseline), SAMPLES)
    assert DENY_HARM < harm <= 0.01
    made = attacked(baseline, 2000)
    assert made.brain.attack is not None
    assert made.kept.get("visitors", 0) == 0
    assert made.served["flood"] <= 2000
    actions = {each.mitigation.action for each in made.brain.response.standing.values()}
    assert actions == {Action.CHALLENGE}


def test_the_flood_itself_teaches_nothing() -> None:
    made = attacked(_warm(), 2000)
    made.run(40, CALM, ("flood", 200, bot))
    made.run(120, CALM)
    assert hits(made.brain.baseline) == 0
    assert made.brain.baseline.expected(made.now, 1.0).mean <= 1.1 * USUAL
