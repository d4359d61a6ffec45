"""Numbers and slots of sites, over changes, refusals and restarts. The store is the real one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from holdfast.edge.configuration import Configuration, parse_configuration
from holdfast.edge.dataplane.commands import Places
from holdfast.edge.read import Held
from holdfast.edge.roster import Roster
from holdfast.edge.store import Store
from holdfast.model.errors import HoldfastError
from holdfast.model.site import Service

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PLACES = Places(PurePosixPath("/h"))


def site(name: str, *hostnames: str, **more: Any) -> dict[str, object]:
    return {
        "name": name,
        "hostnames": list(hostnames or (f"{name}.test",)),
        "origins": [{"address": "192.0.2.1"}],
        **more,
    }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def empty(tmp_path: Path) -> Configuration:
    return parse_configuration("", tmp_path / "holdfast.toml")


def loaded(configuration: Configuration, store: Store, held: Held | None = None) -> Roster:
    roster = Roster(configuration, PLACES, store)
    roster.load(configuration, held or Held(), NOW)
    return roster


def put(roster: Roster, configuration: Configuration, body: dict[str, object]) -> Any:
    made = roster.site(body, configuration)
    return roster.exchange([], [made], {made.name: body})


def state(roster: Roster, store: Store) -> tuple[object, ...]:
    free = {service: pool.free for service, pool in roster.pools.items()}
    return (roster.desired.sites.copy(), roster.desired.ids.copy(), store.documents(), free)


def test_numbers_are_never_given_again(empty: Configuration, store: Store) -> None:
    roster = loaded(empty, store)
    numbers = []
    for _ in range(3):
        put(roster, empty, site("a"))
        numbers.append(str(roster.desired.ids["a"]))
        roster.exchange(["a"], [], {"a": None})
    assert numbers == ["1-1", "1-2", "1-3"]
    assert store.numbered() == set()


def test_a_site_keeps_its_number_and_slot_while_it_changes(empty: Configuration, store: Store) -> None:
    roster = loaded(empty, store)
    put(roster, empty, site("a"))
    before = roster.desired.ids["a"], roster.desired.slots["a"]
    put(roster, empty, site("a", "other.test"))
    assert (roster.desired.ids["a"], roster.desired.slots["a"]) == before
    again = loaded(empty, store, Held(backends={"1-1": "slot7"}, occupied=frozenset({"slot7"})))
    assert (again.desired.ids["a"], again.desired.slots["a"]) == (before[0], "slot7")


@pytest.mark.parametrize("change", [{"customer": "other"}, {"service": "tcp"}])
def test_another_customer_or_service_makes_another_site(
    empty: Configuration, store: Store, change: dict[str, str]
) -> None:
    roster = loaded(empty, store)
    put(roster, empty, site("a"))
    first, slot = roster.desired.ids["a"], roster.desired.slots["a"]
    put(roster, empty, site("a", **change))
    assert roster.desired.ids["a"].site != first.site
    assert roster.desired.slots["a"] != slot
    assert roster.desired.slots["a"].startswith("pass" if "service" in change else "slot")


@pytest.mark.parametrize(
    "change",
    [
        {"put": site("new")},
        {"put": site("a", "else.test")},
        {"put": site("a", customer="other")},
        {"put": site("a", service="tcp")},
        {"gone": "a"},
    ],
)
def test_undo_puts_back_what_was_there(empty: Configuration, store: Store, change: dict[str, Any]) -> None:
    roster = loaded(empty, store)
    put(roster, empty, site("a"))
    sites, _, documents, free = state(roster, store)
    if "put" in change:
        _, undo = put(roster, empty, change["put"])
    else:
        _, undo = roster.exchange([change["gone"]], [], {change["gone"]: None})
    assert state(roster, store)[0] != sites
    undo()
    for pool in roster.pools.values():
        pool.emptied(roster.desired.slots.values())
    assert (state(roster, store)[0], *state(roster, store)[2:]) == (sites, documents, free)
    assert loaded(empty, store).desired.sites == sites, "and for the next start"


def test_undo_leaves_alone_what_somebody_has_changed_since(empty: Configuration, store: Store) -> None:
    roster = loaded(empty, store)
    _, undo = put(roster, empty, site("a"))
    put(roster, empty, site("a", "newer.test"))
    assert undo() == set()
    assert roster.desired.sites["a"].hostnames == ("newer.test",)
    assert store.documents()["a"]["hostnames"] == ["newer.test"]


def test_growth_is_undone_too(empty: Configuration, store: Store) -> None:
    roster = loaded(empty, store)
    pool = roster.pools[Service.WEB]
    size = pool.size
    while pool.free:
        put(roster, empty, site(f"s{pool.free}"))
    _, undo = put(roster, empty, site("more"))
    assert pool.size > size
    undo()
    assert (pool.size, pool.free) == (size, 0)


def test_what_cannot_be_stored_is_not_done(empty: Configuration, store: Store, tmp_path: Path) -> None:
    roster = loaded(empty, store)
    put(roster, empty, site("a"))
    before = state(roster, store)
    other = sqlite3.connect(tmp_path / "state" / "edge.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for attempt in (site("new"), site("a", customer="other")):
        with pytest.raises(HoldfastError, match=r"the state directory .* does not take this"):
            put(roster, empty, attempt)
    with pytest.raises(HoldfastError, match="does not take this"):
        roster.exchange(["a"], [], {"a": None})
    other.close()
    assert state(roster, store) == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (site("b", "a.test"), "a.test belongs to site 'a'; remove it from one of the two"),
        ({"name": "b"}, "this setting is missing; add it"),
        ({**site("b"), "bogus": 1}, "there is no such setting"),
        ({"name": ["b"]}, "write text in quotes"),
    ],
)
def test_a_document_with_a_mistake_is_refused(
    empty: Configuration, store: Store, body: dict[str, object], words: str
) -> None:
    roster = loaded(empty, store)
    put(roster, empty, site("a"))
    with pytest.raises(HoldfastError, match=words):
        roster.site(body, empty)


def test_a_document_that_no_longer_fits_is_left_out_of_a_start(store: Store, tmp_path: Path) -> None:
    """The file wins; what an older release took, or a certificate that has gone, stops no start."""
    text = 'sites = [{name = "a", hostnames = ["a.test"], origins = [{address = "192.0.2.1"}]}]'
    configuration = parse_configuration(text, tmp_path / "holdfast.toml")
    bodies = {
        "b": site("b", "a.test"),
        "c": {**site("c"), "unknown": 1},
        "d": site("d", certificate="gone.pem"),
        "e": site("e"),
        "f": site("f", "e.test"),
    }
    store.renumber([], [], bodies)
    assert loaded(configuration, store).desired.sites.keys() == {"a", "e"}


def test_bans_are_taken_from_haproxy_as_far_as_they_are_ours(empty: Configuration, store: Store) -> None:
    later, over = str(int((NOW + timedelta(hours=1)).timestamp())), str(int(NOW.timestamp()))
    bans = {
        "10.0.0.0/8": later,
        "10.1.0.0/16": over,
        "10.2.0.0/16": "0",
        "10.3.0.1/16": later,
        "what": later,
        "10.4.0.0/16": "for ever",
    }
    desired = loaded(empty, store, Held(bans=bans)).desired
    assert [(str(ban.source), ban.until) for ban in desired.bans.values()] == [
        ("10.0.0.0/8", NOW + timedelta(hours=1))
    ]


@pytest.mark.parametrize(
    ("meta", "web"),
    [({}, 128), ({"web_slots": "2", "pass_slots": "1"}, 2), ({"web_slots": "1", "pass_slots": "1"}, 128)],
)
def test_a_shape_that_still_fits_is_kept(
    empty: Configuration, store: Store, meta: dict[str, str], web: int
) -> None:
    """So that an agent that adopts HAProxy need not reload it."""
    store.renumber([], [], {"a": site("a")})
    assert loaded(empty, store, Held(meta=meta)).pools[Service.WEB].size == web


def test_slots_of_sites_that_are_gone_or_changed_service_come_free(
    empty: Configuration, store: Store
) -> None:
    store.renumber([], [("a", "default")], {"a": site("a", service="tcp")})
    held = Held(
        backends={"1-1": "slot0", "1-9": "slot1"},
        occupied=frozenset({"slot0", "slot1", "slot2"}),
        meta={"web_slots": "4", "pass_slots": "2"},
    )
    pool = loaded(empty, store, held).pools[Service.WEB]
    assert pool.free == 1
    pool.emptied(())
    assert pool.free == 4
