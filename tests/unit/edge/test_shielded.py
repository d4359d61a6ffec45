"""The shield's part of the desired state: which units a change touches, and what HAProxy should hold then."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from holdfast.edge.dataplane.facts import SiteId
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.verdicts import STRICT_LIMIT
from holdfast.edge.secret import clearance_keys
from holdfast.edge.shielded import (
    CONTACT,
    CRAWLER,
    DIFFICULTY,
    EVERYBODY,
    FAMILIAR,
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
CURRENT = clearance_keys(b"s" * 32, NOW.timestamp())


def keyed() -> Shielded:
    made = Shielded()
    assert made.put_keys(CURRENT) == {(KEYS, "")}
    return made


def held(shielded: Shielded, unit: Unit) -> dict[tuple[str, str], str]:
    return shielded.facts(unit, IDS, SITES).maps


def test_mitigations_touch_their_sites_unit_once() -> None:
    shielded = keyed()
    assert shielded.put_mitigations("shop", (DENIED,), lingers=False) == {(MITIGATIONS, "shop")}
    assert shielded.put_mitigations("shop", (DENIED,), lingers=False) == set()
    assert shielded.put_mitigations("shop", (DENIED,), lingers=True) == {(MITIGATIONS, "shop")}
    assert shielded.put_mitigations("shop", (), lingers=True) == {(MITIGATIONS, "shop")}
    assert shielded.put_mitigations("shop", (), lingers=False) == {(MITIGATIONS, "shop")}
    assert shielded.put_mitigations("shop", (), lingers=False) == set()
    assert set(shielded.units()) == {(KEYS, "")}


def test_what_haproxy_holds_of_mitigations() -> None:
    shielded, unit = keyed(), (MITIGATIONS, "shop")
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
    shielded = keyed()
    shielded.put_mitigations("shop", (replace(DENIED, action=Action.LIMIT),), lingers=False)
    sites = {"shop": replace(SHOP, limits=limits, origins=SHOP.origins * 2)}
    (verdict,) = (
        value
        for (name, _), value in shielded.facts((MITIGATIONS, "shop"), IDS, sites).maps.items()
        if name == Maps.SIGNATURES
    )
    assert verdict.split("|")[3] == f"{STRICT_LIMIT}:18:3:50:6"


def test_what_a_site_knows() -> None:
    shielded = keyed()
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
    shielded = keyed()
    assert shielded.put_sampling({"shop": 100, EVERYBODY: 5}) == {(SAMPLING, "shop"), (SAMPLING, EVERYBODY)}
    assert shielded.put_sampling({"shop": 100, "other": 7}) == {(SAMPLING, "other"), (SAMPLING, EVERYBODY)}
    assert held(shielded, (SAMPLING, "shop")) == {(Maps.SAMPLES, "1-7"): "100"}
    assert held(shielded, (SAMPLING, EVERYBODY)) == {}
    shielded.put_sampling({EVERYBODY: 5})
    assert held(shielded, (SAMPLING, EVERYBODY)) == {(Maps.SAMPLES, "-"): "5"}
    assert held(shielded, (SAMPLING, "shop")) == {}


def test_what_was_given_is_copied() -> None:
    """What its owner does with it later changes nothing here."""
    shielded, rates, crawlers = keyed(), {"shop": 100}, {"192.0.2.5"}
    shielded.put_sampling(rates)
    shielded.put_crawlers(crawlers)
    rates["shop"] = 1
    crawlers.clear()
    assert shielded.put_sampling({"shop": 100}) == set()
    assert shielded.put_crawlers({"192.0.2.5"}) == set()


def test_crawlers() -> None:
    shielded = keyed()
    assert shielded.put_crawlers({"192.0.2.5", "2001:db8::"}) == {
        (CRAWLER, "192.0.2.5"),
        (CRAWLER, "2001:db8::"),
    }
    assert shielded.put_crawlers({"192.0.2.5"}) == {(CRAWLER, "2001:db8::")}
    assert held(shielded, (CRAWLER, "192.0.2.5")) == {(Maps.CRAWLERS, "192.0.2.5"): "1"}
    assert held(shielded, (CRAWLER, "2001:db8::")) == {}


def test_the_keys_of_clearances() -> None:
    """That which signs is told in base64 as well, as HAProxy's ``hmac`` wants it."""
    name, keys = CURRENT.current, CURRENT.honoured
    coded = b64encode(keys[name].encode()).decode()
    assert held(keyed(), (KEYS, "")) == {
        (Maps.KEY_IDS, "now"): f"{name}|{coded}",
        **{(Maps.KEYS, each): key for each, key in keys.items()},
    }
    assert keyed().put_keys(CURRENT) == set()
    assert list(Shielded().units()) == [], "without a key nothing is signed"


def test_whom_programs_may_turn_to() -> None:
    shielded = Shielded()
    assert shielded.put_contact("The Harbour") == {(CONTACT, "")}
    assert held(shielded, (CONTACT, "")) == {(Maps.CONTACT, "now"): "The Harbour"}
    assert shielded.put_contact("The Harbour") == set()
    assert shielded.put_contact("The Quay") == {(CONTACT, "")}
    assert set(shielded.units()) == {(CONTACT, "")}


def test_how_hard_the_proof_of_work_is() -> None:
    shielded, unit = Shielded(), (DIFFICULTY, "shop")
    assert held(shielded, unit) == {}
    assert shielded.put_difficulty("shop", None) == set()
    assert shielded.put_difficulty("shop", 400) == {unit}
    assert shielded.put_difficulty("shop", 400) == set()
    assert held(shielded, unit) == {(Maps.DIFFICULTY, "1-7"): "400"}
    assert shielded.of_site("shop") == {unit}
    assert held(shielded, (DIFFICULTY, "gone")) == {}
    assert shielded.put_difficulty("shop", None) == {unit}
    assert held(shielded, unit) == {}


def test_the_units_of_a_site_go_where_it_goes() -> None:
    shielded = keyed()
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
    shielded = keyed()
    shielded.put_mitigations("shop", (DENIED,), lingers=True)
    shielded.put_known("shop", KNOWN)
    shielded.put_sampling({"shop": 1})
    for unit in shielded.of_site("shop"):
        assert shielded.facts(unit, {}, {}).maps == {}, unit
