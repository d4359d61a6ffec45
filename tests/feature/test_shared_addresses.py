"""Many people share one address, behind a carrier's NAT: what one of them does to a site must not keep the
others from any other site, and who has been allowed or cleared anywhere is banned nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.status import take_snapshot
from holdfast.model.ban import parse_network
from tests.feature.clients import REFUSED, ban, status, statuses
from tests.feature.lab import Lab, eventually, ipv6_network, lab, running, site, write_certificate
from tests.feature.origins import Origin, origin
from tests.feature.wire import connect, http2

SHARED = "127.100.64.1"
SECONDS = 3.0
ATTACKERS = 8


@asynccontextmanager
async def serving(directory: Path, *networks: str) -> AsyncIterator[tuple[Lab, Edge, Origin]]:
    """Sites ``a``, with a low limit, and ``b``; ``b`` allows ``networks``."""
    certificate = str(write_certificate(directory / "one.pem", "a.test", "b.test"))
    async with origin() as one, running(directory, sites(one, certificate, *networks)) as (made, edge):
        yield made, edge, one


def sites(one: Origin, certificate: str, *networks: str) -> list[dict[str, Any]]:
    low = {"requests_per_second": 2}
    return [
        site("a", ["a.test"], one.port, certificate=certificate, limits=low),
        site("b", ["b.test"], one.port, certificate=certificate, allow=list(networks)),
    ]


async def attack(port: int, source: str, seen: Counter[int]) -> None:
    """One page after the other, as fast as they are answered, until cancelled."""
    async with connect(port, source=source) as wire:
        while True:
            seen[(await wire.get(b"/", "a.test")).status] += 1


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
async def test_who_shares_an_attackers_address_reads_every_other_site(tmp_path: Path, family: str) -> None:
    """Without a single refusal, over HTTP/1.1 and HTTP/2, while the attacked site refuses most of it."""
    with ipv6_network() as network:
        source, neighbour = (SHARED, SHARED) if family == "IPv4" else (f"{network}::1", f"{network}::2")
        async with serving(tmp_path) as (made, edge, _):
            seen: Counter[int] = Counter()
            attackers = [asyncio.create_task(attack(made.http, source, seen)) for _ in range(ATTACKERS)]
            try:
                read = []
                deadline = time.monotonic() + SECONDS
                while time.monotonic() < deadline:
                    read.append(await status(made, neighbour, "b.test"))
                    async with http2(made.https, "b.test", neighbour) as client:
                        read += [(await client.get2("b.test", f"/{number}")).status for number in range(3)]
                    await asyncio.sleep(0.1)
                assert [each.done() for each in attackers] == [False] * ATTACKERS
            finally:
                for task in attackers:
                    task.cancel()
                await asyncio.gather(*attackers, return_exceptions=True)
            assert len(read) > 20
            assert set(read) == {200}
            # Their burst, and two more each second: the reader's pace does not matter to it.
            assert seen[200] <= 20 + 2 * (SECONDS + 2)
            assert seen[429] > 10 * seen[200]
            assert await status(made, neighbour, "a.test") == 429
            assert set((await take_snapshot(edge)).refused_connections.values()) == {0}


async def test_what_a_site_allows_is_banned_for_none(tmp_path: Path) -> None:
    async with serving(tmp_path) as (made, edge, one):
        document = site("c", ["c.test"], one.port)
        for each in ({}, {"allow": [f"{SHARED}/32"]}, {}, {"allow": ["127.100.0.0/16"]}):
            await edge.put_site({**document, **each})
            await edge.ban(ban(SHARED))
            expected = 200 if each else REFUSED
            for host in ("a.test", "b.test"):
                for secure in (False, True):
                    assert await status(made, SHARED, host, secure=secure) == expected, (each, host)


async def test_who_is_cleared_is_not_banned_until_the_clearance_ends(tmp_path: Path) -> None:
    """Of which only HAProxy's clock decides: no agent runs any more."""
    async with contextlib.AsyncExitStack() as stack:
        network = stack.enter_context(ipv6_network())
        one = await stack.enter_async_context(origin())
        made = await stack.enter_async_context(lab(tmp_path))
        sources = {SHARED: SHARED, f"{network}:1::1": f"{network}:1::/64"}
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
        async with Edge(made.configuration([site("a", ["a.test"], one.port)])) as edge:
            for source, cleared in sources.items():
                await edge.ban(ban(source))
                assert await status(made, source) == REFUSED
                await edge.clear(parse_network(cleared), end)
                assert await status(made, source) == 200
        assert [await status(made, source) for source in sources] == [200, 200]
        assert datetime.now(UTC) < end, "too slow to tell"
        await asyncio.gather(*(ends(partial(is_refused, made, source), end) for source in sources))


async def is_refused(made: Lab, source: str = SHARED) -> bool:
    return await status(made, source) == REFUSED


async def ends(holds: Callable[[], Awaitable[bool]], end: datetime) -> None:
    """Wait for what is to come at ``end`` and not before; HAProxy's clock has whole seconds."""
    await eventually(holds, 6)
    assert end.timestamp() - 0.05 < time.time() < end.timestamp() + 1


async def test_a_ban_ends_unless_it_is_renewed(tmp_path: Path) -> None:
    """Banning again moves the end, and the agent forgets a ban that is over."""
    async with serving(tmp_path) as (made, edge, _):
        start = datetime.now(UTC).replace(microsecond=0)
        for seconds in (2, 4):
            await edge.ban(ban(SHARED, (start - datetime.now(UTC)).total_seconds() + seconds))
        await asyncio.sleep((start - datetime.now(UTC)).total_seconds() + 2.5)
        assert await is_refused(made), "it was renewed"

        async def is_served() -> bool:
            return await status(made, SHARED) == 200

        await ends(is_served, start + timedelta(seconds=4))
        await eventually(lambda: not edge.desired.bans)
        assert await statuses(made, 3, SHARED, "b.test") == [200] * 3
