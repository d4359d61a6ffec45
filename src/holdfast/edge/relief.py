"""When a site's requests wait, end those that hold its slots most slowly, and have their clients pause.

The shell around ``slow``: looks at HAProxy's counters every half second, and at streams only where a site
has more requests than slots. A client that was ended has used up its rate on that site for a while, so that
it cannot take the slot again at once: it is refused with 429 until then.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.commands import Command, DelayClient, EndSession, Places
from holdfast.edge.dataplane.limits import FIELDS, entry, slots_of
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError
from holdfast.edge.desired import Desired
from holdfast.edge.slow import Look, client_of, floor, slowest
from holdfast.model.site import Service, Site

LOOK_SECONDS = 0.5
PAUSE_SECONDS = 30
"""A client that was ended is not answered on that site for this long."""
BATCH = 50
WRAP = 2**32

log = structlog.get_logger()


@dataclass
class Queueing:
    """A site whose requests wait."""

    since: float
    look: Look


class Relief:
    """Looks after every site of one edge."""

    def __init__(
        self,
        runtime: Runtime,
        places: Places,
        desired: Desired,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._runtime = runtime
        self._places = places
        self._desired = desired
        self._clock = clock
        self._wall = wall
        self._queueing: dict[str, Queueing] = {}
        self.ended: Counter[str] = Counter()
        """Site → requests ended."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except RuntimeLostError:
                self._queueing.clear()

    async def look(self) -> None:
        """One look at every site. Raises RuntimeLostError."""
        waiting = await self._waiting()
        for name in self._queueing.keys() - waiting.keys():
            del self._queueing[name]
        if not waiting:
            return
        by_slot = defaultdict(list)
        for stream in answers.streams(await self._runtime.scan("show sess")):
            if not stream.server.startswith("<"):
                by_slot[stream.backend].append(stream.id)
        for name, count in waiting.items():
            if (slot := self._desired.slots.get(name)) is not None:
                await self._relieve(name, count, by_slot[slot])

    async def _waiting(self) -> dict[str, int]:
        """Site → how many of its requests have no slot."""
        slots = {str(self._desired.ids[name]): (name, site) for name, site in self._desired.sites.items()}
        least = min((slots_of(site) for _, site in slots.values()), default=0)
        table = await self._runtime.scan(f"show table sites data.conn_cur gt {least}")
        found = {}
        for row in answers.table(table):
            name, site = slots.get(row.key, ("", None))
            if site is not None and site.service is Service.WEB:
                beyond = row.counters.get("conn_cur", 0) - slots_of(site)
                if beyond > 0:
                    found[name] = beyond
        return found

    async def _relieve(self, name: str, waiting: int, ids: list[str]) -> None:
        look = Look(self._clock(), {each.id: each for each in await self._progress(ids)})
        known = self._queueing.get(name)
        if known is None:
            self._queueing[name] = Queueing(look.at, look)
            return
        site = self._desired.sites.get(name)
        if site is None:
            return
        chosen = slowest(known.look, look, waiting, floor(look.at - known.since), site.allow)
        known.look = look
        if not chosen:
            return
        pauses = {client_of(each.source) for each in chosen}
        commands: list[Command] = [self._pause(site, client) for client in sorted(pauses)]
        commands += [EndSession(each.id) for each in chosen]
        for start in range(0, len(commands), BATCH):
            texts = [each.text(self._places) for each in commands[start : start + BATCH]]
            await self._runtime.change(texts)
        self.ended[name] += len(chosen)
        log.info("ended the slowest holders of a site's slots", site=name, ended=len(chosen), waiting=waiting)

    async def _progress(self, ids: Iterable[str]) -> list[answers.Progress]:
        told = await self._runtime.scans([f"show sess {id}" for id in ids])
        return [found for each in told if (found := answers.progress(each)) is not None]

    def _pause(self, site: Site, client: str) -> DelayClient:
        """See ``rules.limits``: its theoretical arrival time lies that far ahead of what is tolerated."""
        numbers = entry(site.limits, slots_of(site)).split(":")
        tolerance = int(numbers[FIELDS.index("tolerance")])
        arrival = int(self._wall() * 1_000_000) + tolerance + PAUSE_SECONDS * 1_000_000
        return DelayClient(f"{client}|{self._desired.ids[site.name]}", arrival % WRAP)
