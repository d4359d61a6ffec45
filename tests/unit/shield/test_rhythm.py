"""The rate's rhythm: what it expects of made-up sites, what it will not learn, how small it stays."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from holdfast.shield.rhythm import COLD_UPPER, HEADROOM, Expectation, Rhythm

DAY = 86_400
START = 20_000 * DAY


def usual(at: float) -> float:
    """Requests/s of a site that is four times as busy by day as by night."""
    return 25 - 15 * math.cos(2 * math.pi * at / DAY)


def fed(days: float, scale: float = 1.0, step: int = 10) -> Rhythm:
    """After some days of that site, told in spans of ``step`` seconds."""
    rhythm = Rhythm()
    rng = np.random.default_rng(1)
    for at in range(START, START + int(days * DAY), step):
        rhythm.learn(at, int(rng.poisson(usual(at) * scale * step)), step)
    return rhythm


def test_day_and_night() -> None:
    rhythm = fed(10)
    for hour in range(24):
        at = START + 10 * DAY + hour * 3600 + 1800
        rhythm.learn(at, usual(at) * 1800, 1800)
        expected = rhythm.expected(at, 1.0)
        assert expected.mean == pytest.approx(usual(at), rel=0.3), hour
        assert 1.3 * usual(at) < expected.upper < 5 * usual(at), hour


@pytest.mark.parametrize("scale", [0.05, 1.0, 40.0])
@pytest.mark.parametrize("seconds", [0.25, 1.0, 10.0])
def test_chance_alone_never_exceeds_the_bound_and_a_tenfold_flood_does(scale: float, seconds: float) -> None:
    rhythm = fed(8, scale)
    at = START + 8 * DAY
    mean = usual(at) * scale
    upper = rhythm.expected(at, seconds).upper
    counts = np.random.default_rng(2).poisson(mean * seconds, 1_000_000)
    assert counts.max() / seconds <= upper
    if mean * seconds >= 10:
        assert 10 * mean > upper


def test_the_shorter_the_span_the_wider_the_bound() -> None:
    rhythm = fed(2)
    uppers = [rhythm.expected(START + 2 * DAY, seconds).upper for seconds in (0.1, 0.25, 1, 5, 60)]
    assert uppers == sorted(uppers, reverse=True)


def test_bunches_are_measured() -> None:
    one_by_one, in_tens = Rhythm(), Rhythm()
    rng = np.random.default_rng(3)
    for at in range(START, START + 7200):
        one_by_one.learn(at, int(rng.poisson(20)), 1.0)
        in_tens.learn(at, 10 * int(rng.poisson(2)), 1.0)
    assert one_by_one.bunching == pytest.approx(1, abs=0.1)
    assert in_tens.bunching == pytest.approx(10, rel=0.1)
    assert in_tens.expected(at, 1).upper > 1.5 * one_by_one.expected(at, 1).upper


def test_quarters_of_a_second_are_put_together() -> None:
    whole, quarters = Rhythm(), Rhythm()
    rng = np.random.default_rng(3)
    for at in range(START, START + 4000):
        counts = rng.poisson(5, 4).tolist()
        whole.learn(at, sum(counts), 1.0)
        for index, count in enumerate(counts):
            quarters.learn(at + index / 4, count, 0.25)
    assert whole.to_document() == quarters.to_document()


def test_a_cold_site_has_a_safe_default() -> None:
    rhythm, told = Rhythm(), []
    for at in range(START, START + 3720):
        told.append((rhythm.is_warm, rhythm.expected(at, 1.0).upper))
        rhythm.learn(at, 100, 1.0)
    assert told[0] == (False, COLD_UPPER)
    assert told[1800][0] is False
    assert 500 < told[1800][1] < 800
    assert told[-1][0] is True
    assert 130 < told[-1][1] < 500


def test_a_site_without_visitors_stays_cold() -> None:
    rhythm = Rhythm()
    for at in range(START, START + 3 * DAY, 60):
        rhythm.learn(at, 0, 60)
    assert rhythm.expected(at, 1.0) == Expectation(0.0, COLD_UPPER)


def test_nothing_is_learned_from_a_minute_with_an_attack_nor_from_those_before() -> None:
    documents = []
    for before, during in [(10, 10), (60, 5000)]:
        rhythm = fed(2)
        at = START + 2 * DAY
        for second in range(900):
            seen = second >= 150  # before that it had begun, and nobody saw
            rhythm.learn(at + second, during if seen else before, 1.0, exclude=seen)
        rhythm.learn(at + 1200, 0, 1.0)
        documents.append(rhythm.to_document())
    assert documents[0] == documents[1]


def test_an_outage_is_no_rhythm() -> None:
    rhythm = fed(8)
    before = rhythm.expected(START + 10 * DAY, 1.0)
    for at in range(START + 8 * DAY, START + 10 * DAY, 60):
        rhythm.learn(at, 0, 60)
    after = rhythm.expected(START + 10 * DAY, 1.0)
    assert after.upper == pytest.approx(before.upper, rel=0.05)


def test_one_wild_hour_is_cut() -> None:
    rhythm = fed(8)
    level = rhythm.level
    at = START + 8 * DAY + 3600
    before = rhythm.expected(at, 1.0)
    for minute in range(60):
        rhythm.learn(at - 3600 + 60 * minute, 60 * 10_000, 60)
    assert rhythm.level < level * 1.05
    assert rhythm.expected(at, 1.0).upper < 6 * before.upper


def test_growth_is_followed() -> None:
    rhythm = fed(8)
    for at in range(START + 8 * DAY, START + 9 * DAY, 60):
        rhythm.learn(at, 2 * 60 * usual(at), 60)
    expected = rhythm.expected(at, 1.0)
    assert expected.mean == pytest.approx(2 * usual(at), rel=0.3)


def test_who_raises_the_rate_just_below_the_bound_gains_a_bounded_factor() -> None:
    """The worst that an attacker can do who is never noticed: each minute, almost all that is allowed."""
    rhythm = fed(14)
    at = START + 14 * DAY
    level = rhythm.level
    peak = max(usual(at + 3600 * hour) for hour in range(24))
    for day in range(1, 6):
        for _ in range(1440):
            upper = rhythm.expected(at, 60).upper
            rhythm.learn(at, 0.99 * upper * 60, 60)
            at += 60
        assert rhythm.level <= level * 1.42**day
        assert rhythm.expected(at, 1).mean <= HEADROOM * rhythm.level
        if day == 1:
            assert rhythm.expected(at, 1).mean < 10 * peak


@pytest.mark.parametrize(("requests", "seconds"), [(-1, 1), (1, 0), (1, -1), (math.nan, 1), (1, math.nan)])
def test_what_cannot_be_is_refused(requests: float, seconds: float) -> None:
    with pytest.raises(ValueError, match="must be at least 0"):
        Rhythm().learn(START, requests, seconds)


def test_the_clock_may_be_set_back_or_leap() -> None:
    rhythm = fed(2)
    for at in (START, START + 400 * DAY, 0, START + DAY):
        for second in range(0, 600, 10):
            rhythm.learn(at + second, 250, 10)
        assert 0 < rhythm.expected(at, 1).mean < rhythm.expected(at, 1).upper < 1000


def test_saved_small_and_whole() -> None:
    rhythm = fed(8)
    document = rhythm.to_document()
    text = json.dumps(document)
    assert len(text) < 4096
    again = Rhythm.from_document(json.loads(text))
    assert again.to_document() == document
    for hour in range(168):
        at = START + 8 * DAY + 3600 * hour
        assert again.expected(at, 1) == pytest.approx(rhythm.expected(at, 1), rel=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"week": "AAAA"},
        {"week": 7},
        {"level": None},
        {"level": math.nan},
        {"swing": "much"},
        {"counted": 0.0},
    ],
)
def test_what_is_no_rhythm_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no rhythm"):
        Rhythm.from_document(Rhythm().to_document() | change)
    with pytest.raises(ValueError, match="no rhythm"):
        Rhythm.from_document({})
