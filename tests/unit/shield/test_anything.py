"""Whatever comes: the brain never raises, decides the same for the same input, keeps to its bounds of harm,
number and time, and stays small and fast where all values are new."""

from __future__ import annotations

import copy
import pickle
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.model.mitigation import AUTOMATIC, Action, Mitigation
from holdfast.shield.baseline import TEXT_BYTES, Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.counts import Counts
from holdfast.shield.features import Feature
from holdfast.shield.harm import DENY_HARM
from holdfast.shield.response import LIFETIME, MOST
from holdfast.shield.sample import Sample
from tests.unit.shield.traffic import START, TICK, Make, Site, bot, mimic, values, visitor, warm

MANY = 10_000
MAKERS: tuple[Make, ...] = (visitor, bot, mimic)


@cache
def _warm() -> Baseline:
    return warm()


@st.composite
def ticks(draw: st.DrawFn) -> list[tuple[float, int, dict[str, float], int]]:
    """(seconds, seed, what was counted, requests sampled), in stretches of one kind."""
    made = []
    for _ in range(draw(st.integers(1, 6))):
        step = draw(st.sampled_from([0.2, 0.2, 0.2, 0.25, 1.0, 30.0, 3600.0, -1.0, -3600.0]))
        each = {
            name: float(draw(st.sampled_from([0, 1, 8, 40, 500, 5000])))
            for name in ("requests", "waited", "overflowed", "denied")
        }
        count = draw(st.sampled_from([0, 1, 12, 60, 300]))
        seed = draw(st.integers(0, 2**20))
        made.append((step, seed, each, count))
        made += [(0.2, seed + number, each, count) for number in range(1, draw(st.integers(1, 12)))]
    return made


def sampled(
    rng: np.random.Generator, at: float, count: int, standing: tuple[Mitigation, ...]
) -> list[Sample]:
    """Of all kinds, some of them touched by what stands, or by what stands no more."""
    make, spread = MAKERS[int(rng.integers(3))], float(rng.choice([0.2, 5.0, 4000.0]))
    verdicts = ["", "", "gone", *(each.id for each in standing)]
    return [
        replace(
            make(rng, at - spread * float(rng.random())),
            status=int(rng.choice([0, 200, 403, 503])),
            origin_ms=float(rng.choice([0.0, 0.5, 20.0, 9000.0])),
            queue_ms=float(rng.choice([0.0, 0.0, 5000.0])),
            weight=float(rng.choice([1.0, 1.0, 10_000.0])),
            verdict=str(rng.choice(verdicts)),
            cleared=bool(rng.random() < 0.2),
        )
        for _ in range(count)
    ]


def story(plan: list[tuple[float, int, dict[str, float], int]], is_young: bool) -> list[object]:
    """Everything that was decided, checked at each step."""
    brain = SiteBrain("shop", Baseline.new(START) if is_young else copy.deepcopy(_warm()))
    now, latest, told = START, START, list[object]()
    for step, seed, each, count in plan:
        now += step
        latest = max(latest, now)
        rng = np.random.default_rng(seed)
        samples = sampled(rng, now, count, brain.response.mitigations())
        brain.tick(now, Counts(now, max(step, 1e-3), **each), samples, rng)
        listed = brain.response.mitigations()
        check(listed, now, latest, brain.baseline.is_young(now))
        told.append((brain.phase, listed, [note for _, note in brain.news]))
    return told


def check(listed: tuple[Mitigation, ...], now: float, latest: float, is_young: bool) -> None:
    """``latest``: what the clock has shown at most; it may have been set back since."""
    moment = datetime.fromtimestamp(now, UTC)
    assert len(listed) <= MOST + 2, "the whole site and all strangers are no signatures"
    assert len({each.id for each in listed}) == len(listed)
    for each in listed:
        assert each.author == AUTOMATIC
        assert each.attack
        assert each.reason
        assert each.evidence or each.reason.endswith("is back"), each
        if each.action in (Action.DENY, Action.DROP):
            assert each.harm <= DENY_HARM
            assert each.features
        assert each.until <= datetime.fromtimestamp(latest, UTC) + LIFETIME
        assert not (is_young and each.since == moment and each.action in (Action.DENY, Action.DROP))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ticks(), st.booleans())
def test_whatever_comes_is_decided_alike_and_within_bounds(
    plan: list[tuple[float, int, dict[str, float], int]], is_young: bool
) -> None:
    assert story(plan, is_young) == story(plan, is_young)


def unlike(rng: np.random.Generator, at: float) -> Sample:
    """No two of ten thousand alike: path, agent, order of headers, query, referer and language."""
    made, number = bot(rng, at), int(rng.integers(MANY))
    told = values(f"agent {number}", f"order {number}", made.values[-1], f"/{number}/{number}")
    names = list(told)
    names[Feature.QUERY], names[Feature.LANGUAGE] = f"query {number}", f"language {number}"
    return replace(made, values=tuple(names), path=f"/{number}", agent=f"agent {number}")


@pytest.mark.parametrize("make", [unlike, mimic], ids=["unlike", "mimicry"])
def test_ten_thousand_paths_and_agents_cost_little(make: Make) -> None:
    """In calm, where they are learned, and in a flood."""
    made = Site(SiteBrain("shop", copy.deepcopy(_warm())))
    made.run(60, ("visitors", 50, make))
    made.brain.baseline.learn([make(made.rng, made.now + at / 50) for at in range(3 * MANY)], made.rng)
    calm = len(pickle.dumps(made.brain))
    took = []
    flood, tick = ("flood", 2000.0, make), made.brain.tick

    def timed(now: float, counts: Counts, samples: list[Sample], rng: np.random.Generator) -> None:
        begun = time.thread_time()
        tick(now, counts, samples, rng)
        took.append(time.thread_time() - begun)

    made.brain.tick = timed  # type: ignore[method-assign,assignment]
    made.run(10, ("visitors", 50, visitor), flood)
    del made.brain.tick
    assert statistics.quantiles(took, n=20)[-1] < 0.05
    assert len(made.brain.response.standing) <= MOST + 2
    assert len(pickle.dumps(made.brain)) < calm + 3_000_000
    clean = made.brain.baseline._clean
    for feature in (Feature.AGENT, Feature.NAMES):
        kept = clean._texts.kept(feature, clean.rows)
        assert sum(map(len, kept.values())) <= TEXT_BYTES
    assert len(pickle.dumps(made.brain.baseline)) < 2_000_000


def test_ticks_without_anything_change_nothing() -> None:
    made = Site(SiteBrain("shop", Baseline.new(START)))
    made.run(1000 * TICK)
    assert not made.brain.news
    assert not made.brain.response.standing
