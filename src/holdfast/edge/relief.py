"""When a site's requests wait, end those that hold its slots most slowly, and have their clients pause.

The shell around ``slow``: looks at HAProxy's counters every half second, and at streams only where a site
has more requests than slots, more often then. A client that was ended has used up its rate on that site for
a while, so that it cannot take the slot again at once: it is refused with 429 until then.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.commands import Command, DelayClient, EndSession, Places
from holdfast.edge.dataplane.limits import slots_of, tolerance
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError
from holdfast.edge.desired import Desired
from holdfast.edge.ending import perform
from holdfast.edge.slow import LONGEST_LOOK, Look, client_of, slowest
from holdfast.model.site import Service, Site

LOOK_SECONDS = 0.5
QUEUEING_LOOK_SECONDS = 0.25
"""While a site's requests wait."""
IDLE_FACTOR = 4
"""A look that takes long (there are many streams) is not taken more often than this many times its length."""
PAUSE_SECONDS = 30
"""A client that was ended is not answered on that site for this long."""
WRAP = 2**32

log = structlog.get_logger()


@dataclass
class Queueing:
    """A site whose requests wait."""

    since: float
    looks: list[Look] = field(default_factory=list)
    """The last seconds."""


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
            begun = self._clock()
            try:
                await self.look()
            except RuntimeLostError:
                self._queueing.clear()
            often = QUEUEING_LOOK_SECONDS if self._queueing else LOOK_SECONDS
            await asyncio.sleep(max(often, IDLE_FACTOR * (self._clock() - begun)))

    async def look(self) -> None:
        """One look at every site. Raises RuntimeLostError."""
        full = await self._full()
        holders: dict[str, list[str]] = defaultdict(list)
        waiting: Counter[str] = Counter()
        if full:
            for stream in answers.streams(await self._runtime.scan("show sess")):
                if stream.server.startswith("<"):
                    waiting[stream.backend] += 1
                else:
                    holders[stream.backend].append(stream.id)
        queueing = {name: slot for name in full if waiting[slot := self._desired.slots.get(name, "")]}
        for name in self._queueing.keys() - queueing.keys():
            del self._queueing[name]
        clients = await self._clients() if queueing else {}
        for name, slot in queueing.items():
            await self._relieve(name, waiting[slot], await self._progress(holders[slot], clients))

    async def _full(self) -> list[str]:
        """Sites that may have more requests than slots. Not all of those wait that have no slot: an answer
        may be on its way to its client, the origin being done with it."""
        least = min(map(slots_of, self._desired.sites.values()), default=0)
        rows = list(answers.table(await self._runtime.scan(f"show table sites data.conn_cur gt {least}")))
        if not rows:
            return []  # nearly always, and there may be ten thousand sites
        sites = {str(self._desired.ids[name]): (name, site) for name, site in self._desired.sites.items()}
        found = []
        for row in rows:
            name, site = sites.get(row.key, ("", None))
            taken = row.counters.get("conn_cur", 0)
            if site is not None and site.service is Service.WEB and taken > slots_of(site):
                found.append(name)
        return found

    async def _relieve(self, name: str, waiting: int, holders: Iterable[answers.Progress]) -> None:
        look = Look(self._clock(), {each.id: each for each in holders})
        known = self._queueing.setdefault(name, Queueing(look.at))
        known.looks.append(look)
        while len(known.looks) > 1 and look.at - known.looks[1].at >= LONGEST_LOOK:
            del known.looks[0]
        site = self._desired.sites.get(name)
        if site is None:
            return
        chosen = slowest(known.looks, waiting, look.at - known.since, site.allow)
        if not chosen:
            return
        pauses = {client for each in chosen if (client := client_of(each.source)) is not None}
        commands: list[Command] = [self._pause(site, client) for client in sorted(pauses)]
        commands += [EndSession(each.id) for each in chosen]
        await perform(self._runtime, self._places, commands)
        self.ended[name] += len(chosen)
        log.info("ended the slowest holders of a site's slots", site=name, ended=len(chosen), waiting=waiting)

    async def _clients(self) -> dict[str, str]:
        """Number of a stream → its client, of what is noted as open."""
        table = answers.table(await self._runtime.scan("show table open data.conn_cur gt 0"))
        notes = (row.key.split("|", 2) for row in table)
        return {note[0]: note[1] for note in notes if len(note) == 3}

    async def _progress(self, ids: Iterable[str], clients: Mapping[str, str]) -> list[answers.Progress]:
        told = await self._runtime.scans([f"show sess {id}" for id in ids])
        found = [each for text in told if (each := answers.progress(text)) is not None]
        return [dataclasses.replace(each, source=clients.get(each.number, each.source)) for each in found]

    def _pause(self, site: Site, client: str) -> DelayClient:
        """See ``rules.limits``: its theoretical arrival time lies that far ahead of what is tolerated."""
        arrival = int(self._wall() * 1_000_000) + tolerance(site.limits) + PAUSE_SECONDS * 1_000_000
        return DelayClient(f"{client}|{self._desired.ids[site.name]}", arrival % WRAP)
