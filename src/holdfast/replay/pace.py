"""How closely a second is looked at: in calm several seconds at once, as long as nothing in them could be a
sign.

An edge looks ten times a second. The bounds are asked before a second is told, so that a flood's first
second is looked at as closely as on an edge, and is seen no later. Not here: who looks (``replayed``).
"""

from __future__ import annotations

from collections import deque
from typing import Final

from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import LEARNED_AFTER
from holdfast.shield.phase import Phase

STEP_SECONDS: Final = 30
STEP_REQUESTS: Final = 50
"""A step in calm: at most so long, and so many requests. At the end of each the brain learns at most 100."""
WAITING_SECONDS: Final = LEARNED_AFTER + STEP_SECONDS
"""So long a request waits to be learned, at most."""
IDLE_SECONDS: Final = LEARNED_AFTER + 1.0
"""A step where nothing comes and little waits to be learned; after it nothing does."""
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
    """The requests that may wait to be learned: no step must be so long that too many of them are due
    at once."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, int]] = deque()
        self._total = 0

    def add(self, at: int, requests: int) -> None:
        self._seconds.append((at, requests))
        self._total += requests

    def step(self, at: int, *, is_idle: bool = False) -> int:
        """Seconds from ``at`` on."""
        while self._seconds and self._seconds[0][0] < at - WAITING_SECONDS:
            self._total -= self._seconds.popleft()[1]
        if is_idle and self._total <= STEP_REQUESTS:
            return int(IDLE_SECONDS)
        return int(min(max(STEP_REQUESTS * WAITING_SECONDS / max(self._total, 1), 1), STEP_SECONDS))


def looks(phase: Phase, lasted: float) -> int:
    """In the next second, of a site that has been in this phase for so long."""
    return CLOSE if phase is Phase.CALM or (phase is Phase.SUSPECT and lasted < CLOSE_SECONDS) else WIDE


def next_look(now: float, per_second: int) -> float:
    """When, on the grid that begins with each second."""
    second = int(now + 1e-6)
    return second + (int((now - second) * per_second + 1e-6) + 1) / per_second
