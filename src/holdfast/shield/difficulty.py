"""How hard the proof of work is: as little as does, and more while clearances are earned faster than visitors
come. A visitor waits for it once an hour; who wants many clearances pays for each. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LEAST_TRIES: Final = 1_000_000
"""The most hashes that an unhurried challenge takes; half of it on average: half a second of a telephone that
does a million in a second."""
LEVELS: Final = 3
"""Each doubles the tries; beyond, a slow telephone's visitor would give up."""
WINDOW_SECONDS: Final = 10.0
FEWEST_PER_SECOND: Final = 2.0
"""Clearances/s that are nothing unusual at any site: they come in one burst when a challenge begins."""
HARDER_AFTER: Final = 5.0
EASIER_AFTER: Final = 30.0


@dataclass(frozen=True, slots=True)
class Difficulty:
    """One site's."""

    level: int = 0
    changed: float = 0.0
    """When the level was, unix time."""
    earned: float = 0.0
    """Clearances/s, averaged over about ``WINDOW_SECONDS``."""

    @property
    def tries(self) -> int:
        return LEAST_TRIES << self.level

    @property
    def is_easiest(self) -> bool:
        """Whether nothing need be remembered of it."""
        return self.level == 0 and self.earned < 0.01


EASIEST: Final = Difficulty()


def next_difficulty(
    before: Difficulty, now: float, earned: float, seconds: float, usual: float
) -> Difficulty:
    """After ``earned`` clearances in the last ``seconds``, at a site that usually has ``usual`` requests/s:
    if each of these came from a visitor of its own, so many clearances could be needed."""
    if seconds <= 0:
        return before
    weight = min(1.0, seconds / WINDOW_SECONDS)
    rate = before.earned + weight * (earned / seconds - before.earned)
    level, changed = before.level, min(before.changed, now)
    allowed = max(FEWEST_PER_SECOND, usual)
    if rate > allowed and level < LEVELS and now - changed >= HARDER_AFTER:
        level, changed = level + 1, now
    elif rate < allowed / 4 and level > 0 and now - changed >= EASIER_AFTER:
        level, changed = level - 1, now
    return Difficulty(level, changed, rate)
