"""Which outcome of a request is right, explained, or neither."""

from __future__ import annotations

import pytest

from bench.soak.history import RELOAD, History, Key
from bench.soak.hostile import REFUSED, missing
from bench.soak.verdicts import CUT, Request, Spot, is_open_too_long, judge

SPOT = Spot("a", "customer", "www.a.test", "/shop/shelf")
SOURCE = "127.0.0.9"
BLOCKS: list[Key] = [("site", "a"), ("host", "www.a.test"), ("path", "a", "/shop/"), ("customer", "customer")]


def history(key: Key | None = None, times: tuple[float, float, float, float] = (10, 12, 20, 22)) -> History:
    """The site is here; ``key`` is the case at ``times``: perhaps, surely, surely until, perhaps until."""
    made = History()
    if key is None or key[0] != "here":
        made.begin(("here", "a"), 0).sure = 0
    if key is not None:
        span = made.begin(key, times[0])
        span.sure, span.unsure, span.over = times[1:]
    return made


def request(status: int, began: float, ended: float, opened: float | None = None, note: str = "") -> Request:
    return Request("kept", SPOT, SOURCE, began if opened is None else opened, began, ended, status, note)


@pytest.mark.parametrize("key", BLOCKS)
@pytest.mark.parametrize(
    ("status", "began", "ended", "why", "explained"),
    [
        (200, 1, 2, "", True),
        (200, 9, 11, "", True),
        (403, 9, 11, "blocked", True),
        (451, 15, 16, "blocked", True),
        (403, 21, 23, "blocked", True),
        (200, 19, 21, "", True),
        (200, 13, 14, "served though blocked", False),
        (403, 1, 9, "status 403", False),
        (403, 23, 24, "status 403", False),
        (CUT, 5, 11, "under way", True),
        (502, 11.5, 13, "under way", True),
        (502, 13, 14, "status 502", False),  # a block that has long begun answers with its page
        (503, 23, 24, "status 503", False),
        (429, 13, 14, "status 429", False),
    ],
)
def test_blocks(key: Key, status: int, began: float, ended: float, why: str, explained: bool) -> None:
    verdict = judge(request(status, began, ended), history(key))
    assert why in verdict.why if why else verdict.fine, verdict
    assert verdict.explained is explained


@pytest.mark.parametrize(
    "key", [("site", "b"), ("host", "b.a.test"), ("path", "a", "/other/"), ("customer", "b")]
)
def test_another_block_explains_nothing(key: Key) -> None:
    assert not judge(request(403, 13, 14), history(key)).explained
    assert judge(request(200, 13, 14), history(key)).fine


@pytest.mark.parametrize(
    ("status", "began", "ended", "why", "explained"),
    [
        (421, 1, 2, "not there", True),
        (421, 11, 12, "not there", True),
        (421, 13, 14, "status 421", False),
        (421, 19, 21, "not there", True),
        (200, 13, 14, "", True),
        (200, 11, 11.5, "", True),
        (200, 1, 2, "not there", False),
        (200, 23, 24, "not there", False),
        (CUT, 19, 21, "status 0", False),  # a removal lets what is under way finish
    ],
)
def test_sites(status: int, began: float, ended: float, why: str, explained: bool) -> None:
    verdict = judge(request(status, began, ended), history(("here", "a")))
    assert why in verdict.why if why else verdict.fine, verdict
    assert verdict.explained is explained


def test_a_worker_that_leaves_answers_by_the_sites_of_before() -> None:
    """On a connection from before the reload only, and not with a block that is over or missing."""
    made = history(("here", "a"))
    reload = made.begin(RELOAD, 24)
    reload.over = 26
    assert judge(request(200, 30, 31, opened=25), made).explained
    assert judge(request(421, 30, 31, opened=25), made).explained
    assert not judge(request(200, 30, 31, opened=27), made).explained
    blocked = history(("site", "a"))
    blocked.begin(RELOAD, 11).over = 12
    assert not judge(request(200, 13, 14, opened=9), blocked).explained


@pytest.mark.parametrize(
    ("status", "opened", "why", "explained"),
    [
        (200, 1, "", True),
        (CUT, 1, "reset", False),
        (CUT, 13, "banned", True),
        (CUT, 21, "banned", True),
        (200, 13, "though its source was banned", False),
        (200, 11, "", True),
    ],
)
def test_bans_count_when_a_connection_is_opened(
    status: int, opened: float, why: str, explained: bool
) -> None:
    note = "reset" if status == CUT else ""
    verdict = judge(request(status, opened, opened + 1, note=note), history(("ban", SOURCE)))
    assert why in verdict.why if why else verdict.fine, verdict
    assert verdict.explained is explained


def test_an_answer_that_is_not_whole_or_not_right_is_no_success() -> None:
    verdict = judge(request(200, 1, 2, note="the origin got another body"), history())
    assert (verdict.why, verdict.explained) == ("the origin got another body", False)


def test_what_goes_on_under_a_block_is_noticed() -> None:
    blocked = history(("site", "a"))
    assert not is_open_too_long(request(200, 13, 13), blocked)  # just sent
    assert is_open_too_long(request(200, 15, 15), blocked)
    assert not is_open_too_long(request(200, 25, 25), blocked)


def test_a_change_that_is_not_answered_makes_nothing_certain() -> None:
    made = history()
    made.begin(("site", "a"), 10)
    assert judge(request(200, 50, 51), made).fine
    assert judge(request(403, 50, 51), made).explained


def test_what_is_over_is_forgotten() -> None:
    made = history()
    for at in range(0, 100_000, 100):
        made.begin(("site", "a"), at).over = at + 1
    assert len(made.spans[("site", "a")]) < 20


def test_every_kind_that_must_be_refused_was() -> None:
    seen = ["over its limit: 200", "over its limit: 429", "banned: refused", "slow head: tolerated"]
    assert missing(seen) == ["slow head"]
    assert missing([*seen, "slow head: 408"]) == []
    assert missing([]) == list(REFUSED)
