"""How closely a second is looked at: in calm several seconds at once, as long as nothing in them could be a
sign.

An edge looks ten times a second. The bounds are asked before a second is told, so that a flood's first
second is looked at as closely as on an edge, and is seen no later. Not here: who looks (``replayed``).
"""

from __future__ import annotations

from collections import deque
from typing import Final

from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import LEARNED_AFTER, LEARNED_PER_TICK, TICK_SECONDS
from holdfast.shield.phase import Phase

STEP_SECONDS: Final = 30
STEP_REQUESTS: Final = int(LEARNED_PER_TICK / TICK_SECONDS)
"""A step in calm: at most so long, with at most so many requests, and as many that it lets be learned: more
are not in one look, and an edge has ten a second."""
IDLE_SECONDS: Final = LEARNED_AFTER + 1.0
"""A step where nothing comes any more; after it nothing waits to be learned."""
CLOSE, WIDE = 10, 2
"""Looks in a second: where anything may begin, and while it goes on."""
CLOSE_SECONDS: Final = 5.0
"""What is not confirmed by then is looked at less closely."""


class Quiet:
    """Which seconds of calm could not be a sign, by what the baseline expects; asked anew each minute."""

    def __init__(self) -> None:
        self._minute = -1
        self._one = self._two = 0.0
        self._before = 0

    def __call__(self, baseline: Baseline, at: int, requests: int) -> bool:
        """To be asked for each second that has any, in order. ``requests``: of the second from ``at`` on."""
        if at // 60 != self._minute:
            self._minute = at // 60
            self._one = baseline.expected(at, 1.0).upper
            self._two = 2 * baseline.expected(at, 2.0).upper
        before, self._before = self._before, requests
        return requests <= self._one and before + requests <= self._two


class Backlog:
    """The requests that wait to be learned."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, int]] = deque()

    def add(self, at: int, requests: int) -> None:
        self._seconds.append((at, requests))

    def step(self, at: int, *, is_idle: bool = False) -> int:
        """How many seconds the step may have that begins ``at``, where the last one has ended."""
        waiting, due = self._seconds, 0
        while waiting and waiting[0][0] < at - LEARNED_AFTER:
            waiting.popleft()
        longest = IDLE_SECONDS if is_idle else STEP_SECONDS
        for second, requests in waiting:
            seconds = second + 1 + LEARNED_AFTER - at  # until these are due
            due += requests
            if seconds > longest:
                break
            if due > STEP_REQUESTS:
                return max(int(seconds) - 1, 1)
        return int(longest)


def looks(phase: Phase, lasted: float) -> int:
    """In the next second, of a site that has been in this phase for so long."""
    return CLOSE if phase is Phase.CALM or (phase is Phase.SUSPECT and lasted < CLOSE_SECONDS) else WIDE


def next_look(now: float, per_second: int) -> float:
    """When, on the grid that begins with each second."""
    second = int(now + 1e-6)
    return second + (int((now - second) * per_second + 1e-6) + 1) / per_second
