"""More clients than the tables of counters hold: they stay at their size and go on counting. Whoever goes on
stays counted; who has been idle the longest is forgotten, which errs on the mild side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.rules.connection import CONNECTION_SECONDS
from tests.feature.lab import Lab, running, site, write_certificate
from tests.feature.load import ANY_CONNECTIONS
from tests.feature.wire import ANSWER_SECONDS, Wire, connect, connected

SIZE = 1_000
"""The smallest that ``[edge] clients`` may be."""
CROWD = 8 * SIZE
AT_ONCE = 50
PAUSE = 0.03
ACTIVE, IDLE, NEW = "127.200.0.1", "127.200.0.2", "127.200.0.3"
PASSED, LIMITED = 308, 429
BURST = 10


@asynccontextmanager
async def serving(directory: Path, **edge: Any) -> AsyncIterator[tuple[Lab, Edge]]:
    """Small tables. The site's pages are redirects, so that no origin has to keep up."""
    certificate = str(write_certificate(directory / "one.pem", "a.test"))
    limits = {"requests_per_second": 1, "burst": BURST}
    document = site("a", ["a.test"], 9, certificate=certificate, https="redirect", limits=limits)
    async with running(directory, [document], clients=SIZE, **edge) as (lab, agent):
        yield lab, agent


async def crowd(come: Callable[[str], Awaitable[None]]) -> None:
    """Each of the crowd comes once, some of them at the same time."""
    sources = (f"127.{number // 250 % 250 + 1}.7.{number % 250 + 1}" for number in range(CROWD))

    async def one_after_the_other(mine: Iterator[str]) -> None:
        for source in mine:
            await come(source)

    await asyncio.gather(*(one_after_the_other(sources) for _ in range(AT_ONCE)))


async def used(edge: Edge, table: str) -> int:
    """How many entries a table has."""
    head = (await edge.runtime.scan(f"show table {table}")).splitlines()[0]
    assert f"size:{SIZE}," in head
    return int(head.rpartition("used:")[2])


async def asked(wire: Wire, count: int) -> list[int]:
    return [(await wire.get(b"/", "a.test")).status for _ in range(count)]


async def test_the_table_of_clients_overflows(tmp_path: Path) -> None:
    async with serving(tmp_path, **ANY_CONNECTIONS) as (lab, edge):

        async def come(source: str) -> None:
            async with connect(lab.http, source=source) as wire:
                assert await asked(wire, 1) == [PASSED]

        async with connect(lab.http, source=ACTIVE) as active:
            assert await spent(lab, IDLE)
            assert await asked(active, BURST + 1) == [PASSED] * BURST + [LIMITED]
            begun = time.monotonic()
            coming = asyncio.create_task(crowd(come))
            seen = []
            while not coming.done():
                seen += await asked(active, 1)
                await asyncio.sleep(PAUSE)
            await coming
            seconds = time.monotonic() - begun
            assert await used(edge, "clients") in range(SIZE * 9 // 10, SIZE + 1)
            # Forgotten once, it would have had its whole burst anew.
            assert seen.count(PASSED) <= seconds + 1 < BURST
            assert seen.count(LIMITED) > BURST
        assert await spent(lab, NEW), "who is new is limited as ever"
        assert await spent(lab, IDLE), "who was forgotten has the whole burst, and no more"


async def spent(lab: Lab, source: str) -> bool:
    """Whether a client gets just its burst."""
    async with connect(lab.http, source=source) as wire:
        return await asked(wire, BURST + 1) == [PASSED] * BURST + [LIMITED]


async def test_the_table_of_sources_overflows(tmp_path: Path) -> None:
    """As above, for new connections: ten in ten seconds."""
    async with serving(tmp_path, connections_per_second=1) as (lab, edge):

        async def come(source: str) -> None:
            assert await is_taken(lab, source), source

        async def at_once(source: str) -> int:
            return [await is_taken(lab, source) for _ in range(CONNECTION_SECONDS + 3)].count(True)

        assert [await at_once(source) for source in (IDLE, ACTIVE)] == [CONNECTION_SECONDS] * 2
        coming = asyncio.create_task(crowd(come))
        seen = []
        while not coming.done():
            seen.append(await is_taken(lab, ACTIVE))
            await asyncio.sleep(PAUSE)
        await coming
        assert await used(edge, "sources") in range(SIZE * 9 // 10, SIZE + 1)
        assert (set(seen), len(seen) > CONNECTION_SECONDS) == ({False}, True)
        assert [await at_once(source) for source in (NEW, IDLE)] == [CONNECTION_SECONDS] * 2


async def is_taken(lab: Lab, source: str) -> bool:
    """Whether a new connection is answered, and not reset."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            sock = await connected(source, lab.http)
            try:
                await loop.sock_sendall(sock, b"GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n")
                return await loop.sock_recv(sock, 100) != b""
            finally:
                sock.close()
    except ConnectionError:
        return False
