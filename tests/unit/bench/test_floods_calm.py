"""Scenario 12: calm weeks through the whole brain, what its requests look like, and that it is not deaf."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict

import numpy as np
import pytest

from bench.floods.calm import (
    CROWD,
    DAY,
    HOLDFAST,
    LAID_ON,
    PROBES,
    SCENARIO,
    START,
    TICKS,
    Part,
    WholeBrain,
    details,
    figures_of,
    in_ticks,
    in_time,
    made_up_counts,
    part,
    replay,
)
from bench.floods.calm_samples import BOT_AGENT, Visitors, bots, crowd, network_of
from bench.floods.figures import together
from bench.floods.made_up import made_up_visits
from bench.floods.ours import Holdfast
from bench.floods.scenario import find
from holdfast.shield.features import Feature
from holdfast.shield.phase import Phase

VISITS = made_up_visits()
HOURS = 4
CALM = list(made_up_counts(HOURS * 3600))


@pytest.fixture(scope="module")
def calm() -> Part:
    return part(CALM, START, VISITS, after=2 * 3600)


@pytest.fixture
def warm() -> WholeBrain:
    decide = WholeBrain(Visitors(VISITS))
    replay(CALM[: 2 * 3600], decide)
    assert decide.brain.baseline.rhythm.is_warm
    return decide


def test_a_calm_series_raises_no_alarm(calm: Part) -> None:
    assert calm.alarms.seconds == HOURS * 3600
    assert calm.alarms.requests == sum(CALM)
    assert (calm.alarms.raised, calm.decide.begun) == ([], [])
    figures = figures_of([calm], SCENARIO)
    assert (figures.false_alarms, figures.legit_denied, figures.legit_served) == (0, 0, 1.0)


def test_floods_on_top_of_it_are_seen_and_leave_no_trace(calm: Part) -> None:
    assert {name: len(each) for name, each in calm.floods.items()} == dict.fromkeys(LAID_ON, PROBES)
    assert all(each.confirmed is not None and each.confirmed <= 5 for each in calm.floods["100x"])
    assert calm.decide.suspicions == []


def test_a_flood_that_is_planted_in_the_series_is_one_alarm(warm: WholeBrain) -> None:
    """It is told by the brain's copy; then by the brain itself, with requests of one tool for a while."""
    told = warm.flooded([0] * 20, bots(60.0, 20.0, seed=1))
    assert told.confirmed is not None
    assert told.confirmed <= 3
    assert told.mitigated == told.confirmed
    assert warm.brain.phase is Phase.CALM

    flood = Visitors(VISITS)
    only = [sample for sample in bots(60.0, 20.0, seed=1) if sample.at < 20]
    flood.samples = lambda moments: [only[n % 40] for n, _ in enumerate(moments)]  # type: ignore[method-assign]
    warm.visitors = flood
    found = replay([60] * 20 + [0] * 90, warm, warm.now + 1)
    assert len(found.raised) == len(warm.begun) == 1
    assert warm.denied + warm.challenged > 500
    assert found.lasted < 110
    assert figures_of([Part(START, found, warm, {})], SCENARIO).false_alarms == 1


def test_the_same_input_gives_the_same_decisions() -> None:
    def told() -> tuple[object, ...]:
        found = part([*CALM[:7200], *[40] * 3, *CALM[7200:7400]], START, VISITS, 0.3, 5)
        decide = found.decide
        return found.alarms, decide.suspicions, decide.closely, decide.brain.baseline.document()

    assert told() == told()


def test_a_second_is_looked_at_closely_where_a_bound_could_be_exceeded(warm: WholeBrain) -> None:
    before = warm.closely
    replay([0] * 10 + [40] + [0] * 30, warm, warm.now + 1)
    assert 3 <= warm.closely - before < 40
    assert warm.suspicions


def test_the_requests_of_one_client_come_together() -> None:
    samples = Visitors(VISITS).samples([START] * 40)
    ticks = in_ticks(samples, np.random.default_rng(1))
    assert len(ticks) == TICKS
    assert sum(map(len, ticks)) == 40
    where = {(sample.client, number) for number, tick in enumerate(ticks) for sample in tick}
    assert len(where) == len({sample.client for sample in samples})


def test_newcomers_are_new_in_every_round_and_the_others_come_back() -> None:
    requests = sum(len(each.requests) for each in VISITS)
    visitors = Visitors(VISITS)
    first, second = (
        {each.values[Feature.NETWORK] for each in visitors.samples([START] * requests)} for _ in range(2)
    )
    times = Counter(network_of(each.address) for each in VISITS)
    assert first & second == {network for network, often in times.items() if often > 1}
    assert len(first - second) == len(second - first) == sum(often == 1 for often in times.values())


def test_a_sample_is_what_haproxy_would_have_told() -> None:
    sample = bots(50.0, 1.0, seed=3)[0]
    found = {feature: sample.values[feature] for feature in list(Feature)[:-1]}
    assert found[Feature.AGENT] == sample.agent == BOT_AGENT
    assert found[Feature.NAMES] == "host:user-agent:accept-encoding:accept:connection"
    assert found[Feature.QUERY] in ("q=", "s=", "p=")
    assert found[Feature.PRESENCE] == "10001"
    assert found[Feature.NETWORK] == network_of(sample.client)


def test_a_crowd_has_the_rate_that_was_asked_for() -> None:
    found = crowd(VISITS, 50.0, 20.0, seed=1)
    assert len(found) == pytest.approx(1000, rel=0.1)
    assert len({each.client for each in found}) > 100
    assert all(0 <= each.at < 20 for each in found)


def test_what_is_not_done_in_time_is_left_out() -> None:
    assert list(in_time([1] * DAY, time.monotonic() - 1)) == []
    assert len(list(in_time([1] * DAY, time.monotonic() + 60))) == DAY


def test_the_figures_are_those_of_the_issue(calm: Part) -> None:
    figures = figures_of([calm, calm], SCENARIO)
    line = json.loads(json.dumps(together([figures])))
    assert line["time_to_mitigate_s"] == {"p50": None, "max": None}
    assert line["flood_at_origin"] is None
    assert line["false_alarms"] == 0
    assert asdict(figures)["legit_requests"] == 2 * sum(CALM)
    assert (figures.contestant, find("12").stem) == (Holdfast.name, figures.scenario) == (HOLDFAST, SCENARIO)
    more = details([calm, calm])
    assert more["laid_on"][CROWD]["number"] == 2 * PROBES
    assert 0.1 < more["newcomers"] < 0.6
