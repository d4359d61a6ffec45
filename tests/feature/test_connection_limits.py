"""Connections of one source, refused where TCP is accepted: new ones a second, and those open at once. A
source is an IPv4 address or an IPv6 /64; what some site allows or has cleared is never refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.rules.connection import CONNECTION_SECONDS, TIGHT
from holdfast.edge.status import take_snapshot
from holdfast.model.ban import parse_network
from tests.feature.clients import REFUSED, ban, status
from tests.feature.lab import Lab, echo_origin, eventually, ipv6_network, running, site, write_certificate
from tests.feature.load import ANY_CONNECTIONS, ANY_RATE
from tests.feature.test_cli import Shell, shell
from tests.feature.wire import connect, connected, trusting

__all__ = ["shell"]  # a fixture
SILENCE = 0.3
"""Who has not been refused for so long has not been refused."""
FEW = CONNECTION_SECONDS
"""What one connection a second allows in the time over which it is averaged. Those beyond come later: of
two that HAProxy counts at the same moment both may see one too many; and its totals may count them as one."""
ports = pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])


class Crowd:
    """Connections on which nothing is said."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []

    async def come(self, port: int, *sources: str) -> int:
        """One from each of ``sources``, one after the other; how many of them the edge refuses."""
        fresh = []
        for source in sources:
            with contextlib.suppress(ConnectionError):  # reset before the client has noticed the start
                fresh.append(await connected(source, port))
        refused = sum(await asyncio.gather(*map(_is_refused, fresh)))
        self.sockets += fresh
        return len(sources) - len(fresh) + refused

    def close(self) -> None:
        while self.sockets:
            self.sockets.pop().close()


async def _is_refused(sock: socket.socket) -> bool:
    try:
        async with asyncio.timeout(SILENCE):
            return await asyncio.get_running_loop().sock_recv(sock, 1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@asynccontextmanager
async def crowded(directory: Path, **edge: Any) -> AsyncIterator[tuple[Lab, Edge, Crowd]]:
    """An edge with these settings, and a crowd that goes in the end."""
    certificate = str(write_certificate(directory / "one.pem", "a.test"))
    with echo_origin() as port, contextlib.closing(Crowd()) as crowd:
        sites = [site("a", ["a.test"], port, certificate=certificate, allow=["127.0.0.7"], limits=ANY_RATE)]
        async with running(directory, sites, **{**ANY_CONNECTIONS, **edge}) as (lab, agent):
            yield lab, agent, crowd


@ports
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
async def test_new_connections_are_counted_without_any_request(
    tmp_path: Path, family: str, secure: bool
) -> None:
    """Over ten seconds; each address of a /64 is the same source. Nobody else is refused."""
    with ipv6_network() as network:
        one = [f"{network}:1::{number:x}" for number in range(1, FEW + 4)]
        sources = one if family == "IPv6" else ["127.0.3.4"] * len(one)
        async with crowded(tmp_path, connections_per_second=1) as (lab, edge, crowd):
            port = lab.https if secure else lab.http
            assert await crowd.come(port, *sources[:FEW]) == 0
            assert await crowd.come(port, *sources[FEW:]) == 3
            assert await status(lab, sources[0], secure=secure) == REFUSED
            assert await status(lab, sources[0], secure=not secure) == REFUSED, "at whichever port"
            for other in ("127.0.3.5", "::1", f"{network}:2::1"):
                assert await status(lab, other, secure=secure) == 200
            counts = (await take_snapshot(edge)).refused_connections
            assert (counts["banned"], 3 <= counts["rate"] <= 5, counts["at_once"]) == (0, True, 0)


@ports
async def test_requests_on_a_connection_that_is_kept_do_not_count(tmp_path: Path, secure: bool) -> None:
    async with crowded(tmp_path, connections_per_second=1) as (lab, _, crowd):
        port, tls = (lab.https, trusting()) if secure else (lab.http, None)
        async with connect(port, tls=tls, name="a.test" if secure else None, source="127.0.3.4") as wire:
            assert {(await wire.get(b"/", "a.test")).status for _ in range(5 * FEW)} == {200}
            assert await crowd.come(port, *["127.0.3.4"] * (FEW - 1)) == 0
            assert await crowd.come(port, *["127.0.3.4"] * 2) == 2


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
async def test_open_connections_at_the_tls_port(tmp_path: Path, family: str) -> None:
    with ipv6_network() as network:
        one = [f"{network}:1::{number:x}" for number in range(1, 26)]
        sources = one if family == "IPv6" else ["127.0.3.4"] * 25
        async with crowded(tmp_path, connections_at_once=20) as (lab, edge, crowd):
            assert await crowd.come(lab.https, *sources[:20]) == 0
            assert await crowd.come(lab.https, *sources[20:]) == 5
            assert await status(lab, sources[0], secure=True) == REFUSED
            for other in ("127.0.3.5", "::1", f"{network}:2::1"):
                assert await status(lab, other, secure=True) == 200
            counts = (await take_snapshot(edge)).refused_connections
            assert (counts["banned"], counts["rate"], 2 <= counts["at_once"] <= 6) == (0, 0, True)
            for sock in crowd.sockets[:3]:
                sock.close()

            async def is_served() -> bool:
                return await status(lab, sources[0], secure=True) == 200

            await eventually(is_served)


async def test_open_connections_at_the_plain_port_count_once_it_fills(shell: Shell) -> None:
    """A quarter full, and fewer of them from three quarters on. The limit of open files makes it small."""
    many, few = 16, 16 // TIGHT
    with echo_origin() as origin:
        shell.configure(site("a", ["a.test"], origin), **{**ANY_CONNECTIONS, "connections_at_once": many})
        with shell.up("prlimit", "--nofile=900"), contextlib.closing(Crowd()) as crowd:
            budget = int(json.loads(shell.run("status", "--json").stdout)["haproxy"]["Maxconn"])
            quarter = budget // 4
            assert many < quarter < 100
            assert await crowd.come(shell.http, *["127.0.3.4"] * (quarter - 1)) == 0
            others = (f"127.1.0.{number}" for number in range(1, 255))
            assert await crowd.come(shell.http, next(others)) == 0
            assert await crowd.come(shell.http, *["127.0.3.4"] * many) == 0
            assert await crowd.come(shell.http, *["127.0.3.4"] * 3) == 3
            assert await crowd.come(shell.http, *["127.0.3.5"] * many) == 0
            while len(crowd.sockets) < 3 + budget * 3 // 4:
                assert await crowd.come(shell.http, *(next(others) for _ in range(5))) == 0
            assert await crowd.come(shell.http, *["127.0.3.6"] * few) == 0
            assert await crowd.come(shell.http, *["127.0.3.6"] * 2) == 2
            assert await crowd.come(shell.http, next(others)) == 0
            counts = json.loads(shell.run("status", "--json").stdout)["refused_connections"]
            assert (counts["banned"], counts["rate"], 2 <= counts["at_once"] <= 5) == (0, 0, True)


@ports
async def test_an_edge_that_only_watches_refuses_nobody_but_the_banned(tmp_path: Path, secure: bool) -> None:
    settings = {"connections_per_second": 1, "connections_at_once": 12, "watch_only": True}
    async with crowded(tmp_path, **settings) as (lab, edge, crowd):
        port = lab.https if secure else lab.http
        assert await crowd.come(port, *["127.0.3.4"] * 15) == 0
        seen = await take_snapshot(edge)
        # A connection over both limits counts once. At the plain port, which is almost empty, there is one.
        at_once = 3 if secure else 0
        assert sum(seen.watched_connections.values()) in range(3, 6)
        assert seen.watched_connections["at_once"] in range(at_once // 2, at_once + 1)
        assert set(seen.refused_connections.values()) == {0}
        await edge.clear(parse_network("127.0.3.6"), datetime.now(UTC) + timedelta(seconds=60))
        for spared in ("127.0.0.7", "127.0.3.6"):
            assert await crowd.come(port, *[spared] * 15) == 0
        now = (await take_snapshot(edge)).watched_connections
        assert now == seen.watched_connections, "they would not have been refused"
        await edge.ban(ban("127.0.3.4"))
        assert await crowd.come(port, "127.0.3.4", "127.0.3.5") == 1
        assert (await take_snapshot(edge)).refused_connections["banned"] == 1


@ports
async def test_who_is_allowed_or_cleared_somewhere_is_never_refused(tmp_path: Path, secure: bool) -> None:
    """Not for being banned either."""
    limits = {"connections_per_second": 1, "connections_at_once": 12}
    with ipv6_network() as network:
        async with crowded(tmp_path, **limits) as (lab, edge, crowd):
            port = lab.https if secure else lab.http
            cleared = ["127.0.0.8", f"{network}:1::1"]
            until = datetime.now(UTC) + timedelta(seconds=60)
            await edge.clear(parse_network(cleared[0]), until)
            await edge.clear(parse_network(f"{network}:1::/64"), until)
            for source in ("127.0.0.7", *cleared):
                assert await crowd.come(port, *[source] * 15) == 0, source
                await edge.ban(ban(source))
                assert await crowd.come(port, source) == 0, source
            for source in ("127.0.0.6", "127.0.0.9", f"{network}:2::1"):
                assert await crowd.come(port, *[source] * FEW) == 0, source
                assert await crowd.come(port, *[source] * 5) == 5, source
