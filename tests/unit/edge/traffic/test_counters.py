"""Two looks at a site's totals → what came between them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.edge.dataplane.reasons import LIMITS, QUEUED, Reason, Verdict
from holdfast.edge.traffic.counters import since
from holdfast.shield.counts import Counts

AT, SECONDS = 1_700_000_000.0, 0.2


def told(before: dict[str, int] | None, now: dict[str, int]) -> Counts:
    return since(before, now, AT, SECONDS)


def totals(requests: int, **more: int) -> dict[str, int]:
    return {"http_req_cnt": requests, **more}


def test_what_came_since_the_last_look() -> None:
    before = totals(10, gpc6=1, gpc5=2, gpc13=3, gpc14=4, gpc15=5, gpc16=6)
    now = totals(110, gpc6=8, gpc5=4, gpc13=13, gpc14=24, gpc15=35, gpc16=46)
    expected = Counts(
        AT, SECONDS, 100, waited=7, overflowed=2, challenged=10, denied=20, dropped=30, earned=40
    )
    assert told(before, now) == expected
    assert expected.touched == 60


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (QUEUED, "waited"),
        (Reason.QUEUE, "overflowed"),
        (Verdict.CHALLENGED, "challenged"),
        (Verdict.DENIED, "denied"),
        (Verdict.DROPPED, "dropped"),
        (Verdict.EARNED, "earned"),
        *((reason, "refused") for reason in (*LIMITS, Reason.BLOCKED) if reason is not Reason.QUEUE),
    ],
)
def test_each_counter_by_itself(number: int, name: str) -> None:
    counts = told(totals(0), totals(9, **{f"gpc{int(number)}": 9}))
    assert counts == replace(Counts(AT, SECONDS, requests=9), **{name: 9})


def test_the_way_through_a_challenge_is_no_request_for_the_site() -> None:
    """Else newcomers, who ask for style, script and solution each, would look like a flood that passes."""
    counts = told(totals(0), totals(90, **{f"gpc{int(Verdict.ASIDE)}": 70}))
    assert counts == Counts(AT, SECONDS, requests=20)


@pytest.mark.parametrize("number", [Verdict.OBSERVED, Verdict.EARNED, Reason.RATE, Reason.BLOCKED])
def test_what_is_not_kept_from_the_origin_by_a_mitigation(number: int) -> None:
    assert told(totals(0), totals(9, **{f"gpc{int(number)}": 9})).touched == 0


def test_a_site_not_seen_before_begins_at_nothing() -> None:
    assert told(None, totals(7, gpc14=3)) == Counts(AT, SECONDS, requests=7, denied=3)


def test_a_new_worker_begins_anew() -> None:
    """All of its totals have come since, whatever the old worker's were."""
    before = totals(1_000, gpc14=2, gpc15=900)
    expected = Counts(AT, SECONDS, requests=50, denied=20, dropped=1)
    assert told(before, totals(50, gpc14=20, gpc15=1)) == expected


def test_nothing_is_ever_negative() -> None:
    """A row may have been forgotten and begun anew with more requests than before."""
    assert told(totals(5, gpc14=9), totals(6, gpc14=1)) == Counts(AT, SECONDS, requests=1)


def test_nothing_new() -> None:
    assert told(totals(5, gpc14=9), totals(5, gpc14=9)) == Counts(AT, SECONDS)
    assert told({}, {}) == Counts(AT, SECONDS)
