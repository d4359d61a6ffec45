"""From records to figures: made-up runs of a few requests, and what must follow from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.floods.figures import figures, match, time_to_mitigate, together
from bench.floods.records import Arrival, Bot, Legit, Meta, Run, key_of, read_raw, write_raw

KEY = key_of("/?1")
META = Meta("01", "Holdfast", 0, 1, 90.0, 100.0, 112.0, 118.0, ((100.0, 112.0),), ("10.64.0.0/10",))
VISIT = Legit(95.0, 95.1, "192.0.2.1", "a", "visitor", "chrome", "GET", "/", 200, True, False)


def bots(begin: float, end: float, passed: float, rate: float = 100.0) -> list[Bot]:
    """A flood of which a share ``passed`` is answered by the origin, evenly."""
    made = []
    for number in range(round((end - begin) * rate)):
        sent = begin + number / rate
        origin = int((number + 1) * passed) > int(number * passed)
        made.append(Bot(sent, sent + 0.01, "10.64.0.1", 0, KEY, 200 if origin else 403, origin))
    return made


@pytest.mark.parametrize(
    ("flood", "expected"),
    [
        (bots(100, 110, 0.0), 0.0),
        (bots(100, 110, 0.04), 0.0),
        (bots(100, 110, 0.1), None),
        (bots(100, 102, 1.0) + bots(102, 110, 0.0), 2.0),
        (bots(100, 101, 0.0) + bots(101, 102, 1.0) + bots(102, 110, 0.0), 2.0),  # it must stay so
        (bots(100, 109.8, 1.0) + bots(109.8, 110, 0.0), None),  # no half second is left
        (bots(100, 109.5, 1.0) + bots(109.5, 110, 0.0), 9.5),  # nothing follows that speaks against it
        ([], None),
    ],
)
def test_time_to_mitigate(flood: list[Bot], expected: float | None) -> None:
    assert time_to_mitigate(flood, 100, 110) == expected


def test_the_clock_starts_with_the_first_packet() -> None:
    flood = bots(100.7, 102, 1.0) + bots(102, 110, 0.0)
    assert time_to_mitigate(flood, 100, 110) == pytest.approx(1.3)


def test_no_answer_is_a_refusal() -> None:
    silent = [replace(each, done=None, status=0, origin=False) for each in bots(100, 110, 1.0)]
    assert time_to_mitigate(silent, 100, 110) == 0.0


def arrival(at: float, address: str = "10.64.0.1", key: int = KEY) -> Arrival:
    return Arrival(at, at + 0.02, "a", address, key, 0, 200)


def test_what_reached_the_origin_without_an_answer_is_found() -> None:
    sent = [Bot(moment, None, "10.64.0.1", 0, KEY, 0, False) for moment in (1.0, 2.0, 3.0)]
    assert match(sent, [arrival(2.5)]) == [True, False, False]
    assert match(sent, [arrival(2.5), arrival(2.6)]) == [True, True, False]
    assert match(sent, [arrival(0.5)]) == [False, False, False]
    assert match(sent, [arrival(2.5, address="10.64.0.2"), arrival(2.5, key=7)]) == [False, False, False]


def test_what_was_refused_before_cannot_have_reached_it() -> None:
    refused = Bot(1.0, 1.1, "10.64.0.1", 0, KEY, 403, False)
    waiting = Bot(1.05, None, "10.64.0.1", 0, KEY, 0, False)
    assert match([refused, waiting], [arrival(1.5)]) == [False, True]


def test_legitimate_clients() -> None:
    denied = replace(VISIT, sent=104.0, done=104.1, status=403, origin=False, challenged=True)
    cases = [
        VISIT,
        replace(VISIT, sent=101.0, done=101.4),
        denied,
        replace(denied, status=0, challenged=False),
        replace(VISIT, sent=105.0, done=108.0, challenged=True, group="api"),
        replace(VISIT, sent=113.0, done=113.2, status=503),  # the origin's own, but no service
    ]
    seen = figures(Run(META, legit=cases, bots=bots(100, 112, 0.0)))
    assert seen.legit_served == pytest.approx(3 / 6)
    assert seen.legit_served_after_3s == pytest.approx(1 / 4)
    assert seen.legit_denied == 3
    assert seen.legit_challenged == pytest.approx(2 / 6)
    assert seen.challenged_served == 0.5
    assert seen.groups == {"api": 1.0, "visitor": 0.4}
    assert seen.before is not None
    assert seen.before.p50 == pytest.approx(100)
    assert seen.after is None


def test_the_flood_at_the_origin_counts_from_mitigation_on() -> None:
    flood = bots(100, 102, 1.0) + bots(102, 112, 0.0)
    late = [arrival(111.0), arrival(95.0, "192.0.2.1"), arrival(96.0, "")]
    flood[-1] = replace(flood[-1], sent=110.9, done=None, key=9)
    seen = figures(Run(META, bots=flood, arrivals=[*late, arrival(111.5, key=9)]))
    assert seen.time_to_mitigate_s == 2.0
    assert seen.flood_at_origin == pytest.approx(1 / 950)
    assert seen.flood_at_origin_whole == pytest.approx(201 / 1200)
    assert seen.flood_rate == pytest.approx(100)


def test_later_pulses_are_told_apart() -> None:
    meta = replace(META, pulses=((100.0, 104.0), (108.0, 112.0)))
    flood = bots(100, 101, 1.0) + bots(101, 104, 0.0) + bots(108, 108.5, 1.0) + bots(108.5, 112, 0.0)
    seen = figures(Run(meta, bots=flood))
    assert (seen.time_to_mitigate_s, seen.re_arm_s) == (1.0, (0.5,))


def test_several_runs_are_worth_their_worst() -> None:
    good = figures(Run(META, legit=[VISIT], bots=bots(100, 112, 0.0)))
    bad = figures(Run(META, legit=[replace(VISIT, status=0, origin=False)], bots=bots(100, 112, 1.0)))
    seen = together([good, bad, good])
    assert seen["time_to_mitigate_s"] == {"p50": 0.0, "max": None}
    assert (seen["legit_served"], seen["legit_denied"], seen["flood_at_origin"]) == (0.0, 1, 1.0)
    assert together([bad, bad, good])["time_to_mitigate_s"]["p50"] is None


@pytest.mark.parametrize("name", ["raw.jsonl", "raw.jsonl.gz"])
def test_a_raw_file_gives_the_same_figures(tmp_path: Path, name: str) -> None:
    flood = bots(100, 102, 1.0) + bots(102, 112, 0.0)
    run = Run(META, legit=[VISIT], bots=flood, arrivals=[arrival(111.0)])
    for number in range(2):
        write_raw(tmp_path / name, replace(run, meta=replace(META, run=number)))
    again = list(read_raw(tmp_path / name))
    assert [figures(each) for each in again] == [replace(figures(run), run=number) for number in range(2)]
