"""How closely is looked, and when."""

from __future__ import annotations

import pytest

from holdfast.replay.pace import (
    CLOSE,
    CLOSE_SECONDS,
    IDLE_SECONDS,
    STEP_SECONDS,
    WIDE,
    Backlog,
    Quiet,
    looks,
    next_look,
)
from holdfast.shield.phase import Phase
from tests.unit.replay.logs import START
from tests.unit.shield.traffic import warm


@pytest.mark.parametrize(
    ("phase", "lasted", "expected"),
    [
        (Phase.CALM, 1000.0, CLOSE),
        (Phase.SUSPECT, 0.0, CLOSE),
        (Phase.SUSPECT, CLOSE_SECONDS, WIDE),
        (Phase.ATTACK, 0.0, WIDE),
        (Phase.EASING, 0.0, WIDE),
    ],
)
def test_looks_in_a_second(phase: Phase, lasted: float, expected: int) -> None:
    assert looks(phase, lasted) == expected


@pytest.mark.parametrize("per_second", [1, 2, 10])
def test_looks_lie_on_a_grid_and_end_with_the_second(per_second: int) -> None:
    now, seen = float(START), []
    while now < START + 2:
        now = next_look(now, per_second)
        seen.append(now)
    assert len(seen) == 2 * per_second
    assert START + 1.0 in seen
    assert seen[-1] == START + 2.0


def test_the_grid_may_change_within_a_second() -> None:
    assert next_look(START + 0.3, WIDE) == START + 0.5
    assert next_look(START + 0.7, WIDE) == START + 1.0


def test_what_is_not_quiet() -> None:
    baseline = warm(rate=50.0, days=8.0)
    at = 1_700_000_040
    most = int(baseline.expected(at, 1.0).upper)
    assert Quiet()(baseline, at, most)
    assert not Quiet()(baseline, at, most + 1)
    quiet = Quiet()
    assert quiet(baseline, at, most)
    assert not quiet(baseline, at + 1, most)  # twice as much is more than two seconds may have


def backlog(*rates: int) -> Backlog:
    """Of the seconds before ``START``, the older first."""
    made = Backlog()
    for number, rate in enumerate(rates):
        made.add(START - len(rates) + number, rate)
    return made


@pytest.mark.parametrize(
    ("rates", "step", "idle"),
    [
        ([], STEP_SECONDS, int(IDLE_SECONDS)),
        ([1] * 60, STEP_SECONDS, int(IDLE_SECONDS)),
        ([10] * 60, 10, 10),
        ([100] * 60, 1, 1),
        ([900] * 60, 1, 1),
        ([100] * 10 + [0] * 30, STEP_SECONDS, int(IDLE_SECONDS)),  # these have been learned
        ([0] * 10 + [100] * 5 + [0] * 15, 11, 11),
    ],
)
def test_no_more_are_due_in_a_step_than_are_learned(rates: list[int], step: int, idle: int) -> None:
    assert backlog(*rates).step(START) == step
    assert backlog(*rates).step(START, is_idle=True) == idle
