"""Slots: one for each site, given to another only when nothing of the former site is left in it."""

from __future__ import annotations

import pytest

from holdfast.edge.dataplane.slots import SPARE, SlotPool, capacity, slot_names
from holdfast.model.site import Service


def pool(count: int = 3, held: dict[str, str] | None = None, occupied: tuple[str, ...] = ()) -> SlotPool:
    return SlotPool(Service.WEB, count, held or {}, occupied)


@pytest.mark.parametrize(
    ("sites", "slots"), [(0, 64), (1, 128), (64, 128), (65, 192), (255, 320), (1000, 1280), (10_000, 12_544)]
)
def test_capacity(sites: int, slots: int) -> None:
    assert capacity(sites) == slots
    assert slots - sites >= SPARE
    assert slots % 64 == 0


def test_each_service_has_slots_of_its_own() -> None:
    names = [set(slot_names(service, 3)) for service in Service]
    assert names[0].isdisjoint(names[1])
    assert list(slot_names(Service.TCP, 2)) == ["pass0", "pass1"]


def test_a_site_keeps_its_slot() -> None:
    slots = pool()
    first = slots.take("1-1")
    assert first == "slot0"
    assert slots.take("1-1") == first
    assert slots.take("1-2") == "slot1"
    assert slots.free == 1


def test_none_is_left() -> None:
    slots = pool(1)
    slots.take("1-1")
    assert slots.take("1-2") is None
    assert slots.take("1-1") == "slot0"


def test_a_slot_is_in_quarantine_until_it_is_empty() -> None:
    slots = pool(1)
    slots.take("1-1")
    slots.leave("1-1")
    slots.emptied({"slot0"})
    assert slots.take("1-2") is None
    slots.emptied({"slot7"})
    assert slots.take("1-2") == "slot0"


def test_a_slot_of_a_site_that_is_still_there_is_never_free() -> None:
    slots = pool(2)
    slots.take("1-1")
    slots.emptied(set())
    assert slots.take("1-2") == "slot1"
    assert slots.take("1-3") is None


def test_leaving_twice_or_never_having_come_changes_nothing() -> None:
    slots = pool(1)
    slots.leave("1-1")
    assert slots.take("1-1") == "slot0"
    slots.leave("1-1")
    slots.leave("1-1")
    slots.emptied(())
    slots.emptied(())
    assert slots.free == 1


def test_what_haproxy_holds_is_taken_over() -> None:
    """Slots routed to, slots that only have servers left in them, and slots that this shape does not have."""
    slots = pool(4, {"1-1": "slot2", "1-9": "slot99"}, ("slot2", "slot0", "other"))
    assert slots.take("1-1") == "slot2"
    assert [slots.take(each) for each in ("1-2", "1-3", "1-4")] == ["slot1", "slot3", None]
    slots.emptied({"slot2"})
    assert slots.take("1-4") == "slot0"


def test_sites_that_are_gone_leave_their_slots() -> None:
    slots = pool(3, {"1-1": "slot0", "1-2": "slot1"}, ("slot0", "slot1"))
    slots.keep({"1-2"})
    assert slots.free == 1
    slots.emptied({"slot1"})
    assert slots.free == 2
    assert slots.take("1-2") == "slot1"


def test_growth_is_used_last_and_may_be_undone() -> None:
    slots = pool(2)
    slots.take("1-1")
    slots.grow(4)
    assert (slots.size, slots.free) == (4, 3)
    assert [slots.take(each) for each in ("1-2", "1-3")] == ["slot1", "slot2"]
    slots.shrink(2)
    assert slots.size == 4, "a site has one of them"
    slots.leave("1-3")
    slots.shrink(2)
    assert (slots.size, slots.free) == (2, 0)
    slots.emptied(())
    assert slots.take("1-3") is None


def test_growing_to_less_changes_nothing() -> None:
    slots = pool(3)
    slots.grow(2)
    assert (slots.size, slots.free) == (3, 3)
