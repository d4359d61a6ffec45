"""Ordinary visitors while something goes on. They come at their own pace, whether or not those before
them have been answered, each on a connection of its own and from an address of its own, so that nothing that
is held against an attacker touches them."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.feature.lab import Lab
from tests.feature.wire import Wire

PAUSE = 0.1
PATIENCE = 3.0
"""Who waits longer than this has not been answered."""


@dataclass
class Visits:
    """What the visitors were answered (a status; 0: nothing), and how long each of them took in seconds."""

    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def good(self) -> float:
        """The share that was answered 200."""
        return self.statuses.count(200) / len(self.statuses)

    @property
    def p95(self) -> float:
        """95 of 100 took no longer."""
        return statistics.quantiles(self.seconds, n=20)[-1]


@asynccontextmanager
async def visiting(
    lab: Lab, hosts: Sequence[str], path: str = "/", patience: float = PATIENCE
) -> AsyncIterator[dict[str, Visits]]:
    """Visitors to each of ``hosts`` for as long as a block of code runs."""
    visits = {host: Visits() for host in hosts}
    under_way: set[asyncio.Task[None]] = set()

    async def come() -> None:
        for number in itertools.count():
            source = f"127.9.{number // 250 % 250}.{number % 250 + 1}"
            under_way.update(
                asyncio.create_task(_visit(lab, host, path, source, visits[host], patience)) for host in hosts
            )
            await asyncio.sleep(PAUSE)

    coming = asyncio.create_task(come())
    try:
        yield visits
    finally:
        coming.cancel()
        await asyncio.gather(*under_way)


async def _visit(lab: Lab, host: str, path: str, source: str, visits: Visits, patience: float) -> None:
    begun = time.monotonic()
    status = 0
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection("127.0.0.1", lab.http, local_addr=(source, 0))
            try:
                status = (await Wire(reader, writer).get(path.encode(), host)).status
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError):
        pass
    visits.statuses.append(status)
    visits.seconds.append(time.monotonic() - begun)
