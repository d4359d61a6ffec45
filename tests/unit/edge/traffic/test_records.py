"""One line of a sample, field by field; what is no record of a request is none."""

from __future__ import annotations

import pytest

from holdfast.edge.dataplane.rules.sampling import ALL, TOLD
from holdfast.edge.traffic.records import FIELDS, LEAST_MS, parse
from holdfast.shield.features import Feature
from holdfast.shield.sample import Sample

VALUES = [f"v{int(feature)}" for feature in TOLD]
HEAD = ["1700000000123456", "1-7", "", "2001:db8:1:2::", "2001:db8:1:2::9"]
TAIL = ["/shop", "Mozilla/5.0", "200", "12", "3", "-", "-"]
PLACES = {name: index for index, name in enumerate(("micros", "site", "chosen", "client", "address"))}
PLACES |= {
    name: index - len(TAIL)
    for index, name in enumerate(("path", "agent", "status", "origin", "queue", "verdict", "cleared"))
}


def line(**instead: str) -> str:
    fields = [*HEAD, *VALUES, *TAIL]
    for name, value in instead.items():
        fields[PLACES[name]] = value
    return "\t".join(fields)


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
        agent="Mozilla/5.0",
        address="2001:db8:1:2::9",
    )
    assert len(line().split("\t")) == FIELDS


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


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\t403\t-1\t-1\t-\t-",
        line()[:-2],
        line() + "\tmore",
        line(micros=""),
        line(micros="now"),
        line(chosen="half"),
        line(status="OK"),
        line(origin=""),
        line(queue="1.5"),
        "\x00",
        "\t" * (FIELDS - 1),
    ],
)
def test_what_is_no_record(text: str) -> None:
    assert parse(text) is None


def test_a_line_cut_anywhere_is_none_or_harmless() -> None:
    """HAProxy cuts what is too long: the number of fields is wrong then, or the last one is short."""
    whole = line(cleared="1", verdict="shop-1")
    for length in range(len(whole)):
        found = parse(whole[:length])
        assert found is None or (length == len(whole) - 1 and not found.cleared)
