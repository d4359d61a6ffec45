"""What waits to be written to HAProxy, most urgent lane first. Bookkeeping only: no I/O, no planning.

The jobs of a lane are taken together, as a *round*: a change that spans units (a hostname that moves from
one site to another) is in order only when it is planned as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from holdfast.edge.dataplane.picture import MapKey, Picture
from holdfast.edge.desired import BLOCK, SOURCE, Unit
from holdfast.edge.shielded import KINDS

MITIGATIONS = {SOURCE, *KINDS}


class Lane(IntEnum):
    """What goes first."""

    ENFORCEMENT = 0
    MITIGATION = 1
    SITES = 2
    """Routing, origins and certificates."""


def lane_of(unit: Unit) -> Lane:
    """The lane of a unit's changes."""
    if unit[0] == BLOCK:
        return Lane.ENFORCEMENT
    return Lane.MITIGATION if unit[0] in MITIGATIONS else Lane.SITES


@dataclass(slots=True)
class Job:
    """The work on one unit, until it is in force: what the unit was and is, and who waits for it."""

    scopes: list[Picture] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Round:
    """The jobs of one lane as they were when they were taken; each may grow meanwhile."""

    lane: Lane
    jobs: list[tuple[Unit, int, int]]
    """Unit, how many of its scopes, how many of those who wait."""
    scopes: list[Picture]
    withheld: set[MapKey]
    """Not to be deleted yet: a less urgent job of the same unit, which names them too, does that."""


class Queue:
    """The lanes. A unit has at most one job in each.

    What is done while the queue *holds* comes back when it is released, and whoever waits for it waits on: it
    was done at one worker, while another one starts that may not know of it.
    """

    def __init__(self) -> None:
        self._lanes: tuple[dict[Unit, Job], ...] = tuple({} for _ in Lane)
        self._held: list[tuple[Lane, Unit, Job]] | None = None
        self.ceiling = Lane.SITES
        """The least urgent lane that may go now."""

    def put(self, changed: Mapping[Unit, tuple[Picture, Picture]]) -> None:
        """Queue what units were and are now, all of one change.

        What a change adds goes in each unit's own lane, but what it takes away waits for the least urgent of
        them: a block that goes because its site goes must outlast the site, and a site may wait for a reload.
        """
        least = max(map(lane_of, changed), default=Lane.SITES)
        for unit, scopes in changed.items():
            for lane in Lane:
                if lane in (lane_of(unit), least) or unit in self._lanes[lane]:
                    self._lanes[lane].setdefault(unit, Job()).scopes.extend(scopes)

    def wait(self, unit: Unit, future: asyncio.Future[None]) -> None:
        """``future`` is told when the least urgent job of ``unit`` is done; there must be one."""
        next(lane[unit] for lane in reversed(self._lanes) if unit in lane).waiting.append(future)

    def next(self, least: Lane = Lane.SITES) -> Lane | None:
        """The most urgent lane that has work and may go, down to ``least``."""
        return next((lane for lane in Lane if lane <= min(least, self.ceiling) and self._lanes[lane]), None)

    def take(self, lane: Lane) -> Round:
        """What is to be done in a lane; it stays queued until ``finish``, for whatever may fail."""
        jobs = self._lanes[lane]
        later = self._lanes[lane + 1 :]
        withheld = {
            key
            for unit in jobs
            for each in later
            if unit in each
            for scope in each[unit].scopes
            for key in scope.maps
        }
        return Round(
            lane,
            [(unit, len(job.scopes), len(job.waiting)) for unit, job in jobs.items()],
            [scope for job in jobs.values() for scope in job.scopes],
            withheld,
        )

    def finish(self, done: Round) -> Iterator[tuple[list[Picture], list[asyncio.Future[None]]]]:
        """Take what was done off the queue: for each unit that is over its scopes, and who waits for them."""
        jobs = self._lanes[done.lane]
        for unit, scopes, waiting in done.jobs:
            job = jobs[unit]
            over = Job(job.scopes[:scopes], job.waiting[:waiting])
            del job.scopes[:scopes], job.waiting[:waiting]
            if not job.scopes:
                del jobs[unit]
            if self._held is None:
                yield over.scopes, over.waiting
            else:
                self._held.append((done.lane, unit, over))

    @property
    def is_holding(self) -> bool:
        """Whether what is done now is not over yet."""
        return self._held is not None

    def hold(self) -> None:
        """From now on keep what is done, until ``release``."""
        self._held = []

    def release(self) -> None:
        """What was kept is to be done once more, and told then. A round may be under way: what it took stays
        in front."""
        held, self._held = self._held or [], None
        for lane, unit, job in held:
            again = self._lanes[lane].setdefault(unit, Job())
            again.scopes += job.scopes
            again.waiting += job.waiting
