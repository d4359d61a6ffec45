"""The keys of challenges and clearances: another one each day, and nobody is locked out at midnight."""

from __future__ import annotations

import pytest

from holdfast.edge.secret import KEY_SECONDS, clearance_keys

SECRET = b"s" * 32
DAY = 20_784
MIDNIGHT = float(DAY * KEY_SECONDS)


@pytest.mark.parametrize(
    ("now", "before", "current", "honoured"),
    [
        (MIDNIGHT - 0.001, "", DAY - 1, [DAY - 2, DAY - 1, DAY]),
        (MIDNIGHT, "", DAY, [DAY - 1, DAY, DAY + 1]),
        (MIDNIGHT + KEY_SECONDS - 1, "", DAY, [DAY - 1, DAY, DAY + 1]),
        (MIDNIGHT, str(DAY - 9), DAY, [DAY - 9, DAY - 1, DAY, DAY + 1]),
        (MIDNIGHT, str(DAY), DAY, [DAY - 1, DAY, DAY + 1]),
        (MIDNIGHT, "now", DAY, [DAY - 1, DAY, DAY + 1]),
        (0.0, "", 0, [-1, 0, 1]),
    ],
)
def test_which_keys_count_when(now: float, before: str, current: int, honoured: list[int]) -> None:
    """``before``: what a HAProxy without an agent has gone on signing with."""
    keys = clearance_keys(SECRET, now, before)
    assert keys.current == str(current)
    assert sorted(map(int, keys.honoured)) == honoured


def test_what_one_day_signs_the_next_honours() -> None:
    """And the day before, of an edge whose clock is behind: by the same key."""
    one, next_, before = (clearance_keys(SECRET, MIDNIGHT + days * KEY_SECONDS) for days in (0, 1, -1))
    for other in (next_, before):
        assert other.honoured[one.current] == one.honoured[one.current]


def test_each_day_and_each_secret_has_a_key_of_its_own() -> None:
    keys = clearance_keys(SECRET, MIDNIGHT).honoured
    others = clearance_keys(b"t" * 32, MIDNIGHT).honoured
    assert len({*keys.values(), *others.values()}) == 6
    assert all(len(key) == 64 for key in keys.values())
