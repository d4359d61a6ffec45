"""Logs through the brain, in a closed loop: what is found, and what is not."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from holdfast.replay.access_log import Entry
from holdfast.replay.order import Order, Second
from holdfast.replay.replayed import Replay
from holdfast.replay.telling import UNKNOWN, tell, unknown_of
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.counts import Counts
from holdfast.shield.features import Feature
from holdfast.shield.sample import Sample
from tests.unit.replay.logs import BROWSERS, START, calm, flood, mixed

HOUR = 3600
LATER = START + 2 * HOUR
"""The site is warm, and no longer young, after two hours of five requests a second."""


def seconds_of(entries: Iterable[Entry]) -> list[Second]:
    return list(Order().seconds(entries))


def replayed(entries: Iterable[Entry]) -> Replay:
    seconds = seconds_of(entries)
    first = seconds[0]
    made = Replay("site", first.at, unknown_of(first.entries[0]), np.random.default_rng(1))
    made.run(seconds)
    return made


@pytest.fixture(scope="module")
def usual() -> list[Entry]:
    return list(calm(5, 2 * HOUR + 300))


def kept(made: Replay, of: str = "all") -> int:
    touched = made.tally.mitigations.values()
    return sum(getattr(each, of).total() - getattr(each, of)["passed"] for each in touched)


def test_a_calm_log(usual: list[Entry]) -> None:
    made = replayed(usual)
    assert (made.records, made.surges, kept(made)) == ([], [], 0)
    assert made.requests == len(usual)
    assert not made.brain.baseline.is_young(made.until)


def test_a_flood_is_named_by_its_agent_and_harms_nobody(usual: list[Entry]) -> None:
    made = replayed(mixed(usual, flood(500, 60, LATER)))
    (record,) = made.records
    (mitigation,) = record.mitigations.values()
    assert (mitigation.features, mitigation.values) == (("agent",), ("floodtool/1.0",))
    assert 0 < record.attack.began - LATER <= 1.0
    assert kept(made) > 0.95 * 500 * 60
    assert kept(made, "usual") == 0
    assert made.tally.meanwhile[record.attack.id] > 100  # so that somebody was there to be harmed
    assert made.reached[record.attack.id] == pytest.approx(500 * 60 - kept(made), rel=0.5)
    assert record.attack.ended is not None
    assert made.brain.response.mitigations() == ()


def test_a_mimic_on_one_path_is_named_with_what_sets_it_apart(usual: list[Entry]) -> None:
    mimic = flood(500, 60, LATER, agent=BROWSERS[0], path="/blog/article-1.html")
    made = replayed(mixed(usual, mimic))
    (record,) = made.records
    assert all(len(each.features) > 1 for each in record.mitigations.values())
    assert kept(made) > 0.95 * 500 * 60
    assert kept(made, "usual") <= 0.005 * made.tally.meanwhile[record.attack.id]


def test_a_flood_of_some_requests_a_second_is_found_too(usual: list[Entry]) -> None:
    made = replayed(mixed(usual, flood(40, 60, LATER)))
    assert len(made.records) == 1
    assert made.records[0].attack.began - LATER < 10
    assert kept(made, "usual") == 0


def test_a_crowd_is_a_surge_and_no_attack(usual: list[Entry]) -> None:
    made = replayed(mixed(usual, calm(100, 60, seed=9, start=LATER)))
    assert made.records == []
    (surge,) = made.surges
    assert 0 < surge.began - LATER <= 1.0
    assert surge.peak > 90
    assert surge.usual == pytest.approx(5, rel=0.5)


@pytest.mark.parametrize("seconds", [1200, 2 * HOUR + 300])
def test_a_crowd_at_one_page_is_no_attack(seconds: int) -> None:
    """Its requests have the same values in all that a log does not tell; a young site takes the longer
    signature of two."""
    begin = START + seconds - 300
    page = "GET /blog/article-7.html HTTP/1.1"
    crowd = (each._replace(request=page, referer="") for each in calm(100, 60, seed=9, start=begin))
    made = replayed(mixed(calm(5, seconds), crowd))
    assert made.records == []
    assert len(made.surges) == 1


def test_a_log_without_agents_confirms_nothing(usual: list[Entry]) -> None:
    entries = (each._replace(agent=None, referer=None) for each in mixed(usual, flood(500, 60, LATER)))
    made = replayed(entries)
    assert Feature.AGENT in made.brain.unknown
    assert made.records == []
    assert len(made.surges) == 1


def test_a_young_site_challenges_at_most() -> None:
    made = replayed(mixed(calm(5, 900), flood(300, 60, START + 600)))
    (record,) = made.records
    steps = {step.action for each in record.mitigations.values() for step in each.steps}
    assert steps == {"challenge", "withdrawn"}
    assert made.brain.baseline.is_young(made.until)


def test_names_in_place_of_addresses(usual: list[Entry]) -> None:
    entries = mixed(usual, flood(500, 60, LATER))
    made = replayed(each._replace(host=f"host-{each.host}.isp.example") for each in entries)
    assert [each.features for each in made.records[0].mitigations.values()] == [("agent",)]
    assert kept(made, "usual") == 0


def test_what_one_client_sends_is_for_its_own_limits(usual: list[Entry]) -> None:
    alone = (each._replace(host="198.18.0.1") for each in flood(100, 60, LATER))
    made = replayed(mixed(usual, alone))
    assert made.records == []
    assert len(made.surges) == 1


def test_pulses_that_are_close_are_one_attack(usual: list[Entry]) -> None:
    pulses = (flood(300, 10, LATER - HOUR + each * 40) for each in range(3))
    made = replayed(mixed(usual, *pulses))
    assert len(made.records) == 1
    assert kept(made) > 0.95 * 3 * 300 * 10
    assert kept(made, "usual") == 0


def test_the_record_begins_before_the_attack(usual: list[Entry]) -> None:
    made = replayed(mixed(usual, flood(500, 20, LATER)))
    (record,) = made.records
    before = [row for row in record.rows if row.end <= LATER]
    assert len(before) == pytest.approx(30, abs=2)
    assert sum(row.requests for row in before) / sum(row.seconds for row in before) == pytest.approx(
        5, rel=0.5
    )
    assert all(row.answers == 0 for row in record.rows)


def test_an_hour_without_a_line() -> None:
    made = replayed([*calm(0.1, 600), *calm(0.1, 600, start=START + 5 * HOUR)])
    assert made.brain.baseline.rhythm.age == pytest.approx(5 * HOUR + 600, abs=300)
    assert made.last == pytest.approx(START + 5 * HOUR + 600, abs=60)


def test_a_single_line() -> None:
    made = replayed(list(calm(5, 60))[:1])
    assert made.requests == 1
    assert made.last - made.first == 1


def test_the_same_log_gives_the_same(usual: list[Entry]) -> None:
    entries = mixed(usual, flood(300, 30, LATER))
    one, other = (replayed(entries) for _ in range(2))
    assert one.brain.baseline.document() == other.brain.baseline.document()
    assert one.records == other.records


@pytest.mark.parametrize("hectic", [0.0, 20.0])
def test_long_steps_in_calm_learn_what_ten_looks_a_second_do(hectic: float) -> None:
    """An edge's ticks over the same requests, at the same moments; also with half a minute in which many
    come, before one in which few do."""
    entries = mixed(
        calm(8, 900), calm(1, 300, start=START + 900), calm(hectic, 30, seed=5, start=START + 870)
    )
    made = replayed(entries)
    brain, rng = SiteBrain("site", Baseline.new(START), UNKNOWN), np.random.default_rng(1)
    of_second = {each.at: each.entries for each in seconds_of(entries)}
    for at in range(START, made.until):
        came = of_second.get(at, [])
        for tick in range(10):
            part = [
                Sample(moment, "log", *tell(entry)[:2], origin_ms=0.5, agent=entry.agent or "")
                for place, entry in enumerate(came)
                if tick <= 10 * (place + 0.5) / len(came) < tick + 1
                for moment in [at + (place + 0.5) / len(came)]
            ]
            now = at + (tick + 1) / 10
            brain.tick(now, Counts(now, 0.1, len(part)), part, rng)
    fast, slow = made.brain.baseline, brain.baseline
    assert fast.rhythm.level == pytest.approx(slow.rhythm.level, rel=0.02)
    assert fast.rhythm.bunching == pytest.approx(slow.rhythm.bunching, rel=0.1)
    assert set(fast.networks(made.until + 1800)) == set(slow.networks(made.until + 1800))
    assert fast.clean_samples == pytest.approx(slow.clean_samples, rel=0.02)
