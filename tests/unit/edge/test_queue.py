"""Lanes: what is most urgent goes first, and what a change takes away goes last."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.edge.dataplane.picture import Picture
from holdfast.edge.desired import BLOCK, SITE, SOURCE
from holdfast.edge.queue import Lane, Queue, lane_of

EMPTY = Picture()
OLD, NEW, NEWER = (Picture(maps={("block_sites", key): "r"}) for key in ("old", "new", "newer"))
A, A_BLOCK, A_SOURCE = (SITE, "a"), (BLOCK, "site a"), (SOURCE, "10.0.0.0/8")


def keys(pictures: list[Picture]) -> list[str]:
    return [key for each in pictures for _, key in each.maps]


@pytest.mark.parametrize(
    ("unit", "lane"), [(A, Lane.SITES), (A_BLOCK, Lane.ENFORCEMENT), (A_SOURCE, Lane.MITIGATION)]
)
def test_lanes(unit: tuple[str, str], lane: Lane) -> None:
    assert lane_of(unit) is lane
    queue = Queue()
    assert queue.next() is None
    queue.put({unit: (OLD, NEW)})
    assert queue.next() is lane
    assert keys(queue.take(lane).scopes) == ["old", "new"]


def test_the_most_urgent_lane_is_next() -> None:
    queue = Queue()
    for unit in (A, A_SOURCE, A_BLOCK):
        queue.put({unit: (EMPTY, NEW)})
    order = []
    while (lane := queue.next()) is not None:
        order.append(lane)
        list(queue.finish(queue.take(lane)))
    assert order == [Lane.ENFORCEMENT, Lane.MITIGATION, Lane.SITES]


def test_nothing_below_the_ceiling_goes() -> None:
    queue = Queue()
    queue.put({A: (EMPTY, NEW)})
    queue.ceiling = Lane.MITIGATION
    assert queue.next() is None
    queue.put({A_SOURCE: (EMPTY, NEW)})
    assert queue.next() is Lane.MITIGATION
    assert queue.next(Lane.ENFORCEMENT) is None
    queue.ceiling = Lane.SITES
    list(queue.finish(queue.take(Lane.MITIGATION)))
    assert queue.next() is Lane.SITES


def test_what_goes_with_a_site_waits_for_the_site() -> None:
    queue = Queue()
    queue.put({A_BLOCK: (OLD, NEW), A: (EMPTY, EMPTY)})
    urgent, late = queue.take(Lane.ENFORCEMENT), queue.take(Lane.SITES)
    assert urgent.withheld == {("block_sites", "old"), ("block_sites", "new")}
    assert late.withheld == set()
    assert [unit for unit, _, _ in late.jobs] == [A_BLOCK, A]
    list(queue.finish(late))
    assert queue.take(Lane.ENFORCEMENT).withheld == set()


def test_what_follows_while_a_site_is_pending_waits_with_it() -> None:
    """A block that is lifted while its site is being removed."""
    queue = Queue()
    queue.put({A_BLOCK: (OLD, NEW), A: (EMPTY, EMPTY)})
    queue.put({A_BLOCK: (NEW, NEWER)})
    assert keys(queue.take(Lane.SITES).scopes) == ["old", "new", "new", "newer"]
    assert ("block_sites", "newer") in queue.take(Lane.ENFORCEMENT).withheld


def test_what_a_later_job_does_not_name_is_deleted_now() -> None:
    """A ban is lifted; then a site comes that merely touches the same source: its job must not keep the ban,
    of which it knows nothing."""
    queue = Queue()
    queue.put({A_SOURCE: (OLD, EMPTY)})
    queue.put({A_SOURCE: (EMPTY, EMPTY), A: (EMPTY, NEW)})
    assert queue.take(Lane.MITIGATION).withheld == set()


async def test_those_who_wait_are_told_by_the_last_lane() -> None:
    queue = Queue()
    queue.put({A_BLOCK: (OLD, NEW), A: (EMPTY, EMPTY)})
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    queue.wait(A_BLOCK, future)
    assert [waiting for _, waiting in queue.finish(queue.take(Lane.ENFORCEMENT))] == [[]]
    assert [waiting for _, waiting in queue.finish(queue.take(Lane.SITES))] == [[future], []]
    assert queue.next() is None


async def test_what_comes_while_a_round_is_performed_stays() -> None:
    queue = Queue()
    first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    second: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    queue.put({A: (OLD, NEW)})
    queue.wait(A, first)
    taken = queue.take(Lane.SITES)
    queue.put({A: (NEW, NEWER)})
    queue.wait(A, second)
    ((scopes, waiting),) = queue.finish(taken)
    assert (keys(scopes), waiting) == (["old", "new"], [first])
    ((scopes, waiting),) = queue.finish(queue.take(Lane.SITES))
    assert (keys(scopes), waiting) == (["new", "newer"], [second])
    assert queue.next() is None


async def test_what_is_held_is_done_once_more_and_told_then() -> None:
    queue = Queue()
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    queue.put({A_BLOCK: (OLD, NEW)})
    queue.wait(A_BLOCK, future)
    queue.hold()
    assert list(queue.finish(queue.take(Lane.ENFORCEMENT))) == []
    assert (queue.next(), queue.is_holding) == (None, True)
    queue.release()
    assert (queue.next(), queue.is_holding) == (Lane.ENFORCEMENT, False)
    assert list(queue.finish(queue.take(Lane.ENFORCEMENT))) == [([OLD, NEW], [future])]
    assert queue.next() is None


async def test_what_comes_back_during_a_round_stays() -> None:
    queue = Queue()
    first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    second: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    queue.hold()
    queue.put({A_BLOCK: (OLD, NEW)})
    queue.wait(A_BLOCK, first)
    list(queue.finish(queue.take(Lane.ENFORCEMENT)))
    queue.put({A_BLOCK: (NEW, NEWER)})
    queue.wait(A_BLOCK, second)
    taken = queue.take(Lane.ENFORCEMENT)
    queue.release()
    assert list(queue.finish(taken)) == [([NEW, NEWER], [second])]
    assert list(queue.finish(queue.take(Lane.ENFORCEMENT))) == [([OLD, NEW], [first])]
    assert queue.next() is None
