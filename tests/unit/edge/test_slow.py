"""Who is ended for holding a slot too slowly: tables of cases."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_network

import pytest

from holdfast.edge.dataplane.answers import Progress
from holdfast.edge.slow import HIGHEST_FLOOR, Look, client_of, floor, reader_look, slowest
from holdfast.model.site import Network

LONG = 3.0
"""Longer than any holder is looked at."""


def uploader(id: str = "0x1", moved: int = 100, *, age: int = 9, source: str = "192.0.2.1") -> Progress:
    return Progress(id, "1", source, age, True, False, uploaded=moved, downloaded=0)


def reader(id: str = "0x1", moved: int = 100, *, age: int = 9, source: str = "192.0.2.1") -> Progress:
    return Progress(id, "1", source, age, False, True, uploaded=60, downloaded=moved)


def waits_for_origin(id: str = "0x1", *, age: int = 9) -> Progress:
    return Progress(id, "1", "192.0.2.1", age, False, False, uploaded=60, downloaded=0)


def look(at: float, *holders: Progress) -> Look:
    return Look(at, {each.id: each for each in holders})


def chosen(
    looks: list[Look], waiting: int = 9, queued: float = 0.0, allowed: tuple[str, ...] = ()
) -> list[str]:
    networks: list[Network] = [ip_network(each) for each in allowed]
    return [each.id for each in slowest(looks, waiting, queued, networks)]


@pytest.mark.parametrize(
    ("queued", "least"), [(0, 2000), (3, 4000), (6, 8000), (9, 8000), (1000, HIGHEST_FLOOR)]
)
def test_more_is_asked_the_longer_others_wait(queued: float, least: float) -> None:
    assert floor(queued) == least


@pytest.mark.parametrize(("queued", "seconds"), [(0, 3.0), (2, 2.0), (4, 1.0), (60, 1.0)])
def test_readers_are_judged_sooner_the_longer_others_wait(queued: float, seconds: float) -> None:
    assert reader_look(queued) == seconds


@pytest.mark.parametrize(
    ("former", "now", "is_ended"),
    [
        pytest.param(uploader(), uploader(), True, id="sends nothing"),
        pytest.param(uploader(), uploader(moved=100 + 5_999), True, id="sends too little"),
        pytest.param(uploader(), uploader(moved=100 + 6_000), False, id="sends enough"),
        pytest.param(reader(), reader(), True, id="takes nothing"),
        pytest.param(reader(), reader(moved=100 + 5_999), True, id="takes too little"),
        pytest.param(reader(), reader(moved=100 + 6_000), False, id="takes enough"),
        pytest.param(uploader(age=1), uploader(age=1), False, id="young"),
        pytest.param(waits_for_origin(), waits_for_origin(), False, id="the origin is slow"),
        pytest.param(uploader(), waits_for_origin(), False, id="sent all by now"),
        pytest.param(waits_for_origin(), reader(moved=0), False, id="has just begun to read"),
        pytest.param(uploader(), reader(moved=100), False, id="reads after it has sent"),
        pytest.param(reader(source="192.0.2.9"), reader(), False, id="another request of the same id"),
        pytest.param(uploader(age=20), uploader(age=9), False, id="a younger request of the same id"),
        pytest.param(reader(moved=500), reader(moved=100), False, id="one that has moved less"),
    ],
)
def test_only_who_lets_the_edge_wait_is_ended(former: Progress, now: Progress, is_ended: bool) -> None:
    assert chosen([look(0, former), look(LONG, now)]) == (["0x1"] if is_ended else [])


@pytest.mark.parametrize(
    ("holder", "seconds", "queued", "is_ended"),
    [
        (uploader(), 0.75, 0, False),
        (uploader(), 1.0, 0, True),
        (reader(), 1.0, 0, False),
        (reader(), 2.75, 0, False),
        (reader(), 3.0, 0, True),
        (reader(), 1.75, 2, False),
        (reader(), 2.0, 2, True),
        (reader(), 1.0, 60, True),
        (reader(), 0.75, 60, False),
    ],
)
def test_nobody_is_judged_by_a_moment(
    holder: Progress, seconds: float, queued: float, is_ended: bool
) -> None:
    """A lost packet stops a good line for most of a second; readers take in lumps."""
    looks = [look(0, holder), look(seconds / 2, holder), look(seconds, holder)]
    assert bool(chosen(looks, queued=queued)) == is_ended


def test_one_look_judges_nobody() -> None:
    assert chosen([look(0, uploader())]) == []
    assert chosen([look(0), look(LONG, uploader())]) == []


def test_who_has_moved_meanwhile_is_judged_anew() -> None:
    """By the shortest stretch that is long enough: what was slow before counts no more."""
    stretch = [look(0, uploader()), look(2, uploader()), look(3, uploader(moved=100_000))]
    assert chosen(stretch) == []
    assert chosen([*stretch, look(4, uploader(moved=100_000))]) == ["0x1"]
    between = [look(0, uploader()), look(0.5, waits_for_origin()), look(1, uploader())]
    assert chosen(between) == [], "it was the origin that was waited for"


@pytest.mark.parametrize(
    ("waiting", "ended"), [(0, []), (1, ["0xb"]), (2, ["0xb", "0xa"]), (9, ["0xb", "0xa", "0xc"])]
)
def test_no_more_than_wait_and_the_slowest_first(waiting: int, ended: list[str]) -> None:
    former = [uploader("0xa"), uploader("0xb"), uploader("0xc"), uploader("0xd")]
    moved = {"0xa": 500, "0xb": 0, "0xc": 900, "0xd": 900_000}
    now = [dataclasses.replace(each, uploaded=each.uploaded + moved[each.id]) for each in former]
    assert chosen([look(0, *former), look(LONG, *now)], waiting) == ended


def test_of_equals_first_who_has_moved_less_and_then_who_is_older() -> None:
    holders = [reader("0xa", 900_000), reader("0xb", 90), reader("0xc", 0, age=5), reader("0xd", 0, age=9)]
    assert chosen([look(0, *holders), look(LONG, *holders)]) == ["0xd", "0xc", "0xb", "0xa"]


@pytest.mark.parametrize(
    ("source", "allowed", "is_ended"),
    [
        ("192.0.2.1", (), True),
        ("192.0.2.1", ("192.0.2.0/24",), False),
        ("192.0.2.1", ("198.51.100.0/24", "192.0.2.1"), False),
        ("192.0.2.1", ("198.51.100.0/24",), True),
        ("2001:db8::1", ("192.0.2.0/24",), True),
        ("2001:db8::1", ("2001:db8::/64",), False),
        # Behind the TLS port HAProxy tells no address: whoever it is may be on the list.
        ("unix", (), True),
        ("unix", ("192.0.2.0/24",), False),
    ],
)
def test_the_allow_list_spares(source: str, allowed: tuple[str, ...], is_ended: bool) -> None:
    holder = uploader(source=source)
    assert bool(chosen([look(0, holder), look(LONG, holder)], allowed=allowed)) == is_ended


@pytest.mark.parametrize(
    ("source", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::1", "::"),
        ("unix", None),
        ("", None),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(source: str, client: str | None) -> None:
    assert client_of(source) == client
