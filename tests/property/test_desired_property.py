"""The wanted picture that the reconciler keeps up to date change by change equals one built from scratch."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.dataplane.picture import Picture
from holdfast.edge.dataplane.runtime import Runtime
from holdfast.edge.desired import Unit
from holdfast.edge.queue import Lane, lane_of
from holdfast.edge.reconcile import Reconciler
from tests.property.pictures import exactly
from tests.property.world import CHANGES, EPOCH, PLACES, Change, Lift, Unban, World


def reconciler(world: World) -> Reconciler:
    """One that is never run: nothing is written, so nothing is connected."""

    async def nobody_leaves(_: object) -> None:
        raise AssertionError

    return Reconciler(
        Runtime("/nowhere", "/nowhere"),
        PLACES,
        world.desired.facts,
        on_block=nobody_leaves,
        on_slots=lambda occupied: None,
    )


@given(st.lists(CHANGES, max_size=14))
def test_bookkeeping_equals_a_fresh_start(changes: list[Change]) -> None:
    world = World()
    kept = reconciler(world)
    for change in changes:
        kept.want(world.do(change))
        assert exactly(kept.wanted) == exactly(world.picture()), change


@given(st.lists(CHANGES, max_size=6), st.lists(CHANGES, max_size=6))
def test_many_changes_may_be_taken_down_at_once(one: list[Change], two: list[Change]) -> None:
    world = World()
    kept = reconciler(world)
    for changes in (one, two):
        kept.want({unit for change in changes for unit in world.do(change)})
        assert exactly(kept.wanted) == exactly(world.picture())


@given(st.lists(CHANGES, max_size=14))
def test_each_change_names_every_unit_that_it_alters(changes: list[Change]) -> None:
    world = World()
    before: dict[Unit, Picture] = {}
    for change in changes:
        touched = world.do(change)
        after = {unit: world.desired.facts(unit) for unit in world.desired.units()}
        for unit in before.keys() | after.keys():
            if unit not in touched:
                assert exactly(before.get(unit, Picture())) == exactly(after.get(unit, Picture())), unit
        before = after


@given(st.lists(CHANGES, max_size=14))
def test_units_never_name_the_same_thing(changes: list[Change]) -> None:
    world = World()
    for change in changes:
        world.do(change)
    named = [
        name
        for unit in world.desired.units()
        for part in (world.desired.facts(unit),)
        for name in (*part.maps, *part.servers, *part.certificates, *part.authorities)
    ]
    assert len(named) == len(set(named))


@given(st.lists(CHANGES, max_size=14), st.integers(0, 4))
def test_what_has_ended_is_told_once_and_leaves_nothing(changes: list[Change], hours: int) -> None:
    world, without = World(), World()
    now = EPOCH + timedelta(hours=hours)
    for change in changes:
        world.do(change)
        without.do(change)
    enforcements, bans, _ = world.desired.expired(now)
    for ban in bans:
        world.do(Unban(ban.source))
    for enforcement in enforcements:
        world.do(Lift(enforcement.id))
    assert world.desired.expired(now) == ([], [], [])
    assert set(world.desired.enforcements) == {
        each.id for each in without.desired.enforcements.values() if each.until > now
    }
    assert set(world.desired.bans) == {
        each.source for each in without.desired.bans.values() if each.until > now
    }


@given(st.lists(CHANGES, max_size=8))
def test_the_most_urgent_is_taken_first(changes: list[Change]) -> None:
    world = World()
    lanes = [
        lane_of(unit) for unit in reconciler(world).want({u for each in changes for u in world.do(each)})
    ]
    assert lanes == sorted(lanes)
    assert set(lanes) <= set(Lane)
