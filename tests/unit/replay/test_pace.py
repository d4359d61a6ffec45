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


def backlog(rate: int) -> Backlog:
    made = Backlog()
    for at in range(START - 60, START):
        made.add(at, rate)
    return made


@pytest.mark.parametrize(
    ("rate", "step", "idle"),
    [(0, STEP_SECONDS, int(IDLE_SECONDS)), (1, STEP_SECONDS, STEP_SECONDS), (100, 1, 1)],
)
def test_the_more_wait_to_be_learned_the_shorter_the_steps(rate: int, step: int, idle: int) -> None:
    assert backlog(rate).step(START) == step
    assert backlog(rate).step(START, is_idle=True) == idle


def test_no_more_are_due_in_a_step_than_are_learned() -> None:
    for rate in range(1, 51):
        assert rate * backlog(rate).step(START) <= 100


def test_what_has_been_learned_does_not_wait() -> None:
    assert backlog(100).step(START + 60) == STEP_SECONDS
