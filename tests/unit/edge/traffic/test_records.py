"""One line of a sample, field by field; what is no record of a request is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.edge.dataplane.rules.sampling import ALL, ARRIVED, BETWEEN, TOLD
from holdfast.edge.traffic.records import LEAST_MS, parse
from holdfast.shield.features import Feature
from holdfast.shield.sample import Sample

VALUES = [f"v{int(feature)}" for feature in TOLD]
TAIL = {"status": "200", "origin": "12", "queue": "3", "verdict": "-", "cleared": "-", "told": "-"}
HEAD = {
    "micros": "1700000000123456",
    "site": "1-7",
    "chosen": "",
    "client": "2001:db8:1:2::",
    "address": "2001:db8:1:2::9",
}
EVIDENCE = {"path": "/shop", "agent": "Mozilla/5.0 (X11)  x"}


def line(**instead: str) -> str:
    head, tail, evidence = (
        [instead.get(name, value) for name, value in each.items()] for each in (HEAD, TAIL, EVIDENCE)
    )
    return BETWEEN.join((*tail, *head, *VALUES, *evidence))


def sample(**instead: str) -> Sample:
    found = parse(line(**instead))
    assert found is not None
    return found


def test_every_field() -> None:
    assert sample() == Sample(
        at=1700000000.123456,
        site="1-7",
        client="2001:db8:1:2::",
        values=tuple(VALUES),
        weight=1.0,
        status=200,
        origin_ms=12.0,
        queue_ms=3.0,
        verdict="",
        cleared=False,
        path="/shop",
        agent=EVIDENCE["agent"],
        address="2001:db8:1:2::9",
    )


def test_there_is_a_value_for_each_feature_but_stranger() -> None:
    """In their order, so that a value is found by its feature's number."""
    assert list(TOLD) == [each for each in Feature if each is not Feature.STRANGER]
    assert [sample().values[each] for each in TOLD] == [f"v{int(each)}" for each in TOLD]


@pytest.mark.parametrize(
    ("chosen", "weight"), [("", 1.0), (str(ALL), 1.0), ("100", 100.0), ("1", 10_000.0), ("0", 10_000.0)]
)
def test_the_weight_is_how_many_it_stands_for(chosen: str, weight: float) -> None:
    assert sample(chosen=chosen).weight == weight


@pytest.mark.parametrize(
    ("status", "origin", "queue", "expected"),
    [
        ("200", "0", "0", (200, LEAST_MS, 0)),
        ("403", "-1", "-1", (403, 0.0, 0)),
        ("503", "-1", "10000", (503, 0.0, 10_000)),
        ("-1", "-1", "5", (0, 0.0, 5)),
        ("0", "7", "0", (0, 7, 0)),
    ],
)
def test_what_was_not_asked_took_no_time(
    status: str, origin: str, queue: str, expected: tuple[int, float, float]
) -> None:
    """And what was asked took some, though HAProxy's clock may not show it."""
    found = sample(status=status, origin=origin, queue=queue)
    assert (found.status, found.origin_ms, found.queue_ms) == expected
    assert found.reached_origin == (origin != "-1")


@pytest.mark.parametrize(("verdict", "expected"), [("-", ""), ("", ""), ("shop-1", "shop-1")])
def test_the_verdict(verdict: str, expected: str) -> None:
    assert sample(verdict=verdict).verdict == expected


@pytest.mark.parametrize(("cleared", "expected"), [("-", False), ("0", False), ("", False), ("1", True)])
def test_the_clearance(cleared: str, expected: bool) -> None:
    assert sample(cleared=cleared).cleared is expected


def test_a_request_that_has_just_come() -> None:
    """Told without its answer, which will say that it was."""
    request = line().split(BETWEEN, len(TAIL))[-1]
    found = parse(BETWEEN.join((ARRIVED, request)))
    answered = sample(told="1")
    assert (answered.arrived, answered.told) == (False, True)
    assert found == replace(answered, arrived=True, told=False, status=0, origin_ms=0.0, queue_ms=0.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "400 -1 -1 - - - ",
        BETWEEN.join(line().split(BETWEEN)[:-4]),
        line(micros=""),
        line(micros="now"),
        line(chosen="half"),
        line(status="OK"),
        line(origin=""),
        line(queue="1.5"),
        "\x00",
        BETWEEN * 40,
        ARRIVED,
        ARRIVED + BETWEEN * 40,
    ],
)
def test_what_is_no_record(text: str) -> None:
    assert parse(text) is None


def test_a_line_cut_anywhere_is_none_or_lacks_evidence_only() -> None:
    """HAProxy cuts what is too long: its end is what may be missed."""
    whole = line(cleared="1", verdict="shop-1")
    expected = sample(cleared="1", verdict="shop-1")
    for length in range(len(whole)):
        found = parse(whole[:length])
        if found is not None:
            assert expected.agent.startswith(found.agent)
            assert replace(found, agent=expected.agent) == expected
    assert parse(whole[: -len(expected.agent) - 1]) is None
