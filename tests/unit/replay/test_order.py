"""Entries in any order, and the seconds that come of them."""

from __future__ import annotations

from holdfast.replay.order import AHEAD_SECONDS, ALONE, MOST_WAITING, WAIT_SECONDS, Order
from tests.unit.replay.logs import START, entry


def seconds(*offsets: int) -> tuple[Order, list[int]]:
    """Of each that comes out, its offset, once for each entry."""
    order = Order()
    came = order.seconds(entry(START + offset) for offset in offsets)
    return order, [each.at - START for each in came for _ in each.entries]


def test_what_is_in_order_stays_so() -> None:
    order, came = seconds(0, 0, 1, 5)
    assert came == [0, 0, 1, 5]
    assert order.sorted == 0


def test_what_is_a_little_late_is_sorted() -> None:
    order, came = seconds(10, 8, 12, 9, 10)
    assert came == [8, 9, 10, 10, 12]
    assert order.sorted == 3


def test_a_second_is_told_when_nothing_more_is_waited_for() -> None:
    order = Order()
    came = order.seconds(entry(START + offset) for offset in (0, WAIT_SECONDS + 1, WAIT_SECONDS + 2))
    assert next(came).at == START


def test_what_is_too_late_is_left_out_and_counted() -> None:
    order, came = seconds(0, 100, 200, 30, 40, 201)
    assert came == [0, 100, 200, 201]
    assert (order.late, order.latest) == (2, 170)


def test_an_older_file_behind_a_newer_one_makes_no_flood() -> None:
    day = 86_400
    order, came = seconds(*(day + each for each in range(300)), *range(300))
    assert len(came) == 300
    assert order.late == 300


def test_a_line_alone_far_ahead_is_left_out() -> None:
    order, came = seconds(0, 1, 5 * AHEAD_SECONDS, *range(2, 2 + ALONE))
    assert came == list(range(2 + ALONE))
    assert order.astray == 1


def test_two_that_agree_are_believed() -> None:
    gap = 5 * AHEAD_SECONDS
    order, came = seconds(0, gap, gap + 1, gap + 2)
    assert came == [0, gap, gap + 1, gap + 2]
    assert (order.late, order.astray) == (0, 0)


def test_a_jump_to_a_second_that_is_not_the_first_of_its_hour() -> None:
    order, came = seconds(50, 50 + AHEAD_SECONDS + 5, AHEAD_SECONDS + 10, AHEAD_SECONDS + 56)
    assert came == [50, AHEAD_SECONDS + 10, AHEAD_SECONDS + 55, AHEAD_SECONDS + 56]
    assert order.astray == 0


def test_the_last_line_after_a_long_silence_counts() -> None:
    _, came = seconds(0, 1, 5 * AHEAD_SECONDS)
    assert came == [0, 1, 5 * AHEAD_SECONDS]


def test_two_far_ahead_that_do_not_agree() -> None:
    order, came = seconds(0, 50 * AHEAD_SECONDS, 5 * AHEAD_SECONDS, *range(ALONE))
    assert came == sorted([0, *range(ALONE)])
    assert order.astray == 2


def test_no_more_wait_than_there_is_room_for() -> None:
    order = Order()
    made = [entry(START + each // 5000) for each in range(MOST_WAITING + 20_000)]
    came = order.seconds(iter(made))
    assert next(came).at == START
    assert sum(len(each.entries) for each in came) == len(made) - 5000


def test_one_second_may_hold_more_than_there_is_room_for() -> None:
    order = Order(most=10)
    came = order.seconds(entry(START + offset) for offset in [0] * 50 + [1] * 50)
    assert [len(each.entries) for each in came] == [50, 50]
    assert order.late == 0


def test_generated_requests_are_not_counted_as_sorted() -> None:
    order = Order()
    assert len(list(order.seconds([entry(START + 5), entry(START + 1, flood=1)]))) == 2
    assert order.sorted == 0
