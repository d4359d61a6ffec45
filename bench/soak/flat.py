"""Is a series flat? Pure: samples in, a judgement out.

The first quarter is warm-up: pools of memory and connections fill. Then the *median* of the second quarter is
compared with that of the last: a median is not moved by what is high or low for less than half of the time
(two workers during a reload, an agent that has just started, a neighbour on the machine), and of two quarters
after warm-up these are the ones furthest apart, so that steady growth shows most.

Reloads and restarts give a process a new, small life, which would hide what a single life gains. So the
slope is told too: the median of the slopes between all pairs of samples of the *same* life (Theil and Sen),
which up to 29 % of wild samples do not move. It is told and not judged: a young life still warms up.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

SHARE = 0.05
"""Growth that is allowed, in any case."""
MOST_PAIRS = 60
"""Samples of one life that are paired; more are thinned evenly."""


@dataclass(frozen=True, slots=True)
class Point:
    """A sample: seconds, the process it is of, and its value."""

    at: float
    life: int
    value: float


@dataclass(frozen=True, slots=True)
class Flatness:
    """A series' judgement."""

    name: str
    unit: str
    early: float
    """The median of the second quarter."""
    late: float
    """The median of the last quarter."""
    allowed: float
    slope: float | None
    """By the hour, within a process's life; None where no process lived for two samples."""

    @property
    def growth(self) -> float:
        return self.late - self.early

    @property
    def flat(self) -> bool:
        return self.growth <= self.allowed


def flatness(
    name: str, unit: str, points: Sequence[Point], begin: float, end: float, floor: float
) -> Flatness:
    """Judge what was sampled from ``begin`` to ``end``: growth of 5 %, or of ``floor``, is allowed.

    Raises ValueError when a quarter that is needed holds no sample: nothing could be said then."""
    quarter = (end - begin) / 4
    early = [each.value for each in points if begin + quarter <= each.at < begin + 2 * quarter]
    late = [each.value for each in points if begin + 3 * quarter <= each.at <= end]
    if not early or not late:
        raise ValueError(f"{name}: too few samples to judge")
    before, after = median(early), median(late)
    settled = [each for each in points if begin + quarter <= each.at <= end]
    return Flatness(name, unit, before, after, max(SHARE * before, floor), slope_per_hour(settled))


def slope_per_hour(points: Sequence[Point]) -> float | None:
    """The Theil–Sen slope within lives."""
    lives: dict[int, list[Point]] = defaultdict(list)
    for point in points:
        lives[point.life].append(point)
    slopes = [
        (later.value - former.value) / (later.at - former.at)
        for life in lives.values()
        for former, later in itertools.combinations(_thinned(life), 2)
        if later.at > former.at
    ]
    return 3600 * median(slopes) if slopes else None


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    step = -(-len(points) // MOST_PAIRS)
    return points[::step]
