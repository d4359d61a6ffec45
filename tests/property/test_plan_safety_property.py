"""A plan may end after any command (HAProxy or the agent dies), even after any entry of a payload: what
visitors get at that moment is never worse than both what was and what will be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.dataplane.picture import Picture
from holdfast.edge.dataplane.plan import plan
from tests.property import moments as m
from tests.property.world import CHANGES, Change, World

CHANGED = st.lists(CHANGES, min_size=1, max_size=8)


def worlds(before: list[Change], after: list[Change]) -> tuple[Picture, Picture]:
    world = World()
    for change in before:
        world.do(change)
    current = world.picture()
    for change in after:
        world.do(change)
    return current, world.picture()


@given(CHANGED, CHANGED)
def test_what_is_referred_to_is_there(before: list[Change], after: list[Change]) -> None:
    current, desired = worlds(before, after)
    for moment in m.moments(current, plan(current, desired).all()):
        m.check_references(moment, desired)


@given(CHANGED, CHANGED)
def test_what_is_served_both_times_is_served_throughout(before: list[Change], after: list[Change]) -> None:
    current, desired = worlds(before, after)
    for moment in m.moments(current, plan(current, desired).all()):
        m.check_service(moment, current, desired)


@given(CHANGED, CHANGED)
def test_what_is_blocked_both_times_is_never_open(before: list[Change], after: list[Change]) -> None:
    current, desired = worlds(before, after)
    for moment in m.moments(current, plan(current, desired).all()):
        m.check_blocks(moment, current, desired)


@given(CHANGED, CHANGED)
def test_who_is_let_in_or_refused_both_times_is_so_throughout(
    before: list[Change], after: list[Change]
) -> None:
    current, desired = worlds(before, after)
    for moment in m.moments(current, plan(current, desired).all()):
        m.check_bans(moment, current, desired)


@given(CHANGED, CHANGED)
def test_now_is_enough_for_what_visitors_get(before: list[Change], after: list[Change]) -> None:
    current, desired = worlds(before, after)
    *_, then = m.moments(current, plan(current, desired).now)
    will = m.Moment(desired)
    for route, hostname in m.ASKED:
        assert then.site(route, hostname) == will.site(route, hostname)
        assert then.is_blocked(route, hostname, "/p/") == will.is_blocked(route, hostname, "/p/")
        assert then.has_certificate(hostname) == will.has_certificate(hostname)
    for index in range(len(m.SOURCES)):
        assert then.is_refused(index) == will.is_refused(index)
    assert set(then.picture.certificates) == set(desired.certificates), "of two HAProxy serves the older one"
