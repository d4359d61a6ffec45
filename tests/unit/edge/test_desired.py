"""Which units each change touches, and what is left of a site, a block or a ban that has gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import PurePosixPath

import pytest

from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.facts import SiteId
from holdfast.edge.dataplane.picture import Maps, Picture
from holdfast.edge.desired import BLOCK, SITE, SOURCE, Desired, unit_of
from holdfast.model.ban import Ban
from holdfast.model.enforcement import (
    CustomerScope,
    Enforcement,
    HostScope,
    PathScope,
    Provider,
    Scope,
    SiteScope,
)
from holdfast.model.site import Origin, Site

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
A = Site("a", "x", ("a.test",), (Origin(ip_address("192.0.2.1"), 80),))
B = replace(A, name="b", hostnames=("b.test",))
WIDE, NARROW, ONE = map(ip_network, ("10.0.0.0/8", "10.1.0.0/16", "10.1.0.1/32"))


def desired(*sites: Site) -> Desired:
    made = Desired(Places(PurePosixPath("/h")), Provider("P", "https://p.example/"))
    for number, site in enumerate(sites, 1):
        made.put_site(site, SiteId(1, number), f"slot{number}")
    return made


def block(scope: Scope, id: str = "D1", hours: int = 1) -> Enforcement:
    return Enforcement(id, scope, "ground", NOW, NOW + hours * HOUR, "officer")


def ban(source: str, hours: int = 1) -> Ban:
    return Ban(ip_network(source), NOW + hours * HOUR)


@pytest.mark.parametrize(
    ("scope", "unit"),
    [
        (CustomerScope("x"), (BLOCK, "customer x")),
        (SiteScope("a"), (BLOCK, "site a")),
        (HostScope("a.test"), (BLOCK, "hostname a.test")),
        (PathScope("a", "/p/"), (BLOCK, "paths of a")),
        (PathScope("a", "/q/"), (BLOCK, "paths of a")),
    ],
)
def test_the_unit_of_a_block(scope: Scope, unit: tuple[str, str]) -> None:
    made = desired(A)
    assert unit_of(scope) == unit
    assert made.put_enforcement(block(scope)) == {unit}
    assert set(made.units()) == {unit, (SITE, "a")}
    assert made.scopes(unit) == [scope]
    assert made.facts(unit).maps
    assert made.drop_enforcement("D1") == {unit}
    assert made.facts(unit) == Picture()
    assert set(made.units()) == {(SITE, "a")}
    assert made.drop_enforcement("D1") == set()


def test_a_block_may_change_its_scope() -> None:
    made = desired(A)
    made.put_enforcement(block(SiteScope("a")))
    assert made.put_enforcement(block(HostScope("a.test"))) == {(BLOCK, "site a"), (BLOCK, "hostname a.test")}
    assert made.facts((BLOCK, "site a")) == Picture()


def test_a_site_takes_its_blocks_along() -> None:
    made = desired(A, B)
    scopes: tuple[Scope, ...] = (
        CustomerScope("x"),
        SiteScope("a"),
        PathScope("a", "/p/"),
        HostScope("a.test"),
    )
    for number, scope in enumerate(scopes):
        made.put_enforcement(block(scope, f"D{number}"))
    own = {(SITE, "a"), (BLOCK, "customer x"), (BLOCK, "site a"), (BLOCK, "paths of a")}
    assert made.put_site(A, SiteId(1, 1), "slot1") == own
    assert made.drop_site("a") == own
    assert made.facts((BLOCK, "site a")) == Picture()
    assert made.facts((BLOCK, "customer x")).maps, "the customer has another site"
    assert made.drop_site("b") == {(SITE, "b"), (BLOCK, "customer x")}
    assert made.facts((BLOCK, "customer x")) == Picture()
    assert made.put_site(A, SiteId(2, 5), "slot1") == own
    assert made.facts((BLOCK, "site a")).maps.keys() >= {(Maps.BLOCK_SITES, "2-5")}


def test_a_site_that_changes_its_customer_touches_the_blocks_of_both() -> None:
    made = desired(A)
    for customer in "xy":
        made.put_enforcement(block(CustomerScope(customer), customer))
    touched = made.put_site(replace(A, customer="y"), SiteId(2, 1), "slot1")
    assert touched == {(SITE, "a"), (BLOCK, "customer x"), (BLOCK, "customer y")}
    assert made.customers() == {"y": 2}


def test_a_ban_and_an_allow_list_are_told_apart() -> None:
    """What spares an address stands beside what bans it: neither has to know of the other."""
    made = desired(replace(A, allow=(NARROW,)))
    assert made.put_ban(ban("10.0.0.0/8")) == {(SOURCE, str(WIDE))}
    assert made.facts((SOURCE, str(NARROW))).maps == {(Maps.SPARED, str(NARROW)): "1"}
    assert {name for name, _ in made.facts((SOURCE, str(WIDE))).maps} == {Maps.BANS}
    assert made.drop_ban(WIDE) == {(SOURCE, str(WIDE))}
    assert made.facts((SOURCE, str(WIDE))) == Picture()
    assert made.drop_ban(WIDE) == set()


@pytest.mark.parametrize("gone", ["site", "entry"])
def test_an_allow_list_that_goes_leaves_the_ban_in_force(gone: str) -> None:
    made = desired(replace(A, allow=(ONE,)))
    made.put_ban(ban("10.1.0.1/32"))
    touched = made.drop_site("a") if gone == "site" else made.put_site(A, SiteId(1, 1), "slot1")
    assert touched == {(SITE, "a"), (SOURCE, str(ONE))}
    assert {name for name, _ in made.facts((SOURCE, str(ONE))).maps} == {Maps.BANS}
    assert set(made.units()) == {(SOURCE, str(ONE))} | ({(SITE, "a")} if gone == "entry" else set())


def test_a_network_that_two_sites_allow_is_allowed_until_the_second_goes() -> None:
    made = desired(replace(A, allow=(NARROW,)), replace(B, allow=(NARROW,)))
    made.drop_site("a")
    assert made.facts((SOURCE, str(NARROW))).maps
    made.drop_site("b")
    assert made.facts((SOURCE, str(NARROW))) == Picture()


def test_a_clearance_is_only_ever_made_longer() -> None:
    made = desired(A)
    assert made.put_cleared(ONE, NOW + HOUR) == {(SOURCE, str(ONE))}
    made.put_cleared(ONE, NOW)
    assert made.cleared == {ONE: NOW + HOUR}
    assert made.facts((SOURCE, str(ONE))).maps == {
        (Maps.CLEARED, str(ONE)): str(int((NOW + HOUR).timestamp()))
    }
    assert made.drop_cleared(ONE) == {(SOURCE, str(ONE))}
    assert made.drop_cleared(ONE) == set()
    assert made.facts((SOURCE, str(ONE))) == Picture()


def test_hostnames_have_owners() -> None:
    made = desired(replace(A, hostnames=("a.test", "c.test")), B)
    made.put_site(replace(B, hostnames=("b.test", "c.test")), SiteId(1, 2), "slot2")
    made.put_site(A, SiteId(1, 1), "slot1")
    assert made.owners == {"a.test": "a", "b.test": "b", "c.test": "b"}, "it has moved on"
    made.drop_site("b")
    assert made.owners == {"a.test": "a"}


def test_what_has_ended() -> None:
    made = desired(A)
    made.put_enforcement(block(SiteScope("a"), "D1", 1))
    made.put_enforcement(block(SiteScope("a"), "D2", 2))
    made.put_ban(ban("10.0.0.0/8", 1))
    made.put_ban(ban("10.1.0.0/16", 2))
    made.put_cleared(ONE, NOW + 2 * HOUR)
    assert made.expired(NOW) == ([], [], [])
    enforcements, bans, _ = made.expired(NOW + HOUR)
    assert ([each.id for each in enforcements], [each.source for each in bans]) == (["D1"], [WIDE])
    assert [len(each) for each in made.expired(NOW + 2 * HOUR)] == [2, 2, 1]
