"""Times changes: from the API call to the admin's answer, and until a client sees the change."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.edge import Admin
from bench.kinds import Change

LOST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Timing:
    """One change, in milliseconds."""

    kind: str
    answered: float
    in_force: float
    """The answer has come and a client has seen the change."""
    floor: float
    """The same look at the same thing just before the change: what looking alone takes."""
    looks: int
    """How often the client had to look; 1: the answer came no sooner than the change."""


def measure(admin: Admin, change: Change) -> Timing:
    """Make one change. Raises RuntimeError when no client ever sees it."""
    began = time.perf_counter()
    if change.shows():
        raise RuntimeError(f"{change.kind}: it is in force before it was asked for")
    looked = time.perf_counter() - began
    began = time.perf_counter()
    result = admin.ask(change.do, **change.fields)
    answered = time.perf_counter() - began
    looks = 1
    while not change.shows():
        looks += 1
        if time.perf_counter() - began > LOST_SECONDS:
            raise RuntimeError(f"{change.kind}: the edge has answered but no client sees it")
    in_force = time.perf_counter() - began
    if change.undo is not None:
        do, fields = change.undo(result)
        admin.ask(do, **fields)
    return Timing(change.kind, 1000 * answered, 1000 * in_force, 1000 * looked, looks)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by ``share`` of them (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
