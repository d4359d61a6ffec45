"""How hard the proof of work is: no harder than it must be, harder while clearances are earned in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from holdfast.shield.difficulty import (
    EASIER_AFTER,
    EASIEST,
    FEWEST_PER_SECOND,
    HARDER_AFTER,
    LEAST_TRIES,
    LEVELS,
    Difficulty,
    next_difficulty,
)

TICK = 0.1


@dataclass
class Site:
    """One where so many clearances a second are earned."""

    usual: float = 10.0
    now: float = 1_000_000.0
    difficulty: Difficulty = EASIEST
    levels: list[int] = field(default_factory=list)

    def go(self, earned: float, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            self.difficulty = next_difficulty(self.difficulty, self.now, earned * TICK, TICK, self.usual)
            self.levels.append(self.difficulty.level)


@pytest.mark.parametrize(("usual", "earned"), [(10, 9), (100, 60), (0, FEWEST_PER_SECOND), (0.1, 1)])
def test_visitors_who_pass_make_it_no_harder(usual: float, earned: float) -> None:
    """As many as the site has requests, or a few at a quiet site."""
    site = Site(usual)
    site.go(earned, 600)
    assert set(site.levels) == {0}
    assert site.difficulty.tries == LEAST_TRIES


def test_bots_that_solve_make_it_harder_step_by_step() -> None:
    site = Site()
    site.go(100, 120)
    assert site.levels[-1] == LEVELS
    assert site.levels == sorted(site.levels)
    first = [site.levels.index(level) * TICK for level in range(1, LEVELS + 1)]
    assert first[0] < 3, "the first step comes as soon as it is clear"
    assert all(later - sooner >= HARDER_AFTER - TICK for sooner, later in pairwise(first))
    assert site.difficulty.tries == LEAST_TRIES << LEVELS


def test_it_gets_easier_again_slowly() -> None:
    site = Site()
    site.go(100, 120)
    before = site.now
    site.go(0, 20 * EASIER_AFTER)
    assert site.difficulty.is_easiest
    falls = [each for each in range(1, len(site.levels)) if site.levels[each] < site.levels[each - 1]]
    assert len(falls) == LEVELS
    assert all(b - a >= (EASIER_AFTER - TICK) / TICK for a, b in pairwise(falls))
    assert site.now > before


def test_a_burst_of_visitors_at_the_beginning_is_no_reason() -> None:
    """All who are there when a challenge begins pass at once: fifty in a second at ten requests/s."""
    site = Site()
    site.go(50, 1)
    site.go(1, 60)
    assert max(site.levels) == 0


def test_a_clock_that_is_set_back_neither_locks_nor_leaps() -> None:
    site = Site()
    site.go(100, 30)
    level = site.difficulty.level
    site.now -= 3600
    site.go(100, 6)
    assert level <= site.difficulty.level <= level + 2


def test_no_time_changes_nothing() -> None:
    before = Difficulty(2, 5.0, 3.0)
    assert next_difficulty(before, 9.0, 100, 0.0, 1.0) == before
