"""The shield's part of the desired state: which units a change touches, and what HAProxy should hold then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from holdfast.edge.dataplane.facts import SiteId
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.verdicts import STRICT_LIMIT
from holdfast.edge.shielded import (
    CRAWLER,
    EVERYBODY,
    FAMILIAR,
    KEY_ID,
    KEYS,
    MITIGATIONS,
    SAMPLING,
    Known,
    Shielded,
    Unit,
)
from holdfast.model.mitigation import Action, Mitigation
from holdfast.model.site import Limits, Origin, Site
from holdfast.shield.features import Feature

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHOP = Site("shop", "x", ("shop.test",), (Origin(ip_address("192.0.2.1"), 80),))
SITES = {"shop": SHOP, "other": replace(SHOP, name="other", hostnames=("other.test",))}
IDS = {"shop": SiteId(1, 7), "other": SiteId(1, 8)}
DENIED = Mitigation("m-1", "shop", Action.DENY, ("path",), ("5",), "r", NOW, NOW + timedelta(minutes=1))
KNOWN = Known({Feature.AGENT: frozenset({"9"})}, frozenset({"192.0.2.0"}), frozenset({("192.0.2.0", "9")}))
KEY = "a key"


def held(shielded: Shielded, unit: Unit) -> dict[tuple[str, str], str]:
    return shielded.facts(unit, IDS, SITES).maps


def test_mitigations_touch_their_sites_unit_once() -> None:
    shielded = Shielded(KEY)
    assert shielded.put_mitigations("shop", (DENIED,), lingers=False) == {(MITIGATIONS, "shop")}
    assert shielded.put_mitigations("shop", (DENIED,), lingers=False) == set()
    assert shielded.put_mitigations("shop", (DENIED,), lingers=True) == {(MITIGATIONS, "shop")}
    assert shielded.put_mitigations("shop", (), lingers=True) == {(MITIGATIONS, "shop")}
    assert shielded.put_mitigations("shop", (), lingers=False) == {(MITIGATIONS, "shop")}
    assert shielded.put_mitigations("shop", (), lingers=False) == set()
    assert set(shielded.units()) == {(KEYS, "")}


def test_what_haproxy_holds_of_mitigations() -> None:
    shielded, unit = Shielded(KEY), (MITIGATIONS, "shop")
    assert held(shielded, unit) == {}
    shielded.put_mitigations("shop", (DENIED,), lingers=False)
    end = int(NOW.timestamp()) + 60
    assert held(shielded, unit) == {
        (Maps.SIGNATURES, "1-7|25|5"): f"deny|m-1|{end}",
        (Maps.MASKS, "1-7"): str(1 << 25),
    }
    shielded.put_mitigations("shop", (), lingers=True)
    assert held(shielded, unit) == {(Maps.MASKS, "1-7"): str(1 << 41)}
    shielded.put_mitigations("shop", (), lingers=False)
    assert held(shielded, unit) == {}


def test_the_stricter_limit_keeps_the_rest_of_the_sites() -> None:
    """How much its origins and its queue take, bytes and bodies are not the client's doing."""
    limits = Limits(queue=3, bytes_per_second=5, body_bytes=6, origin_connections=9)
    shielded = Shielded(KEY)
    shielded.put_mitigations("shop", (replace(DENIED, action=Action.LIMIT),), lingers=False)
    sites = {"shop": replace(SHOP, limits=limits, origins=SHOP.origins * 2)}
    (verdict,) = (
        value
        for (name, _), value in shielded.facts((MITIGATIONS, "shop"), IDS, sites).maps.items()
        if name == Maps.SIGNATURES
    )
    assert verdict.split("|")[3] == f"{STRICT_LIMIT}:18:3:50:6"


def test_what_a_site_knows() -> None:
    shielded = Shielded(KEY)
    assert shielded.put_known("shop", None) == set()
    assert shielded.put_known("shop", KNOWN) == {(FAMILIAR, "shop")}
    assert shielded.put_known("shop", replace(KNOWN)) == set()
    maps = held(shielded, (FAMILIAR, "shop"))
    assert maps[Maps.NETWORKS, "1-7|192.0.2.0"] == "0"
    assert maps[Maps.FRIENDS, "1-7|192.0.2.0|9"] == "1"
    assert {key for name, key in maps if name == Maps.FAMILIAR} == {"1-7", "1-7|0|9", "1-7|11|192.0.2.0"}
    assert held(shielded, (FAMILIAR, "other")) == {}
    assert shielded.put_known("shop", None) == {(FAMILIAR, "shop")}
    assert held(shielded, (FAMILIAR, "shop")) == {}


def test_sampling_touches_only_what_changes() -> None:
    shielded = Shielded(KEY)
    assert shielded.put_sampling({"shop": 100, EVERYBODY: 5}) == {(SAMPLING, "shop"), (SAMPLING, EVERYBODY)}
    assert shielded.put_sampling({"shop": 100, "other": 7}) == {(SAMPLING, "other"), (SAMPLING, EVERYBODY)}
    assert held(shielded, (SAMPLING, "shop")) == {(Maps.SAMPLES, "1-7"): "100"}
    assert held(shielded, (SAMPLING, EVERYBODY)) == {}
    shielded.put_sampling({EVERYBODY: 5})
    assert held(shielded, (SAMPLING, EVERYBODY)) == {(Maps.SAMPLES, "-"): "5"}
    assert held(shielded, (SAMPLING, "shop")) == {}


def test_what_was_given_is_copied() -> None:
    """What its owner does with it later changes nothing here."""
    shielded, rates, crawlers = Shielded(KEY), {"shop": 100}, {"192.0.2.5"}
    shielded.put_sampling(rates)
    shielded.put_crawlers(crawlers)
    rates["shop"] = 1
    crawlers.clear()
    assert shielded.put_sampling({"shop": 100}) == set()
    assert shielded.put_crawlers({"192.0.2.5"}) == set()


def test_crawlers() -> None:
    shielded = Shielded(KEY)
    assert shielded.put_crawlers({"192.0.2.5", "2001:db8::"}) == {
        (CRAWLER, "192.0.2.5"),
        (CRAWLER, "2001:db8::"),
    }
    assert shielded.put_crawlers({"192.0.2.5"}) == {(CRAWLER, "2001:db8::")}
    assert held(shielded, (CRAWLER, "192.0.2.5")) == {(Maps.CRAWLERS, "192.0.2.5"): "1"}
    assert held(shielded, (CRAWLER, "2001:db8::")) == {}


def test_the_key_of_clearances() -> None:
    assert held(Shielded(KEY), (KEYS, "")) == {(Maps.KEY_IDS, "now"): KEY_ID, (Maps.KEYS, KEY_ID): KEY}
    assert list(Shielded("").units()) == [], "without a key nothing is signed"


def test_the_units_of_a_site_go_where_it_goes() -> None:
    shielded = Shielded(KEY)
    shielded.put_mitigations("shop", (), lingers=True)
    shielded.put_mitigations("other", (DENIED,), lingers=False)
    shielded.put_known("shop", KNOWN)
    shielded.put_sampling({"shop": 1, EVERYBODY: 1})
    shielded.put_crawlers({"192.0.2.5"})
    assert shielded.of_site("shop") == {(MITIGATIONS, "shop"), (FAMILIAR, "shop"), (SAMPLING, "shop")}
    assert shielded.of_site("other") == {(MITIGATIONS, "other")}
    assert shielded.of_site("none") == set()
    assert set(shielded.units()) == {
        *shielded.of_site("shop"),
        *shielded.of_site("other"),
        (SAMPLING, EVERYBODY),
        (CRAWLER, "192.0.2.5"),
        (KEYS, ""),
    }


def test_nothing_is_held_for_a_site_that_is_gone() -> None:
    shielded = Shielded(KEY)
    shielded.put_mitigations("shop", (DENIED,), lingers=True)
    shielded.put_known("shop", KNOWN)
    shielded.put_sampling({"shop": 1})
    for unit in shielded.of_site("shop"):
        assert shielded.facts(unit, {}, {}).maps == {}, unit
