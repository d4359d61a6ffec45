"""A site's limits as one text of numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.edge.dataplane.limits import DEFAULT, FIELDS, entry, number
from holdfast.model.site import Limits

NEW = Limits()


@pytest.mark.parametrize(
    ("limits", "slots", "changed"),
    [
        (NEW, 100, {}),
        (replace(NEW, requests_per_second=4, burst=9), 100, {"interval": 250_000, "tolerance": 2_000_000}),
        (replace(NEW, requests_per_second=3, burst=1), 100, {"interval": 333_333, "tolerance": 0}),
        (replace(NEW, requests_per_second=0), 100, {"interval": 0, "tolerance": 60_000_000}),
        (replace(NEW, requests_at_once=7), 100, {"at_once": 7}),
        (replace(NEW, bytes_per_second=5), 100, {"bytes": 50}),
        (replace(NEW, body_bytes=6), 100, {"body": 6}),
        (replace(NEW, queue=0), 100, {"queue": 0}),
        (replace(NEW, origin_connections=5), 10, {"slots": 10}),
    ],
)
def test_an_entry(limits: Limits, slots: int, changed: dict[str, int]) -> None:
    expected = dict(zip(FIELDS, map(int, DEFAULT.split(":")), strict=True)) | changed
    assert dict(zip(FIELDS, map(int, entry(limits, slots).split(":")), strict=True)) == expected


def test_a_burst_is_what_the_tolerance_lets_through_at_once() -> None:
    """The generic cell rate algorithm, on the numbers of an entry: the burst passes, one more does not, and
    from then on one passes each interval."""
    interval, tolerance, *_ = map(int, entry(replace(NEW, requests_per_second=10, burst=25), 1).split(":"))
    passed, arrival = [], 0
    for now in [0] * 30 + [100_000, 100_001, 200_000]:
        ahead = max(0, arrival - now)
        passed.append(ahead <= tolerance)
        arrival = now + ahead + interval if passed[-1] else arrival
    assert passed == [True] * 25 + [False] * 5 + [True, False, True]


def test_a_field_is_named_by_its_place() -> None:
    assert number("interval") == "var(txn.lim),field(1,:)"
    assert number("body", "var(sess.lim)") == "var(sess.lim),field(7,:)"
